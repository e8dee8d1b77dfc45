// Gradients of single samples, vectorised: one backward pass to the layers' outputs gives every sample's gradient there,
// and with the layers' inputs the norms of all samples' weight gradients, layer by layer, without keeping them. A second
// backward pass of the losses, each weighted by its clipping factor, is the sum of the clipped gradients. (Goodfellow,
// Efficient Per-Example Gradient Computations, 2015; Lee and Kifer, 2020, for convolutions.)

package import Backdoor
package import Torch
package import TorchNN

package struct PerSampleClipping {
  package let parameters: [Tensor]
  /// Layers with parameters.
  private let layerCount: Int

  /// - Throws: `DefenseError` for a model with parameters whose gradients of single samples are not known here.
  package init(_ model: Module, id: String) throws(DefenseError) {
    parameters = model.parameters()
    var count = 0
    for (path, module) in model.modules() {
      let own = module.namedParameters().count - module.children.reduce(0) { $0 + $1.module.namedParameters().count }
      guard own > 0 else { continue }
      switch module {
      case let layer as Conv2d where layer.groups == 1: count += 1
      case is Linear: count += 1
      case let layer as BatchNorm2d where layer.groups != nil: count += 1
      default:
        throw .invalid(
          "defense \(id): gradients of single samples are known for convolutions without groups, linear layers and "
            + "group normalisation, and \(path.isEmpty ? "the model itself" : "\(path) of the model") is a "
            + "\(type(of: module)) with parameters of its own. Choose another model.")
      }
    }
    layerCount = count
  }

  /// The sum over the batch of gradients that are scaled down to a 2-norm of at most `bound` each.
  /// - Parameter losses: the forward pass, to one loss a sample (float B); each layer is used once.
  /// - Returns: one gradient for each parameter; the losses; the norms before clipping, float32 B.
  package func callAsFunction(bound: Double, _ losses: () -> Tensor) -> (
    gradients: [Tensor], losses: Tensor, norms: Tensor
  ) {
    let (values, trace) = LayerTrace.recording(losses)
    let seen = trace.calls
    require(
      seen.count == layerCount && Set(seen.map { ObjectIdentifier($0.layer) }).count == layerCount,
      "PerSampleClipping: a layer was used more than once, or not at all")
    let atOutputs = gradients(of: [values.sum()], at: seen.map(\.output), retainGraph: true)
    let norms = noGrad {
      zip(seen, atOutputs).reduce(Tensor.zeros([values.count], device: values.device)) { sum, entry in
        sum + Self.squaredNorms(entry.0.layer, entry.0.input.detach().to(.float32), entry.1.to(.float32))
      }.sqrt()
    }
    let factors = noGrad { (norms.clamped(min: 1e-12).reciprocal() * bound).clamped(max: 1) }
    return (gradients(of: [(values * factors).sum()], at: parameters), values.detach(), norms)
  }

  /// Squared 2-norms of each sample's gradient of the layer's parameters, float32 B.
  private static func squaredNorms(_ layer: Module, _ x: Tensor, _ g: Tensor) -> Tensor {
    switch layer {
    case let layer as Linear:
      // The gradient is an outer product.
      let outer = g.square().sum([1])
      return outer * x.square().sum([1]) + (layer.bias == nil ? outer * 0 : outer)
    case let layer as Conv2d:
      let (height, width) = (g.dimension(2), g.dimension(3))
      let flat = g.flattened(2)
      let padded = x.padded([layer.padding, layer.padding, layer.padding, layer.padding])
      var sum = layer.bias == nil ? Tensor.zeros([x.dimension(0)], device: x.device) : flat.sum([2]).square().sum([1])
      // One product of matrices for each of the kernel's places.
      for row in 0..<layer.weight.dimension(2) {
        let rows = padded.narrowed(2, row..<(row + layer.stride * (height - 1) + 1), step: layer.stride)
        for column in 0..<layer.weight.dimension(3) {
          let part = rows.narrowed(3, column..<(column + layer.stride * (width - 1) + 1), step: layer.stride)
          sum = sum + flat.matmul(part.flattened(2).transposed(1, 2)).square().sum([1, 2])
        }
      }
      return sum
    case let layer as BatchNorm2d:
      let groups = BatchNorm2d.divisor(layer.groups ?? 1, of: layer.weight.count)
      let normalized = F.groupNorm(x, groups: groups, weight: nil, bias: nil, eps: layer.eps)
      return (g * normalized).sum([2, 3]).square().sum([1]) + g.sum([2, 3]).square().sum([1])
    default: preconditionFailure("PerSampleClipping: \(type(of: layer))")
    }
  }
}
