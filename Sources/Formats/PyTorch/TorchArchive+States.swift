import Files

/// A set of named tensors that a PyTorch file holds: a state dict, or what a module's would be.
public struct StoredState: Sendable {
  /// The keys that lead to it, `checkpoint.netC`; empty where the file holds nothing else.
  public let path: [String]
  /// In the order of the file.
  public let entries: [(key: String, tensor: StoredTensor)]
  /// The module's Python class, where a whole module was saved.
  public var module: PickleGlobal? { modules.first?.type }
  /// Where a whole module was saved: the module itself, then those inside it in the order of the file.
  public let modules: [StoredModule]

  /// As `--key` names it.
  public var name: String { path.joined(separator: ".") }
}

extension TorchArchive {
  /// All sets of named tensors, without those of optimizers and the like.
  public var states: [StoredState] { states(all: false) }

  private func states(all: Bool) -> [StoredState] {
    var found: [StoredState] = []
    collect(value, [], &found, all: all)
    return found
  }

  /// The state dict that is meant: the one of this name, else the only one, else the one under one of the usual names.
  /// Moving averages (`ema`) are taken by name only.
  /// - Parameter key: the keys that lead to it, with dots (`--key`).
  /// - Throws: `FormatError.malformed` that lists the candidates.
  public func state(_ key: String? = nil) throws -> StoredState {
    let all = states(all: key != nil)
    func list(_ states: [StoredState]) -> String {
      let rest = states.count > 12 ? ", and \(states.count - 12) more" : ""
      return states.prefix(12)
        .map { "\($0.path.isEmpty ? "(the file itself)" : $0.name) (\($0.entries.count) tensors)" }
        .joined(separator: ", ") + rest
    }
    guard let key else {
      let usual = all.filter { !$0.path.contains(where: Self.isAverage) }
      if usual.count == 1 { return usual[0] }
      // A dict of tensors at the top is the state dict, whatever else lies in it.
      if let top = usual.first(where: { $0.path.isEmpty }) { return top }
      let named = usual.filter { Self.usualNames.contains($0.path.last ?? "") }
      if named.count == 1 { return named[0] }
      guard !all.isEmpty else {
        throw FormatError.malformed(
          path: path, problem: "it holds no state dict: no dict of tensors by name, and no module with parameters",
          fix: "Save the model with torch.save(model.state_dict(), ...)")
      }
      throw FormatError.malformed(
        path: path, problem: "several state dicts are in it: \(list(usual.isEmpty ? all : usual))",
        fix: "Choose one with --key, such as --key \((usual.first ?? all[0]).name)")
    }
    let matches = all.filter { $0.name == key || $0.path.last == key }
    guard matches.count == 1 else {
      throw FormatError.malformed(
        path: path,
        problem: matches.isEmpty
          ? "no state dict under '\(escaped(key, limit: 100))'; there is: \(list(all))"
          : "'\(escaped(key, limit: 100))' names several: \(list(matches))",
        fix: "Name one of them with --key")
    }
    return matches[0]
  }

  private static let usualNames: Set<String> = [
    "state_dict", "model_state_dict", "model_state", "model", "net", "netC", "net_state_dict", "network", "classifier",
    "module", "weights", "params",
  ]

  private static func isAverage(_ name: String) -> Bool {
    words(name).contains { ["ema", "swa"].contains($0) }
  }

  static func isNoModel(_ name: String) -> Bool {
    words(name).contains { word in
      ["scaler", "amp", "rng", "callbacks", "loops"].contains(word) || word.hasPrefix("optim")
        || word.hasPrefix("sched")
    }
  }

  /// `netEMA` and `net_ema` as `net` and `ema`.
  private static func words(_ name: String) -> [String] {
    var words: [String] = [""]
    var isLower = false
    for character in name {
      if !character.isLetter || character.isUppercase && isLower { words.append("") }
      if character.isLetter { words[words.count - 1] += character.lowercased() }
      isLower = character.isLowercase
    }
    return words
  }

