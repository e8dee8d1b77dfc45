import Formats
import Torch

/// Translates the operations of a traced model to ONNX, one after another.
///
/// Nothing depends on the number of images: the traced batch has two, and shapes of the graph keep their first
/// dimension as it comes.
struct ONNXGraph {
  typealias Argument = TracedGraph.Argument
  typealias Attribute = ONNXModel.Attribute

  private let graph: TracedGraph
  private let path: String
  private(set) var model = ONNXModel()
  /// What ONNX calls an operation's output.
  private var names: [Argument: String] = [.input: "images"]
  private var shapes: [Argument: Shape]
  private var constants = 0
  private var weights: [Argument: Tensor] = [:]

  /// - Parameters:
  ///   - state: the named tensors of the graph, under the names that they keep.
  ///   - input: the shape of the traced input.
  /// - Throws: `ModelExportError` for an operation that has no translation.
  init(
    _ graph: TracedGraph, state: [(key: String, tensor: Tensor)], input: Shape, path: String
  ) throws {
    (self.graph, self.path) = (graph, path)
    shapes = [.input: input]
    for (key, tensor) in state {
      weights[.named(key)] = tensor
      shapes[.named(key)] = tensor.shape
    }
    for operation in graph.operations {
      if let shape = operation.shape { shapes[.value(operation.output)] = shape }
      try translate(operation)
    }
    let output = try name(graph.result)
    model.nodes.append(ONNXModel.Node("Identity", name: "logits", inputs: [output], outputs: ["logits"]))
  }

  // MARK: Values

  /// What ONNX calls a value; named tensors and constants become part of the model at their first use.
  private mutating func name(_ argument: Argument) throws -> String {
    if let name = names[argument] { return name }
    let name: String
    switch argument {
    case .named(let key):
      guard let tensor = weights[argument] else {
        throw ModelExportError(path, "the graph reads \(key), which is unknown")
      }
      name = key
      add(tensor, name)
    case .constant(let index): return constant(graph.constant(index))
    case .int(let value): return constant(Tensor(Double(value)))
    case .double(let value): return constant(Tensor(value))
    case .none: return ""
    default: throw ModelExportError(path, "the graph reads \(argument), which is no tensor")
    }
    names[argument] = name
    return name
  }

  private mutating func add(_ tensor: Tensor, _ name: String) {
    let isInteger = tensor.dtype == .int64
    let stored = noGrad { (isInteger ? tensor : tensor.to(.float32)).contiguous() }
    model.tensors.append(
      ONNXModel.Tensor(
        name: name, kind: isInteger ? .int64 : .float32, shape: stored.shape, bytes: stored.withBytes { Array($0) }))
  }

  private mutating func constant(_ tensor: Tensor) -> String {
    constants += 1
    let name = "constant_\(constants)"
    add(tensor, name)
    return name
  }
  private mutating func integers(_ values: [Int]) -> String { constant(Tensor(values.map(Int64.init))) }

  private func shape(_ argument: Argument) throws -> Shape {
    if case .constant(let index) = argument { return graph.constant(index).shape }
    guard let shape = shapes[argument] else { throw ModelExportError(path, "the shape of \(argument) is not known") }
    return shape
  }

  private func int(_ argument: Argument) throws -> Int {
    guard case .int(let value) = argument else { throw ModelExportError(path, "\(argument) is no whole number") }
    return value
  }
  private func number(_ argument: Argument) throws -> Double {
    switch argument {
    case .int(let value): return Double(value)
    case .double(let value): return value
    default: throw ModelExportError(path, "\(argument) is no number")
    }
  }
  private func ints(_ argument: Argument) throws -> [Int] {
    guard case .list(let values) = argument else { throw ModelExportError(path, "\(argument) is no list") }
    return try values.map(int)
  }

  /// Two sizes, of which LibTorch keeps one where they are equal.
  private func pair(_ argument: Argument) throws -> [Int] {
    let values = try ints(argument)
    return values.count == 1 ? values + values : values
  }

  // MARK: Operators

