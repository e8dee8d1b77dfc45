// Gradients of single samples, vectorised: one backward pass to the layers' outputs gives every sample's gradient there,
// and with the layers' inputs the norms of all samples' weight gradients, layer by layer. Where a layer's norms were had
// by way of the gradients, these are kept, as far as there is room, and summed with their samples' clipping factors. Of
// other layers the sum is the layer's own gradient, of outputs that are weighted by those factors: no second way through
// the network. (Goodfellow, Efficient Per-Example Gradient Computations, 2015; Lee and Kifer, 2020, for convolutions; Li
// et al., Large Language Models Can Be Strong Differentially Private Learners, 2022, for norms by products of places.)

package import Backdoor
package import Torch
package import TorchNN

package struct PerSampleClipping {
  package let parameters: [Tensor]
  /// How many numbers of single samples' gradients are kept until the norms are known: 256 MB.
  package var keptNumbers = 1 << 26
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
    // Gradients of single samples that were computed for their norms, B x ... each, by their parameter.
    var single: [ObjectIdentifier: Tensor] = [:]
    var room = keptNumbers
    let norms = noGrad {
      zip(seen, atOutputs).reduce(Tensor.zeros([values.count], device: values.device)) { sum, entry in
        let (x, g) = (entry.0.input.detach().to(.float32), entry.1.to(.float32))
        let (squared, own) = Self.squaredNorms(entry.0.layer, x, g)
        for (parameter, gradients) in own where gradients.count <= room {
          single[ObjectIdentifier(parameter)] = gradients
          room -= gradients.count
        }
        return sum + squared
      }.sqrt()
    }
    let factors = noGrad { (norms.clamped(min: 1e-12).reciprocal() * bound).clamped(max: 1) }
    var sums: [ObjectIdentifier: Tensor] = [:]
    noGrad {
      for parameter in parameters {
        guard let gradients = single[ObjectIdentifier(parameter)] else { continue }
        sums[ObjectIdentifier(parameter)] =
          factors.unsqueezed(0).matmul(gradients.reshaped(factors.count, -1)).reshaped(parameter.shape)
      }
    }
    // The other layers, each by itself: what stands behind its output is not computed again.
    for (call, atOutput) in zip(seen, atOutputs) {
      let own = call.layer.parameters().filter { sums[ObjectIdentifier($0)] == nil }
      if own.isEmpty { continue }
      // In float32: a factor that is rounded to bfloat16 could leave a gradient longer than the bound.
      let weighted = noGrad {
        let factors = factors.reshaped([factors.count] + [Int](repeating: 1, count: atOutput.rank - 1))
        return (atOutput.to(.float32) * factors).to(atOutput.dtype)
      }
      let found = gradientsIfAny(of: [call.output], at: own, seeds: [weighted], retainGraph: true)
      for (parameter, gradient) in zip(own, found) { sums[ObjectIdentifier(parameter)] = gradient }
    }
    return (parameters.map { sums[ObjectIdentifier($0)] ?? Tensor.zeros(like: $0.detach()) }, values.detach(), norms)
  }

  /// Squared 2-norms of each sample's gradient of the layer's parameters, float32 B, and those gradients that had to be
  /// computed for it.
  private static func squaredNorms(_ layer: Module, _ x: Tensor, _ g: Tensor) -> (
    norms: Tensor, single: [(parameter: Tensor, gradients: Tensor)]
  ) {
    switch layer {
    case let layer as Linear:
      // The gradient is an outer product.
      let outer = g.square().sum([1])
      return (outer * x.square().sum([1]) + (layer.bias == nil ? outer * 0 : outer), [])
    case let layer as BatchNorm2d:
      let (scale, shift) = ((g * normalized(layer, x)).sum([2, 3]), g.sum([2, 3]))
      return (scale.square().sum([1]) + shift.square().sum([1]), [(layer.weight, scale), (layer.bias, shift)])
    case let layer as Conv2d:
      let bias = layer.bias.map { (parameter: $0.wrappedValue, gradients: g.sum([2, 3])) }
      let (norms, weights) = squaredWeightNorms(layer, x, g)
      let single = weights.map { [(parameter: layer.weight, gradients: $0)] } ?? []
      guard let bias else { return (norms, single) }
      return (norms + bias.gradients.square().sum([1]), single + [bias])
    default: preconditionFailure("PerSampleClipping: \(type(of: layer))")
    }
  }

  /// The layer's output without its scale and shift.
  private static func normalized(_ layer: BatchNorm2d, _ x: Tensor) -> Tensor {
    let groups = BatchNorm2d.divisor(layer.groups ?? 1, of: layer.weight.count)
    return F.groupNorm(x, groups: groups, weight: nil, bias: nil, eps: layer.eps)
  }

  /// Squared 2-norms of each sample's gradient of a convolution's weight, float32 B, by the cheapest of three ways, and
  /// the gradients, B x ..., where that way has them.
  private static func squaredWeightNorms(_ layer: Conv2d, _ x: Tensor, _ g: Tensor) -> (
    norms: Tensor, single: Tensor?
  ) {
    let (batch, outputs, inputs) = (g.dimension(0), g.dimension(1), x.dimension(1))
    let (height, width) = (layer.weight.dimension(2), layer.weight.dimension(3))
    let places = g.dimension(2) * g.dimension(3)
    let patch = inputs * height * width
    // The gradient is G^T X, with a row of each for each place of the output: its squared norm is the sum of the
    // products of G G^T and X X^T. Measured on a CPU: faster up to twice the multiplications.
    if places * (patch + outputs) <= 2 * patch * outputs {
      let rows = windows(layer, x, of: g).map { $0.permuted(0, 2, 3, 1).reshaped(batch, places, inputs) }
      let seen = Tensor.concatenated(rows, 2)
      let given = g.permuted(0, 2, 3, 1).reshaped(batch, places, outputs)
      return ((seen.matmul(seen.transposed(1, 2)) * given.matmul(given.transposed(1, 2))).sum([1, 2]), nil)
    }
    // A CPU computes the gradients themselves fastest, as those of one convolution with a group for each sample.
    if !x.device.isCUDA {
      let all = F.conv2dWeightGradient(
        x.contiguous().reshaped(1, batch * inputs, x.dimension(2), x.dimension(3)),
        output: g.contiguous().reshaped(1, batch * outputs, g.dimension(2), g.dimension(3)), height: height,
        width: width, stride: layer.stride, padding: layer.padding, groups: batch)
      let single = all.reshaped(batch, -1)
      return (single.square().sum([1]), single)
    }
    let flat = g.flattened(2)
    let norms = windows(layer, x, of: g).reduce(Tensor.zeros([batch], device: x.device)) {
      $0 + flat.matmul($1.flattened(2).transposed(1, 2)).square().sum([1, 2])
    }
    return (norms, nil)
  }

  /// What each place of the kernel reads for all places of the output, B x Cin x H x W each.
  private static func windows(_ layer: Conv2d, _ x: Tensor, of g: Tensor) -> [Tensor] {
    let padded = x.padded([layer.padding, layer.padding, layer.padding, layer.padding])
    func span(_ first: Int, _ count: Int) -> Range<Int> { first..<(first + layer.stride * (count - 1) + 1) }
    return (0..<layer.weight.dimension(2)).flatMap { row in
      let rows = padded.narrowed(2, span(row, g.dimension(2)), step: layer.stride)
      return (0..<layer.weight.dimension(3)).map {
        rows.narrowed(3, span($0, g.dimension(3)), step: layer.stride)
      }
    }
  }
}