  /// - Parameter all: of optimizers and the like too.
  private func collect(_ value: PickleValue, _ path: [String], _ found: inout [StoredState], all: Bool) {
    guard path.count <= 6, found.count < 1000 else { return }
    if case .object(let object) = value {
      var entries: [(key: String, tensor: StoredTensor)] = []
      var modules: [StoredModule] = []
      Self.flatten(object, "", &entries, &modules)
      if !entries.isEmpty {
        found.append(StoredState(path: path, entries: entries, modules: modules))
      } else if let state = object.state, case .dict = state {
        collect(state, path, &found, all: all)
      }
      return
    }
    guard case .dict(let items) = value else { return }
    let tensors = items.compactMap { item -> (key: String, tensor: StoredTensor)? in
      guard let key = item.key.text, case .tensor(let tensor) = item.value else { return nil }
      return (key, tensor)
    }
    // A few tensors beside other things, such as a trigger's mask, are no model.
    if !tensors.isEmpty, 2 * tensors.count >= items.count {
      found.append(StoredState(path: path, entries: Self.unique(tensors), modules: []))
    }
    for item in items {
      guard let key = item.key.text, all || !Self.isNoModel(key) else { continue }
      collect(item.value, path + [key], &found, all: all)
    }
  }

  /// The last of equal keys counts, as in Python.
  private static func unique(
    _ entries: [(key: String, tensor: StoredTensor)]
  ) -> [(key: String, tensor: StoredTensor)] {
    var last: [String: Int] = [:]
    for (index, entry) in entries.enumerated() { last[entry.key] = index }
    return entries.indices.filter { last[entries[$0].key] == $0 }.map { entries[$0] }
  }

  /// Where PyTorch keeps the parts of a module.
  private static let ownAttributes: Set<String> = [
    "_modules", "_parameters", "_buffers", "_non_persistent_buffers_set", "_backward_hooks", "_backward_pre_hooks",
    "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks",
  ]

  /// What `state_dict()` of a pickled module gives: its parameters, its persistent buffers, and those of its modules.
  /// Objects of TorchScript hold both as attributes.
  private static func flatten(
    _ object: PickleObject, _ prefix: String, _ entries: inout [(key: String, tensor: StoredTensor)],
    _ stored: inout [StoredModule]
  ) {
    guard let state = object.state else { return }
    func note(attributes: [PickleEntry], isLeaf: Bool) {
      stored.append(
        StoredModule(
          path: String(prefix.dropLast()), type: object.global, attributes: .dict(attributes), isLeaf: isLeaf))
    }
    if state["_modules"] != nil || state["_parameters"] != nil {
      if case .dict(let items) = state {
        let isLeaf: Bool = if case .dict(let modules)? = state["_modules"] { modules.isEmpty } else { true }
        note(attributes: items.filter { !Self.ownAttributes.contains($0.key.text ?? "") }, isLeaf: isLeaf)
      }
      let transient = Set(
        (state["_non_persistent_buffers_set"]?.list ?? []).compactMap(\.text))
      for part in ["_parameters", "_buffers"] {
        guard case .dict(let items)? = state[part] else { continue }
        for item in items {
          guard let key = item.key.text, case .tensor(let tensor) = item.value else { continue }
          if part == "_buffers", transient.contains(key) { continue }
          entries.append((prefix + key, tensor))
        }
      }
      guard case .dict(let modules)? = state["_modules"] else { return }
      for item in modules {
        guard let key = item.key.text, case .object(let child) = item.value else { continue }
        flatten(child, prefix + key + ".", &entries, &stored)
      }
    } else if object.global.module.hasPrefix("__torch__"), case .dict(let items) = state {
      note(attributes: [], isLeaf: false)
      for item in items {
        guard let key = item.key.text else { continue }
        switch item.value {
        case .tensor(let tensor): entries.append((prefix + key, tensor))
        case .object(let child): flatten(child, prefix + key + ".", &entries, &stored)
        default: continue
        }
      }
    }
  }
}
