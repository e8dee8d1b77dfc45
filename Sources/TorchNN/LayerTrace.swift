public import Torch

/// What the layers with weights read and gave during one forward pass, in the order of their calls. From it and from
/// the graph of gradients follows which layer reads which, whatever the order in which a network declares them, and
/// with the gradient at a layer's output the gradient of every single sample.
///
/// Convolutions, linear layers and `BatchNorm2d` take part.
public final class LayerTrace: @unchecked Sendable {
  public struct Call {
    public let layer: Module
    public let input: Tensor
    /// Of a `BatchNorm2d` with its ReLU in one, after the ReLU; of one with groups, before it. What the network adds
    /// to it in place is in it.
    public let output: Tensor
  }

  public private(set) var calls: [Call] = []

  // Read on the thread that records, as tensors are.
  @TaskLocal private static var current: LayerTrace?

  /// Runs `body` and notes what is called in it on this thread.
  public static func recording<R>(_ body: () throws -> R) rethrows -> (result: R, trace: LayerTrace) {
    let trace = LayerTrace()
    return (try $current.withValue(trace) { try body() }, trace)
  }

  /// Notes a call if somebody records, and returns its output.
  static func noting(_ layer: Module, _ input: Tensor, _ output: Tensor) -> Tensor {
    current?.calls.append(Call(layer: layer, input: input, output: output))
    return output
  }
}
