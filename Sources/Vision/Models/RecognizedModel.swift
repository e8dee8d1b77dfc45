import Files
public import Torch
import TorchNN

/// The architecture that a state dict belongs to, by its keys and shapes alone.
public struct RecognizedModel {
  public let kind: String
  /// Width, classes, image channels and stem; size and normaliser do not show in weights.
  public let shape: ModelShape
  public let naming: KeyNaming

  /// `resnet18 of width 64: 10 classes, 3 channels, 3x3 stem (TorchVision's names, without "module.")`
  public var description: String {
    var names = naming.origin
    if !naming.prefix.isEmpty { names += ", all keys begin with \"\(escaped(naming.prefix, limit: 100))\"" }
    let stem =
      switch shape.stem {
      case .small: ", 3x3 stem without max-pool"
      case .large: ", 7x7 stem"
      case nil: ""
      }
    return
      "\(kind) of width \(shape.width): \(shape.classes) classes, \(shape.channels) image channels\(stem) (\(names))"
  }

  /// - Throws: `ModelFileError` that names the nearest architecture and what differs from it.
  public init(_ entries: [(key: String, shape: Shape)], path: String) throws {
    (kind, shape, naming) = try Self.search(entries, path)
  }

  private static func search(
    _ entries: [(key: String, shape: Shape)], _ path: String
  ) throws -> (kind: String, shape: ModelShape, naming: KeyNaming) {
    var best: (score: Double, candidate: Candidate, missing: [String], unexpected: [String])?
    // No architecture has so many; a hostile file may.
    guard entries.count <= 20_000 else { throw ModelFileError(description: unknown(path, nil)) }
    for prefix in prefixes(entries.map(\.key)) {
      for naming in KeyNaming.known {
        var naming = naming
        naming.prefix = prefix
        let found = entries.map { entry in
          let key = naming.key(entry.key)
          return (key: key, shape: naming.shape(entry.shape, key))
        }
        .filter { !isCounter($0.key) }
        let keys = Set(found.map(\.key))
        for candidate in candidates {
          let common = keys.intersection(candidate.keys).count
          let score = Double(common) / Double(keys.count + candidate.keys.count - common)
          if score == 1, keys.count == found.count, let shape = candidate.fitted(to: found) {
            return (candidate.kind, shape, naming)
          }
          if score > best?.score ?? 0 {
            best = (
              score, candidate, candidate.keys.subtracting(keys).sorted(), keys.subtracting(candidate.keys).sorted()
            )
          }
        }
      }
    }
    throw ModelFileError(description: unknown(path, best))
  }

  private static func unknown(
    _ path: String, _ best: (score: Double, candidate: Candidate, missing: [String], unexpected: [String])?
  ) -> String {
    let known = ModelKind.all.map(\.id).joined(separator: ", ")
    guard let best, best.score > 0.1 else {
      return "\(path): no architecture that is known here has such keys. Known: \(known)."
    }
    func list(_ title: String, _ keys: [String]) -> String {
      guard !keys.isEmpty else { return "" }
      let rest = keys.count > 6 ? ", ... and \(keys.count - 6) more" : ""
      return "\n  \(title) (\(keys.count)): "
        + keys.prefix(6).map { escaped($0, limit: 100) }.joined(separator: ", ") + rest
    }
    let same = best.missing.isEmpty && best.unexpected.isEmpty
    return "\(path): the architecture is not known. The nearest is \(best.candidate.kind)"
      + (same ? ", whose keys are the same, but not their shapes." : ":")
      + list("it lacks keys of it", best.missing) + list("it has others", best.unexpected)
      + "\n  Entries of no use are left out with --ignore, others renamed with --rename, and --set model.name=... names "
      + "the architecture. Known: \(known)."
  }

  /// What wrappers put before all keys, the shortest first: `module.`, `_orig_mod.`, `model.`, ...
  private static func prefixes(_ keys: [String]) -> [String] {
    var found = [""]
    guard let first = keys.first else { return found }
    for end in first.indices where first[end] == "." {
      let prefix = String(first[...end])
      guard keys.allSatisfy({ $0.hasPrefix(prefix) && $0.count > prefix.count }), found.count < 8 else { break }
      found.append(prefix)
    }
    return found
  }

  private static func isCounter(_ key: String) -> Bool { key.hasSuffix("num_batches_tracked") }

  /// One architecture with one of its stems, at its smallest.
  private struct Candidate: Sendable {
    let kind: String
    let stem: Stem?
    let width: Int
    let entries: [(key: String, shape: Shape)]
    let keys: Set<String>

    /// Width, classes and channels from the first convolution and the last layer; nil where the shapes of one layer do
    /// not fit those of the others.
    func fitted(to found: [(key: String, shape: Shape)]) -> ModelShape? {
      let shapes = Dictionary(found.map { ($0.key, $0.shape) }) { first, _ in first }
      guard let first = entries.first(where: { $0.shape.count == 4 }), let conv = shapes[first.key], conv.count == 4,
        conv[2...] == first.shape[2...], let last = entries.last, let head = shapes[last.key], head.count == 1,
        first.shape[0] > 0, conv[0] * width % first.shape[0] == 0
      else { return nil }
      var shape = ModelShape(classes: head[0], width: conv[0] * width / first.shape[0], channels: conv[1])
      shape.stem = stem
      guard let kind = try? ModelKind.named(kind), (try? kind.check(width: shape.width)) != nil, shape.classes > 0,
        [1, 3].contains(shape.channels),
        found.allSatisfy({ $0.shape.allSatisfy { $0 > 0 } })
      else { return nil }
      let held = found.reduce(0.0) { $0 + $1.shape.reduce(1.0) { $0 * Double($1) } }
      // Running statistics are held besides.
      guard kind.parameterCount(shape) <= held else { return nil }
      return shape
    }
  }

  private static let candidates: [Candidate] = ModelKind.all.flatMap { kind -> [Candidate] in
    var found: [Candidate] = []
    for stem in Stem.allCases {
      var shape = ModelShape(classes: 2, width: kind.widthStep, imageSize: stem.typicalSize)
      shape.stem = stem
      let entries = kind.make(shape, Generator(seed: 0)).stateDict().entries
        .filter { !isCounter($0.key) }.map { (key: $0.key, shape: $0.tensor.shape) }
      if let other = found.first, other.entries.elementsEqual(entries, by: { $0 == $1 }) {
        // One stem only.
        return [
          Candidate(kind: kind.id, stem: nil, width: other.width, entries: other.entries, keys: other.keys)
        ]
      }
      found.append(
        Candidate(
          kind: kind.id, stem: stem, width: kind.widthStep, entries: entries, keys: Set(entries.map(\.key))))
    }
    return found
  }
}