  /// Adds an operator and returns the name of its output.
  @discardableResult
  private mutating func emit(
    _ operation: String, _ inputs: [String], _ attributes: [(name: String, value: Attribute)] = [],
    to output: String? = nil
  ) -> String {
    let name = output ?? "\(operation.lowercased())_\(model.nodes.count)"
    model.nodes.append(ONNXModel.Node(operation, name: name, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }

  private mutating func translate(_ operation: TracedGraph.Operation) throws {
    let a = operation.arguments
    let kind = operation.kind.hasPrefix("aten::") ? String(operation.kind.dropFirst(6)) : operation.kind
    let result: String
    switch kind {
    case "relu", "sigmoid", "tanh":
      result = emit(kind.prefix(1).uppercased() + kind.dropFirst(), [try name(a[0])])
    case "silu":
      let x = try name(a[0])
      result = emit("Mul", [x, emit("Sigmoid", [x])])
    case "gelu": result = try gelu(a)
    case "leaky_relu":
      result = emit("LeakyRelu", [try name(a[0])], [("alpha", .float(Float(try number(a[1]))))])
    case "clamp", "hardtanh": result = emit("Clip", [try name(a[0]), try name(a[1]), try name(a[2])])
    case "add", "sub":
      guard a.count < 3 || (try? number(a[2])) == 1 else { throw unknown(operation) }
      result = emit(kind == "add" ? "Add" : "Sub", [try name(a[0]), try name(a[1])])
    case "mul": result = emit("Mul", [try name(a[0]), try name(a[1])])
    case "div": result = emit("Div", [try name(a[0]), try name(a[1])])
    case "_convolution": result = try convolution(a, operation)
    case "batch_norm":
      guard a[5] == .bool(false) else { throw unknown(operation) }
      result = emit(
        "BatchNormalization", try a[0...4].map { try name($0) }, [("epsilon", .float(Float(try number(a[7]))))])
    case "group_norm": result = try groupNorm(a)
    case "layer_norm":
      result = emit(
        "LayerNormalization", [try name(a[0]), try name(a[2]), try name(a[3])],
        [("axis", .int(-(try ints(a[1]).count))), ("epsilon", .float(Float(try number(a[4]))))])
    case "linear": result = try linear(a)
    case "matmul": result = emit("MatMul", [try name(a[0]), try name(a[1])])
    case "softmax": result = emit("Softmax", [try name(a[0])], [("axis", .int(try int(a[1])))])
    case "scaled_dot_product_attention": result = try attention(a, operation)
    case "max_pool2d", "avg_pool2d": result = try pool(kind, a, operation)
    case "adaptive_avg_pool2d": result = try adaptivePool(a)
    case "upsample_bilinear2d": result = try resize(a)
    case "mean":
      result = emit(
        "ReduceMean", [try name(a[0])],
        [("axes", .ints(try ints(a[1]))), ("keepdims", .int(a[2] == .bool(true) ? 1 : 0))])
    case "flatten", "reshape", "view": result = try reshape(operation)
    case "permute": result = emit("Transpose", [try name(a[0])], [("perm", .ints(try positive(ints(a[1]), of: a[0])))])
    case "transpose": result = try transpose(a)
    case "select":
      result = emit(
        "Gather", [try name(a[0]), constant(Tensor([Int64(try int(a[2]))], shape: []))], [("axis", .int(try int(a[1])))]
      )
    case "slice":
      let end = a[3] == .none ? Int.max : try int(a[3])
      result = emit(
        "Slice",
        [
          try name(a[0]), integers([a[2] == .none ? 0 : try int(a[2])]), integers([end]), integers([try int(a[1])]),
          integers([try int(a[4])]),
        ])
    case "flip":
      result = try positive(ints(a[1]), of: a[0]).reduce(name(a[0])) { image, dimension in
        let last = try shape(a[0])[dimension] - 1
        return emit("Gather", [image, integers((0...last).reversed())], [("axis", .int(dimension))])
      }
    case "cat":
      guard case .list(let parts) = a[0] else { throw unknown(operation) }
      result = emit("Concat", try parts.map { try name($0) }, [("axis", .int(try int(a[1])))])
    case "pad", "constant_pad_nd": result = try pad(a, operation)
    case "to", "contiguous", "detach", "alias", "clone": result = try name(a[0])
    default: throw unknown(operation)
    }
    names[.value(operation.output)] = result
  }

  private func unknown(_ operation: TracedGraph.Operation) -> ModelExportError {
    ModelExportError(
      path,
      "the operation \(operation.kind) of the model with \(operation.arguments.dropFirst()) has no translation to ONNX")
  }

  private mutating func gelu(_ a: [Argument]) throws -> String {
    let x = try name(a[0])
    guard a.count < 2 || a[1] == .text("none") else {
      throw ModelExportError(path, "GELU's approximations are not known")
    }
    let erf = emit("Erf", [emit("Mul", [x, constant(Tensor(0.5.squareRoot()))])])
    return emit("Mul", [emit("Mul", [x, constant(Tensor(0.5))]), emit("Add", [erf, constant(Tensor(1))])])
  }

  private mutating func convolution(_ a: [Argument], _ operation: TracedGraph.Operation) throws -> String {
    guard a[6] == .bool(false) else { throw unknown(operation) }
    let padding = try pair(a[4])
    return emit(
      "Conv", [try name(a[0]), try name(a[1])] + (a[2] == .none ? [] : [try name(a[2])]),
      [
        ("kernel_shape", .ints(Array(try shape(a[1]).suffix(2)))), ("strides", .ints(try pair(a[3]))),
        ("pads", .ints(padding + padding)), ("dilations", .ints(try pair(a[5]))), ("group", .int(try int(a[8]))),
      ])
  }

  /// Operator set 17 has no group normalisation: each group becomes one channel of an instance normalisation.
  private mutating func groupNorm(_ a: [Argument]) throws -> String {
    let (groups, shape) = (try int(a[1]), try shape(a[0]))
    let parts = emit("Reshape", [try name(a[0]), integers([0, groups, -1])])
    let normal = emit(
      "InstanceNormalization", [parts, constant(.ones([groups])), constant(.zeros([groups]))],
      [("epsilon", .float(Float(try number(a[4]))))])
    let whole = emit("Reshape", [normal, integers([0] + shape.dropFirst())])
    let aligned = integers([1, shape[1]] + shape.dropFirst(2).map { _ in 1 })
    return emit(
      "Add",
      [
        emit("Mul", [whole, emit("Reshape", [try name(a[2]), aligned])]), emit("Reshape", [try name(a[3]), aligned]),
      ])
  }

  private mutating func linear(_ a: [Argument]) throws -> String {
    let (x, weight) = (try name(a[0]), try name(a[1]))
    let bias = a[2] == .none ? nil : try name(a[2])
    if try shape(a[0]).count == 2 {
      return emit("Gemm", [x, weight] + (bias.map { [$0] } ?? []), [("transB", .int(1))])
    }
    let product = emit("MatMul", [x, emit("Transpose", [weight], [("perm", .ints([1, 0]))])])
    return bias.map { emit("Add", [product, $0]) } ?? product
  }

  private mutating func attention(_ a: [Argument], _ operation: TracedGraph.Operation) throws -> String {
    guard a[3] == .none, a.count < 6 || a[5] == .bool(false), a.count < 7 || a[6] == .none else {
      throw unknown(operation)
    }
    let (query, key, value) = (try name(a[0]), try name(a[1]), try name(a[2]))
    let scale = constant(Tensor(1 / Double(try shape(a[0])[3]).squareRoot()))
    let turned = emit("Transpose", [key], [("perm", .ints([0, 1, 3, 2]))])
    let shares = emit("Softmax", [emit("Mul", [emit("MatMul", [query, turned]), scale])], [("axis", .int(-1))])
    return emit("MatMul", [shares, value])
  }

  private mutating func pool(_ kind: String, _ a: [Argument], _ operation: TracedGraph.Operation) throws -> String {
    let isMaximum = kind == "max_pool2d"
    let stride = try pair(a[2])
    let padding = try pair(a[3])
    let roundsUp = a[isMaximum ? 5 : 4] == .bool(true)
    guard !roundsUp, try !isMaximum || pair(a[4]) == [1, 1], isMaximum || a[6] == .none else {
      throw unknown(operation)
    }
    let attributes: [(name: String, value: Attribute)] = [
      ("kernel_shape", .ints(try pair(a[1]))), ("strides", .ints(stride.isEmpty ? try pair(a[1]) : stride)),
      ("pads", .ints(padding + padding)),
    ]
    return isMaximum
      ? emit("MaxPool", [try name(a[0])], attributes)
      : emit(
        "AveragePool", [try name(a[0])],
        attributes + [("count_include_pad", .int(a[5] == .bool(true) ? 1 : 0))])
  }

  private mutating func adaptivePool(_ a: [Argument]) throws -> String {
    let (size, shape) = (try pair(a[1]), try shape(a[0]))
    if size == [1, 1] { return emit("GlobalAveragePool", [try name(a[0])]) }
    return try separable(a[0], size) { F.adaptiveAvgPool2d($0, $1, shape[$2]) }
  }

  private mutating func resize(_ a: [Argument]) throws -> String {
    let shape = try shape(a[0])
    let aligned = a[2] == .bool(true)
    return try separable(a[0], ints(a[1])) {
      F.interpolate($0, height: $1, width: shape[$2], alignCorners: aligned)
    }
  }

  /// A linear map of rows and one of columns, as products of matrices, which any sizes allow.
  /// - Parameter map: gives images another number of rows; the third argument is the dimension that they stand for.
  private mutating func separable(
    _ x: Argument, _ size: [Int], _ map: (_ images: Tensor, _ rows: Int, _ dimension: Int) -> Tensor
  ) throws -> String {
    let (input, shape) = (try name(x), try shape(x))
    let matrices = noGrad {
      (0..<2).map { map(Tensor.eye(shape[$0 + 2]).unsqueezed(0).unsqueezed(0), size[$0], $0 + 2)[0][0] }
    }
    let rows = emit("MatMul", [constant(matrices[0]), input])
    return emit("MatMul", [rows, constant(noGrad { matrices[1].transposed(0, 1).contiguous() })])
  }

  /// The traced output's shape, with the number of images left open.
  private mutating func reshape(_ operation: TracedGraph.Operation) throws -> String {
    let (from, to) = (try shape(operation.arguments[0]), try shape(.value(operation.output)))
    guard to.first == from.first else { throw unknown(operation) }
    return emit("Reshape", [try name(operation.arguments[0]), integers([0] + to.dropFirst())])
  }

  private func positive(_ dimensions: [Int], of x: Argument) throws -> [Int] {
    let rank = try shape(x).count
    return dimensions.map { $0 < 0 ? $0 + rank : $0 }
  }

  private mutating func transpose(_ a: [Argument]) throws -> String {
    let pair = try positive([int(a[1]), int(a[2])], of: a[0])
    var order = Array(try shape(a[0]).indices)
    order.swapAt(pair[0], pair[1])
    return emit("Transpose", [try name(a[0])], [("perm", .ints(order))])
  }

  private mutating func pad(_ a: [Argument], _ operation: TracedGraph.Operation) throws -> String {
    let isConstant = operation.kind == "aten::constant_pad_nd" || a[2] == .text("constant")
    guard isConstant else { throw unknown(operation) }
    let pads = try ints(a[1])
    let rank = try shape(a[0]).count
    var (begins, ends) = ([Int](repeating: 0, count: rank), [Int](repeating: 0, count: rank))
    for index in 0..<(pads.count / 2) {
      (begins[rank - 1 - index], ends[rank - 1 - index]) = (pads[2 * index], pads[2 * index + 1])
    }
    let value = a[a.count - 1] == .none ? 0 : try number(a[a.count - 1])
    return emit("Pad", [try name(a[0]), integers(begins + ends), constant(Tensor(value))])
  }
}
