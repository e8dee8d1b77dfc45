/// Reads ONNX files as far as tests look into them: nodes, constants, inputs and outputs.
struct ONNXReader {
  struct Node {
    var inputs: [String] = []
    var outputs: [String] = []
    var operation = ""
    var attributes: [String: [Int]] = [:]
  }
  struct Constant {
    var shape: [Int] = []
    var kind = 0
    var bytes: [UInt8] = []
  }
  private(set) var nodes: [Node] = []
  private(set) var constants: [String: Constant] = [:]
  /// Sizes; 0 for one that is open.
  private(set) var values: [String: [Int]] = [:]
  private(set) var operators = 0
  private(set) var metadata: [String: String] = [:]

  init(_ bytes: [UInt8]) throws {
    for field in try Self.fields(bytes[...]) {
      switch field.number {
      case 7: try readGraph(field.bytes)
      case 8: operators = try Self.fields(field.bytes).first { $0.number == 2 }?.value ?? 0
      case 14:
        let texts = try Self.fields(field.bytes).map(\.text)
        metadata[texts[0]] = texts[1]
      default: break
      }
    }
  }

  private mutating func readGraph(_ bytes: ArraySlice<UInt8>) throws {
    for field in try Self.fields(bytes) where field.number != 2 {
      let parts = try Self.fields(field.bytes)
      switch field.number {
      case 1:
        var node = Node()
        for part in parts {
          switch part.number {
          case 1: node.inputs.append(part.text)
          case 2: node.outputs.append(part.text)
          case 4: node.operation = part.text
          case 5:
            let attribute = try Self.fields(part.bytes)
            node.attributes[attribute[0].text] = attribute.filter { [3, 8].contains($0.number) }.map(\.value)
          default: break
          }
        }
        nodes.append(node)
      case 5:
        var (constant, name) = (Constant(), "")
        for part in parts {
          switch part.number {
          case 1: constant.shape.append(part.value)
          case 2: constant.kind = part.value
          case 8: name = part.text
          case 9: constant.bytes = Array(part.bytes)
          default: break
          }
        }
        constants[name] = constant
      case 11, 12:
        let shape = try Self.fields(Self.fields(Self.fields(parts[1].bytes)[0].bytes)[1].bytes)
        values[parts[0].text] = try shape.map { try Self.fields($0.bytes).first { $0.number == 1 }?.value ?? 0 }
      default: break
      }
    }
  }

  struct Damaged: Error {}
  struct Field {
    let number: Int
    var value = 0
    var bytes: ArraySlice<UInt8> = []
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  /// The fields of one message.
  static func fields(_ bytes: ArraySlice<UInt8>) throws -> [Field] {
    var (rest, found) = (bytes, [Field]())
    func varint() throws -> Int {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while let byte = rest.popFirst(), shift < 64 {
        value |= UInt64(byte & 0x7f) << shift
        if byte & 0x80 == 0 { return Int(truncatingIfNeeded: value) }
        shift += 7
      }
      throw Damaged()
    }
    while !rest.isEmpty {
      let tag = try varint()
      var field = Field(number: tag >> 3)
      switch tag & 7 {
      case 0: field.value = try varint()
      case 5:
        field.bytes = rest.prefix(4)
        rest = rest.dropFirst(4)
      case 2:
        let count = try varint()
        guard count <= rest.count else { throw Damaged() }
        field.bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
      default: throw Damaged()
      }
      found.append(field)
    }
    return found
  }
}
