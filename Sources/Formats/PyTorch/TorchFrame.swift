/// What lies around the state dict in a file of PyTorch, without it: enough to write a file that the same code loads.
public struct TorchFrame {
  /// The containers from the outside in; the state dict lies in the last one, under the last key.
  private let levels: [Level]
  /// Plain values in the state dict itself, beside its tensors.
  private let beside: [(key: TorchItem, value: TorchItem)]
  /// What is not written again, by its keys: state of the training, which the new weights make wrong (`isStale`), and
  /// what is no plain data.
  public let dropped: [(name: String, isStale: Bool)]
  /// Whether a whole module or a program lies where the state dict is written.
  public let isModule: Bool

  private struct Level {
    let key: String
    let before: [(key: TorchItem, value: TorchItem)]
    let after: [(key: TorchItem, value: TorchItem)]
  }

  /// One dict of plain values around the state dict.
  public init(
    before: [(key: String, value: TorchItem)], key: String, after: [(key: String, value: TorchItem)] = []
  ) {
    func named(_ entries: [(key: String, value: TorchItem)]) -> [(key: TorchItem, value: TorchItem)] {
      entries.map { (.string($0.key), $0.value) }
    }
    levels = [Level(key: key, before: named(before), after: named(after))]
    (beside, dropped, isModule) = ([], [], false)
  }

  /// - Parameter state: one of the archive's.
  public init(_ archive: TorchArchive, around state: StoredState) {
    var value = archive.value
    var levels: [Level] = []
    var dropped: [(name: String, isStale: Bool)] = []
    func plain(_ entries: [PickleEntry], _ path: [String]) -> [(key: TorchItem, value: TorchItem)] {
      entries.compactMap { entry in
        let name = (path + [entry.key.text ?? "?"]).joined(separator: ".")
        let isStale = TorchArchive.isNoModel(entry.key.text ?? "")
        guard !isStale, let key = TorchItem(entry.key), let item = TorchItem(entry.value) else {
          dropped.append((name, isStale))
          return nil
        }
        return (key, item)
      }
    }
    for (depth, key) in state.path.enumerated() {
      guard case .dict(let entries) = value, let place = entries.lastIndex(where: { $0.key.text == key }) else {
        // Within an object there is no place to write to: the rest of the path is left out.
        break
      }
      let path = Array(state.path[..<depth])
      levels.append(
        Level(
          key: key, before: plain(Array(entries[..<place]), path),
          after: plain(Array(entries[(place + 1)...]), path)))
      value = entries[place].value
    }
    self.levels = levels
    if case .dict(let entries) = value, !archive.isScript, state.module == nil {
      let tensors = Set(state.entries.map(\.key))
      beside = plain(entries.filter { !tensors.contains($0.key.text ?? "") }, state.path)
      isModule = false
    } else {
      beside = []
      isModule = true
    }
    self.dropped = dropped
  }

  /// The whole file with these tensors as its state dict.
  public func filled(with tensors: [(key: String, tensor: TorchTensor)]) -> TorchItem {
    var item = TorchItem.ordered(tensors.map { (.string($0.key), .tensor($0.tensor)) } + beside)
    for level in levels.reversed() { item = .dict(level.before + [(.string(level.key), item)] + level.after) }
    return item
  }
}
