import Files

/// Turns finished nodes into values, each once, and calls the builders. Every limit is on the tree that a caller would
/// walk: a part that is shared a thousand times counts a thousand times.
struct PickleAssembler {
  struct Result {
    let value: PickleValue
    /// Values in the tree, this one included.
    let count: Int
    /// Levels of the tree, 1 for a leaf.
    let height: Int
    /// A reference to an object that is being put together is left out in it.
    var isCut = false
  }

  let nodes: [PickleNode]
  let reader: SafePickle
  var byteBudget: Int
  private var done: [Int: Result] = [:]
  /// The values whose parts are being put together.
  private var open: Set<Int> = []

  init(nodes: [PickleNode], reader: SafePickle, byteBudget: Int) {
    self.nodes = nodes
    self.reader = reader
    self.byteBudget = byteBudget
  }

  mutating func value(of index: Int, depth: Int) throws -> Result {
    let node = nodes[index]
    if let known = done[index] {
      try checkDepth(depth + known.height)
      return known
    }
    try checkDepth(depth + 1)
    // Objects may refer to their owners: such a reference is left out. Elsewhere the object is whole, so what lacks
    // something is not kept; the limit on values bounds how often it is put together again.
    if reader.recordsUnknown {
      guard open.insert(index).inserted else { return Result(value: .none, count: 1, height: 1, isCut: true) }
    }
    defer { open.remove(index) }
    var count = 1, height = 1, isCut = false
    func part(_ index: Int, _ assembler: inout PickleAssembler) throws -> PickleValue {
      let part = try assembler.value(of: index, depth: depth + 1)
      count += part.count
      height = max(height, part.height + 1)
      isCut = isCut || part.isCut
      guard count <= assembler.reader.limits.values else {
        throw PickleProblem(
          "more than \(formatCount(assembler.reader.limits.values)) values, shared ones counted where they are used")
      }
      return part.value
    }
    let parts = try node.parts.map { try part($0, &self) }
    let value: PickleValue
    switch node.kind {
    case .list: value = .list(parts)
    case .tuple: value = .tuple(parts)
    case .dict: value = .dict(Self.entries(parts))
    case .object(let global, let arguments):
      let items = Self.entries(try node.items.map { try part($0, &self) })
      let state = try node.state.map { try part($0, &self) }
      let object = PickleObject(
        global: global, arguments: try part(arguments, &self).list ?? [], state: state, items: items, appended: parts)
      if let build = reader.builders[global] {
        value = try build(object)
      } else {
        guard reader.allows(global) else { throw PickleRefusal(global: global) }
        value = .object(object)
      }
      try charge(value)
    case .persistent:
      guard let resolve = reader.persistent, let id = parts.first else {
        throw PickleProblem("a reference to data outside of the pickle")
      }
      value = try resolve(id)
    case .leaf(let value): return Result(value: value, count: 1, height: 1)
    case .global(let global): return Result(value: .global(global), count: 1, height: 1)
    }
    let result = Result(value: value, count: count, height: height, isCut: isCut)
    if !isCut { done[index] = result }
    return result
  }

  private func checkDepth(_ depth: Int) throws {
    guard depth <= reader.limits.depth else {
      throw PickleProblem("values nested more than \(reader.limits.depth) deep, or a value that contains itself")
    }
  }

  private mutating func charge(_ built: PickleValue) throws {
    switch built {
    case .bytes(let bytes): byteBudget -= bytes.count
    case .array(let array): byteBudget -= array.bytes.count
    default: return
    }
    guard byteBudget >= 0 else { throw PickleProblem("calls that make far more bytes than the file holds") }
  }

  private static func entries(_ parts: [PickleValue]) -> [PickleEntry] {
    stride(from: 0, to: parts.count - 1, by: 2).map { PickleEntry(key: parts[$0], value: parts[$0 + 1]) }
  }
}
