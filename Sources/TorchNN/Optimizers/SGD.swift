public import Torch

/// Stochastic gradient descent with momentum, as `torch.optim.SGD`.
public final class SGD: Optimizer {
  public let momentum: Double
  public let weightDecay: Double
  public let nesterov: Bool
  private var buffers = Slots("momentum_buffer")

  public init(
    _ parameters: [Tensor], learningRate: Double, momentum: Double = 0, weightDecay: Double = 0,
    nesterov: Bool = false
  ) {
    require(!nesterov || momentum > 0, "Nesterov momentum needs a momentum")
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.nesterov = nesterov
    super.init(parameters, learningRate: learningRate)
  }

  public override func update(_ indices: [Int], _ gradients: [Tensor]) {
    guard momentum != 0 else { return apply(Array(zip(indices, gradients)), first: false) }
    // A buffer starts as the gradient itself, so parameters that are new take a step of their own.
    let pairs = Array(zip(indices, gradients))
    let known = pairs.filter { buffers.tensors[$0.0] != nil }
    let new = pairs.filter { buffers.tensors[$0.0] == nil }
    if !new.isEmpty { apply(new, first: true) }
    if !known.isEmpty { apply(known, first: false) }
  }

  private func apply(_ pairs: [(Int, Tensor)], first: Bool) {
    let chosen = pairs.map { parameters[$0.0] }
    let momenta =
      momentum == 0
      ? [] : pairs.map { index, _ in buffers.get(index) { Tensor.zeros(like: parameters[index].detach()) } }
    Fused.sgd(
      chosen, gradients: pairs.map(\.1), momentumBuffers: momenta, learningRate: learningRate, momentum: momentum,
      weightDecay: weightDecay,
      nesterov: nesterov, isFirstStep: first)
  }

  public override func stateDict() -> [(key: String, tensor: Tensor)] { buffers.entries }
  public override func load(state: [String: Tensor]) throws(OptimizerStateError) {
    try noGrad { () throws(OptimizerStateError) in try buffers.load(state, like: parameters) }
  }
}
