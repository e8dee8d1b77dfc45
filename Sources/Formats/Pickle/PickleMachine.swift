import Files

/// The pickle's stack machine: reads opcodes and builds nodes.
struct PickleMachine {
  let bytes: [UInt8]
  var at: Int
  var nodes: [PickleNode] = []
  /// The unknown functions and classes whose calls were recorded, each once.
  private(set) var calls: [PickleGlobal] = []
  private var called: Set<PickleGlobal> = []
  private let reader: SafePickle
  private var stack: [Int] = []
  /// The stacks below each open mark.
  private var marks: [[Int]] = []
  private var memo: [Int: Int] = [:]

  init(bytes: [UInt8], at: Int, reader: SafePickle) {
    self.bytes = bytes
    self.at = at
    self.reader = reader
  }

  /// Runs to the stop opcode. Returns the index of the root node.
  mutating func run() throws -> Int {
    var steps = 0
    while true {
      let code = try byte()
      if code == PickleOpcode.stop.rawValue {
        guard marks.isEmpty, stack.count == 1 else {
          throw PickleProblem("\(stack.count) values at the end, expected 1")
        }
        return try pop()
      }
      steps += 1
      guard steps <= 4 * reader.limits.values else {
        throw PickleProblem("more than \(formatCount(4 * reader.limits.values)) steps")
      }
      try execute(code)
    }
  }

