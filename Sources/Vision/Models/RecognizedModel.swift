import Files
public import Torch
import TorchNN

/// The architecture that a state dict belongs to, by its keys and shapes alone.
public struct RecognizedModel {
  public let kind: String
  /// Width, classes, image channels, stem, and what else its architecture leaves open. Of the image size transformers
  /// alone tell, and nothing does of the normaliser.
  public let shape: ModelShape
  public let naming: KeyNaming
  private let headsAreGiven: Bool

  /// `resnet18 of width 64: 10 classes, 3 image channels, 3x3 stem without max-pool (TorchVision's names)`
  public var description: String {
    var names = naming.origin
    if !naming.prefix.isEmpty { names += ", all keys begin with \"\(escaped(naming.prefix, limit: 100))\"" }
    let stem =
      switch shape.stem {
      case .small: kind == "convnext_tiny" ? ", 3x3 stem" : ", 3x3 stem without max-pool"
      case .large: kind == "convnext_tiny" ? ", 4x4 stem" : ", 7x7 stem"
      case nil: ""
      }
    var details = ""
    if let depth = shape.depth { details += ", depth \(depth)" }
    if let widen = shape.widen { details += ", widen factor \(widen)" }
    if let patch = shape.patch {
      details += ", patches of \(patch) pixels, images of \(shape.imageSize), \(shape.heads ?? 0) heads"
      if !headsAreGiven { details += " (usual for this width; weights do not show them)" }
    }
    return
      "\(kind) of width \(shape.width)\(details): \(shape.classes) classes, \(shape.channels) image channels\(stem) "
      + "(\(names))"
  }

  /// - Throws: `ModelFileError` that names the nearest architecture and what differs from it.
  /// - Parameter heads: of a transformer's attention, which do not show; nil takes those usual for its width.
  public init(_ entries: [(key: String, shape: Shape)], path: String, heads: Int? = nil) throws {
    (kind, shape, naming) = try Self.search(entries, path, heads)
    headsAreGiven = heads != nil
  }

  private static func search(
    _ entries: [(key: String, shape: Shape)], _ path: String, _ heads: Int?
  ) throws -> (kind: String, shape: ModelShape, naming: KeyNaming) {
    var best: (score: Double, candidate: Candidate, missing: [String], unexpected: [String])?
    // No architecture has so many; a hostile file may.
    guard entries.count <= 20_000 else { throw ModelFileError(description: unknown(path, nil)) }
    let entries = entries.filter { !isCounter($0.key) }
    for prefix in prefixes(entries.map(\.key)) {
      let plain = entries.map { (key: String($0.key.dropFirst(prefix.count)), shape: $0.shape) }
      for naming in KeyNaming.known {
        var naming = naming
        naming.prefix = prefix
        let found = entries.map { entry in
          let key = naming.key(entry.key)
          return (key: key, shape: naming.shape(entry.shape, key))
        }
        let keys = Set(found.map(\.key))
        guard !naming.isRenaming || zip(found, plain).contains(where: { $0.key != $1.key }) else { continue }
        for candidate in candidates + Candidate.templates(for: found) {
          let common = keys.intersection(candidate.keys).count
          let score = Double(common) / Double(keys.count + candidate.keys.count - common)
          if score == 1, keys.count == found.count, let (kind, shape) = try candidate.fitted(to: found, path, heads) {
            return (kind, shape, naming)
          }
          if score > best?.score ?? 0 {
            best = (
              score, candidate, candidate.keys.subtracting(keys).sorted(), keys.subtracting(candidate.keys).sorted()
            )
          }
        }
      }
    }
    // A checkpoint may hold more than the network: what stands beside its prefix is named.
    if best?.score ?? 0 <= 0.1, let prefix = commonest(entries.map(\.key)) {
      let beside = entries.map(\.key).filter { !$0.hasPrefix(prefix) }.sorted()
      let own = entries.filter { $0.key.hasPrefix(prefix) }
      if let found = try? search(own, path, heads) {
        let flags = beside.prefix(6).map { "--ignore \(escaped($0, limit: 100))" }.joined(separator: " ")
        throw ModelFileError(
          description:
            "\(path): the keys that begin with \"\(escaped(prefix, limit: 100))\" are those of \(found.kind); "
            + "beside them stand \(beside.count) others. Where they are of no use, leave them out: \(flags)"
            + (beside.count > 6 ? " ..." : ""))
      }
    }
    throw ModelFileError(description: unknown(path, best))
  }

  /// The first part that most keys share, such as `model.`, where not all do.
  private static func commonest(_ keys: [String]) -> String? {
    var counts: [String: Int] = [:]
    for key in keys { if let end = key.firstIndex(of: ".") { counts[String(key[...end]), default: 0] += 1 } }
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), most.value < keys.count,
      2 * most.value > keys.count
    else { return nil }
    return most.key
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
    return "\(path): the architecture is not known. The nearest is \(best.candidate.kind.id)"
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

  static func isCounter(_ key: String) -> Bool { key.hasSuffix("num_batches_tracked") }
}
