import CTorch
import Foundation

/// The operations of a computation in their order, as LibTorch's tracer sees them, under the names of PyTorch's
/// operators. What Swift code computes with numbers and shapes is constant in it.
public final class TracedGraph {
  /// What an operation reads.
  public indirect enum Argument: Hashable, Sendable {
    /// The input of the computation.
    case input
    /// What an operation has given.
    case value(Int)
    /// A named tensor.
    case named(String)
    /// Another tensor, by its place among the constants.
    case constant(Int)
    case int(Int)
    case double(Double)
    case bool(Bool)
    case text(String)
    case list([Argument])
    case none
  }

  public struct Operation: Sendable {
    /// `aten::relu`
    public let kind: String
    /// The number that later arguments call it by.
    public let output: Int
    /// The output's shape for the input that was traced; nil for what is no tensor.
    public let shape: Shape?
    public let arguments: [Argument]
  }

  public let operations: [Operation]
  public let result: Argument
  private let handle: CTGraph

  /// - Parameters:
  ///   - input: an example of what the computation reads.
  ///   - parameters, buffers: the tensors of the graph that have names; no two are the same.
  /// - Throws: `TorchError` for what the tracer cannot follow.
  public init(
    input: Tensor, parameters: [(key: String, tensor: Tensor)], buffers: [(key: String, tensor: Tensor)],
    _ forward: (Tensor) -> Tensor
  ) throws(TorchError) {
    let named = parameters + buffers
    let handle = withoutActuallyEscaping(forward) { forward in
      let call = Call(forward)
      let names = named.map { strdup($0.key) }
      defer { for name in names { free(name) } }
      // LibTorch holds only pointers to these.
      return withExtendedLifetime((named, call)) {
        ct_trace(
          input.handle, names.map { UnsafePointer($0) }, named.map { $0.tensor.handle },
          named.indices.map { $0 < parameters.count }, Int64(named.count),
          { context, input in
            guard let context else { return nil }
            let call = Unmanaged<Call>.fromOpaque(context).takeUnretainedValue()
            let result = call.forward(Tensor(owning: input))
            call.result = result
            return result.handle
          }, Unmanaged.passUnretained(call).toOpaque())
      }
    }
    guard let handle else { throw TorchError("tracing: \(lastErrorMessage())") }
    self.handle = handle
    var operations: [Operation] = []
    var result = Argument.none
    for line in String(cString: ct_graph_text(handle)).split(separator: "\n") {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      let arguments = fields.dropFirst(2).map { Self.argument($0) }
      guard fields[0] != "return" else {
        result = arguments.first ?? .none
        continue
      }
      let output = fields[1].split(separator: ":", omittingEmptySubsequences: false)
      operations.append(
        Operation(
          kind: String(fields[0]), output: output.first.flatMap { Int($0.dropFirst()) } ?? -1,
          shape: output.last.flatMap { $0.isEmpty ? nil : $0.split(separator: "x").compactMap { Int($0) } },
          arguments: arguments))
    }
    (self.operations, self.result) = (operations, result)
  }
  deinit { ct_graph_release(handle) }

  /// The tensor of `Argument.constant`.
  public func constant(_ index: Int) -> Tensor { made(ct_graph_constant(handle, Int64(index)), "constant") }

  /// Writes the computation as TorchScript, which `torch.jit.load` reads, with the named tensors under their names.
  /// - Throws: `TorchError` where the file cannot be written.
  public func saveTorchScript(_ path: String) throws(TorchError) {
    guard ct_graph_save(handle, path) == 0 else { throw TorchError("\(path): \(lastErrorMessage())") }
  }

  private final class Call {
    let forward: (Tensor) -> Tensor
    var result: Tensor?
    init(_ forward: @escaping (Tensor) -> Tensor) { self.forward = forward }
  }

  private static func argument(_ text: Substring) -> Argument {
    let rest = text.dropFirst()
    switch text.first {
    case "%": return Int(rest).map { .value($0) } ?? .input
    case "@": return .named(String(rest))
    case "#": return Int(rest).map { .constant($0) } ?? .none
    case "\"": return .text(String(rest.dropLast()))
    case "[": return .list(rest.dropLast().split(separator: " ").map { argument($0) })
    default: break
    }
    switch text {
    case "none": return .none
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: return Int(text).map { .int($0) } ?? Double(text).map { .double($0) } ?? .text(String(text))
    }
  }
}