  private mutating func execute(_ code: UInt8) throws {
    switch PickleOpcode(rawValue: code) {
    // Marks, the stack and the memo
    case .mark:
      marks.append(stack)
      stack = []
    case .pop: if stack.isEmpty { _ = try popMark() } else { _ = try pop() }
    case .popMark: _ = try popMark()
    case .duplicate: stack.append(try top())
    case .put: try remember(try decimal())
    case .binPut: try remember(Int(try byte()))
    case .longBinPut: try remember(try unsigned(4))
    case .memoize: try remember(memo.count)
    case .get: try recall(try decimal())
    case .binGet: try recall(Int(try byte()))
    case .longBinGet: try recall(try unsigned(4))
    // Constants and numbers
    case .null: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .int: try push(try PickleText.int(try line()))
    case .long: try push(try PickleText.long(try line()))
    case .float: try push(.float(try PickleText.float(try line())))
    case .binInt1: try push(.int(Int64(try byte())))
    case .binInt2: try push(.int(Int64(try unsigned(2))))
    case .binInt: try push(.int(Int64(Int32(truncatingIfNeeded: try unsigned(4)))))
    case .binFloat: try push(.float(Double(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })))
    case .long1: try push(PickleText.integer(littleEndian: try take(Int(try byte()))))
    case .long4: try push(PickleText.integer(littleEndian: try take(try unsigned(4))))
    // Strings and bytes
    case .string: try push(.bytes(try PickleText.quoted(try line())))
    case .unicode: try push(.string(try PickleText.rawUnicode(try line())))
    case .shortBinString, .shortBinBytes: try push(.bytes(Array(try take(Int(try byte())))))
    case .binString, .binBytes: try push(.bytes(Array(try take(try unsigned(4)))))
    case .binBytes8, .byteArray8: try push(.bytes(Array(try take(try unsigned(8)))))
    case .shortBinUnicode: try push(.string(try text(Int(try byte()))))
    case .binUnicode: try push(.string(try text(try unsigned(4))))
    case .binUnicode8: try push(.string(try text(try unsigned(8))))
    // Containers
    case .emptyList: try push(PickleNode(kind: .list))
    case .emptyTuple: try push(PickleNode(kind: .tuple))
    case .emptyDict: try push(PickleNode(kind: .dict))
    case .list: try push(PickleNode(kind: .list, parts: try popMark()))
    case .tuple: try push(PickleNode(kind: .tuple, parts: try popMark()))
    case .dict: try push(PickleNode(kind: .dict, parts: try pairs(try popMark())))
    case .tuple1: try push(PickleNode(kind: .tuple, parts: try pop(1)))
    case .tuple2: try push(PickleNode(kind: .tuple, parts: try pop(2)))
    case .tuple3: try push(PickleNode(kind: .tuple, parts: try pop(3)))
    case .append: try append(try pop(1))
    case .appends: try append(try popMark())
    case .setItem: try set(try pop(2))
    case .setItems: try set(try pairs(try popMark()))
    // Names and calls
    case .global: try pushGlobal(PickleGlobal(try latin(try line()), try latin(try line())))
    case .stackGlobal:
      let names = try pop(2).map { try string($0) }
      try pushGlobal(PickleGlobal(names[0], names[1]))
    case .reduce, .newObject: try call()
    case .build: try build()
    case .persistentID: try pushPersistent(try pushed(.string(try latin(try line()))))
    case .binPersistentID: try pushPersistent(try pop())
    case .instance:
      let global = PickleGlobal(try latin(try line()), try latin(try line()))
      guard reader.recordsUnknown else { throw PickleRefusal(global: global) }
      try call(global, try pushed(PickleNode(kind: .tuple, parts: try popMark())))
    case .markedObject where reader.recordsUnknown:
      let parts = try popMark()
      guard let first = parts.first else { throw PickleProblem("an object without a class") }
      try call(try callee(first), try pushed(PickleNode(kind: .tuple, parts: Array(parts.dropFirst()))))
    case .newObjectWithKeywords where reader.recordsUnknown:
      let parts = try pop(3)
      try call(try callee(parts[0]), parts[1])
    case .emptySet where reader.recordsUnknown: try push(PickleNode(kind: .list))
    case .frozenSet where reader.recordsUnknown: try push(PickleNode(kind: .list, parts: try popMark()))
    case .addItems where reader.recordsUnknown: try append(try popMark())
    // Framing
    case .protocolVersion:
      let version = try byte()
      guard version <= 5 else { throw PickleProblem("pickle protocol \(version), expected 0 to 5") }
    case .frame:
      let length = try unsigned(8)
      guard length <= bytes.count - at else {
        throw PickleProblem("a frame of \(formatCount(length)) bytes: the file ends early")
      }
    case .stop, .emptySet, .addItems, .frozenSet, .newObjectWithKeywords, .markedObject, nil:
      throw PickleProblem("the opcode 0x\(String(code, radix: 16)), which plain data does not use")
    }
  }

  // MARK: Bytes

  private mutating func byte() throws -> UInt8 {
    guard at < bytes.count else { throw PickleProblem("the file ends early") }
    at += 1
    return bytes[at - 1]
  }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count <= bytes.count - at else {
      throw PickleProblem(
        "a value of \(formatCount(count)) bytes where \(formatCount(bytes.count - at)) are left: the file ends early")
    }
    at += count
    return bytes[at - count..<at]
  }

  private mutating func unsigned(_ size: Int) throws -> Int {
    let word = try take(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let value = Int(exactly: word) else { throw PickleProblem("a size of \(word)") }
    return value
  }

  private mutating func line() throws -> ArraySlice<UInt8> {
    guard let end = bytes[at...].firstIndex(of: 10) else { throw PickleProblem("the file ends early") }
    defer { at = end + 1 }
    return bytes[at..<end]
  }

  private mutating func decimal() throws -> Int {
    let line = try line()
    guard let value = Int(String(decoding: line, as: UTF8.self)), value >= 0 else {
      throw PickleProblem("a memo key that is no number")
    }
    return value
  }

  private mutating func text(_ count: Int) throws -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw PickleProblem("text that is not UTF-8")
    }
    return text
  }

  private func latin(_ line: ArraySlice<UInt8>) throws -> String {
    guard line.count <= 1_000, let text = String(validating: line, as: UTF8.self) else {
      throw PickleProblem("a name that is no text")
    }
    return text
  }

  // MARK: Stack

  private mutating func pushed(_ value: PickleValue) throws -> Int { try add(PickleNode(kind: .leaf(value))) }
  private mutating func pushed(_ node: PickleNode) throws -> Int { try add(node) }

  private mutating func add(_ node: PickleNode) throws -> Int {
    guard nodes.count < reader.limits.values else {
      throw PickleProblem("more than \(formatCount(reader.limits.values)) values")
    }
    nodes.append(node)
    return nodes.count - 1
  }

  private mutating func push(_ value: PickleValue) throws { stack.append(try pushed(value)) }
  private mutating func push(_ node: PickleNode) throws { stack.append(try add(node)) }

  private func top() throws -> Int {
    guard let index = stack.last else { throw PickleProblem("an empty stack") }
    return index
  }

  private mutating func pop() throws -> Int {
    guard let index = stack.popLast() else { throw PickleProblem("an empty stack") }
    return index
  }

  private mutating func pop(_ count: Int) throws -> [Int] {
    guard stack.count >= count else { throw PickleProblem("an empty stack") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popMark() throws -> [Int] {
    guard let below = marks.popLast() else { throw PickleProblem("no mark on the stack") }
    defer { stack = below }
    return stack
  }

  private mutating func remember(_ key: Int) throws {
    memo[key] = try top()
    guard memo.count <= reader.limits.values else {
      throw PickleProblem("more than \(formatCount(reader.limits.values)) memos")
    }
  }

  private mutating func recall(_ key: Int) throws {
    guard let index = memo[key] else { throw PickleProblem("no memo \(key)") }
    stack.append(index)
  }

  private func string(_ index: Int) throws -> String {
    guard case .leaf(let value) = nodes[index].kind, let text = value.text else {
      throw PickleProblem("a name that is no text")
    }
    return text
  }

  // MARK: Containers and calls

  private func pairs(_ parts: [Int]) throws -> [Int] {
    guard parts.count.isMultiple(of: 2) else { throw PickleProblem("a key without a value") }
    return parts
  }

  private mutating func append(_ parts: [Int]) throws {
    let target = try top()
    switch nodes[target].kind {
    case .list, .object: nodes[target].parts += parts
    default: throw PickleProblem("an append to something that is no list")
    }
  }

  private mutating func set(_ parts: [Int]) throws {
    let target = try top()
    switch nodes[target].kind {
    case .dict: nodes[target].parts += parts
    case .object: nodes[target].items += parts
    default: throw PickleProblem("an item for something that is no dict")
    }
  }

  private mutating func pushGlobal(_ global: PickleGlobal) throws {
    guard reader.allows(global) else { throw PickleRefusal(global: global) }
    try push(PickleNode(kind: .global(global)))
  }

  private mutating func call() throws {
    let parts = try pop(2)
    try call(try callee(parts[0]), parts[1])
  }

  private func callee(_ index: Int) throws -> PickleGlobal {
    switch nodes[index].kind {
    case .global(let global): return global
    // A method, say, that getattr would give.
    case .object(let global, _) where reader.recordsUnknown && reader.builders[global] == nil: return global
    // A class with its source, as PyTorch's old format has those of modules: ('module', class, path, source).
    case .persistent where reader.recordsUnknown:
      guard let id = nodes[index].parts.first, nodes[id].parts.count == 4,
        case .global(let global) = nodes[nodes[id].parts[1]].kind
      else { fallthrough }
      return global
    default: throw PickleProblem("a call of something that is no name")
    }
  }

  private mutating func call(_ global: PickleGlobal, _ arguments: Int) throws {
    guard reader.allows(global) else { throw PickleRefusal(global: global) }
    guard case .tuple = nodes[arguments].kind else {
      throw PickleProblem("a call of \(global) without a tuple of arguments")
    }
    if reader.builders[global] == nil, called.insert(global).inserted { calls.append(global) }
    try push(PickleNode(kind: .object(global, arguments: arguments)))
  }

  private mutating func build() throws {
    let state = try pop(), target = try top()
    guard case .object = nodes[target].kind, nodes[target].state == nil || reader.recordsUnknown else {
      throw PickleProblem("a state for something that takes none")
    }
    nodes[target].state = state
  }

  private mutating func pushPersistent(_ id: Int) throws {
    try push(PickleNode(kind: .persistent, parts: [id]))
  }
}
