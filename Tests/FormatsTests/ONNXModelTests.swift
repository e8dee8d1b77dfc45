import Testing

@testable import Formats

/// Bytes by the encoding rules of protocol buffers, worked by hand.
@Suite struct ONNXModelTests {
  @Test func fields() {
    var message = ProtobufWriter()
    message.add(1, 150)
    message.add(2, -1)
    message.add(3, Float(1))
    message.add(4, "hi")
    message.add(20) { $0.add(1, 1) }
    #expect(
      message.bytes == [
        0x08, 0x96, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x1d, 0, 0, 0x80, 0x3f,
        0x22,
        2, 0x68, 0x69, 0xa2, 0x01, 2, 0x08, 0x01,
      ])
  }

  @Test func aSmallModel() throws {
    var model = ONNXModel()
    model.producer = "p"
    model.nodes = [
      ONNXModel.Node("Relu", name: "n", inputs: ["x"], outputs: ["y"], attributes: [("a", .ints([2, 3]))])
    ]
    model.tensors = [ONNXModel.Tensor(name: "w", kind: .int64, shape: [1], bytes: [7, 0, 0, 0, 0, 0, 0, 0])]
    model.inputs = [ONNXModel.Value(name: "x", shape: [.open("N"), .fixed(4)])]
    let node: [UInt8] =
      [10, 1, 0x78, 18, 1, 0x79, 26, 1, 0x6e, 34, 4, 0x52, 0x65, 0x6c, 0x75]
      + [42, 10, 10, 1, 0x61, 64, 2, 64, 3, 0xa0, 1, 7]
    let tensor: [UInt8] = [8, 1, 16, 7, 66, 1, 0x77, 74, 8, 7, 0, 0, 0, 0, 0, 0, 0]
    let value: [UInt8] = [10, 1, 0x78, 18, 15, 10, 13, 8, 1, 18, 9, 10, 3, 18, 1, 0x4e, 10, 2, 8, 4]
    let graph: [UInt8] =
      [10, UInt8(node.count)] + node + [18, 10] + Array("classifier".utf8) + [42, UInt8(tensor.count)] + tensor
      + [90, UInt8(value.count)] + value
    let head: [UInt8] = [8, 8, 18, 1, 0x70, 66, 4, 10, 0, 16, 17]
    #expect(try model.encoded(path: "m") == head + [58, UInt8(graph.count)] + graph)
  }
}
