/// A model as ONNX files hold it: one graph of operators of the standard operator set. Numbers of fields are those of
/// `onnx.proto`.
public struct ONNXModel: Sendable {
  public enum Attribute: Sendable, Hashable {
    case int(Int)
    case ints([Int])
    case float(Float)
    case text(String)
  }

  /// An operator with the names of what it reads and gives; an input that is left out is "".
  public struct Node: Sendable {
    public var name: String
    public var operation: String
    public var inputs: [String]
    public var outputs: [String]
    public var attributes: [(name: String, value: Attribute)]

    public init(
      _ operation: String, name: String, inputs: [String], outputs: [String],
      attributes: [(name: String, value: Attribute)] = []
    ) {
      (self.operation, self.name, self.inputs, self.outputs) = (operation, name, inputs, outputs)
      self.attributes = attributes
    }
  }

  /// A constant: little-endian bytes in row-major order.
  public struct Tensor: Sendable {
    public enum Kind: Int, Sendable {
      case float32 = 1
      case int64 = 7
    }
    public var name: String
    public var kind: Kind
    public var shape: [Int]
    public var bytes: [UInt8]

    public init(name: String, kind: Kind, shape: [Int], bytes: [UInt8]) {
      (self.name, self.kind, self.shape, self.bytes) = (name, kind, shape, bytes)
    }
  }

  /// Input or output, float32; a size that is open has a name.
  public struct Value: Sendable {
    public enum Size: Sendable {
      case fixed(Int)
      case open(String)
    }
    public var name: String
    public var shape: [Size]

    public init(name: String, shape: [Size]) { (self.name, self.shape) = (name, shape) }
  }

  /// The format's version 8 and operator set 17, which ONNX 1.12 (2022) and later know.
  static let (version, operators) = (8, 17)
  /// Readers of protocol buffers take no message from here on.
  static let mostBytes = Int(Int32.max)

  public var producer = ""
  public var nodes: [Node] = []
  public var tensors: [Tensor] = []
  public var inputs: [Value] = []
  public var outputs: [Value] = []
  public var metadata: [(key: String, value: String)] = []

  public init() {}

  /// - Throws: `FormatError` for a model of more than 2 GiB, which the format cannot hold in one file.
  public func encoded(path: String) throws(FormatError) -> [UInt8] {
    let size = tensors.reduce(0) { $0 + $1.bytes.count }
    guard size < Self.mostBytes - 1 << 24 else {
      throw .malformed(
        path: path, problem: "an ONNX file holds at most 2 GiB, and the weights alone take \(size) bytes",
        fix: "Choose a smaller model, or TorchScript")
    }
    var model = ProtobufWriter()
    model.add(1, Self.version)
    model.add(2, producer)
    model.add(8) {
      $0.add(1, "")
      $0.add(2, Self.operators)
    }
    for (key, value) in metadata {
      model.add(14) {
        $0.add(1, key)
        $0.add(2, value)
      }
    }
    model.add(7) { graph in
      for node in nodes { graph.add(1) { Self.write(node, &$0) } }
      graph.add(2, "classifier")
      for tensor in tensors { graph.add(5) { Self.write(tensor, &$0) } }
      for value in inputs { graph.add(11) { Self.write(value, &$0) } }
      for value in outputs { graph.add(12) { Self.write(value, &$0) } }
    }
    return model.bytes
  }

  private static func write(_ node: Node, _ message: inout ProtobufWriter) {
    for input in node.inputs { message.add(1, input) }
    for output in node.outputs { message.add(2, output) }
    message.add(3, node.name)
    message.add(4, node.operation)
    for (name, value) in node.attributes {
      message.add(5) { attribute in
        attribute.add(1, name)
        switch value {
        case .float(let number):
          attribute.add(2, number)
          attribute.add(20, 1)
        case .int(let number):
          attribute.add(3, number)
          attribute.add(20, 2)
        case .text(let text):
          attribute.add(4, text)
          attribute.add(20, 3)
        case .ints(let numbers):
          for number in numbers { attribute.add(8, number) }
          attribute.add(20, 7)
        }
      }
    }
  }

  private static func write(_ tensor: Tensor, _ message: inout ProtobufWriter) {
    for size in tensor.shape { message.add(1, size) }
    message.add(2, tensor.kind.rawValue)
    message.add(8, tensor.name)
    message.add(9, tensor.bytes)
  }

  private static func write(_ value: Value, _ message: inout ProtobufWriter) {
    message.add(1, value.name)
    message.add(2) { type in
      type.add(1) { tensor in
        tensor.add(1, Tensor.Kind.float32.rawValue)
        tensor.add(2) { shape in
          for size in value.shape {
            shape.add(1) {
              switch size {
              case .fixed(let count): $0.add(1, count)
              case .open(let name): $0.add(2, name)
              }
            }
          }
        }
      }
    }
  }
}
