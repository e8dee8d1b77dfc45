public import Torch

/// Adam, and AdamW with `decoupledWeightDecay`, as `torch.optim.Adam` and `AdamW`.
public final class Adam: Optimizer {
  public let betas: (Double, Double)
  public let eps: Double
  public let weightDecay: Double
  public let amsgrad: Bool
  public let decoupledWeightDecay: Bool
  private var averages = Slots("exp_avg")
  private var squares = Slots("exp_avg_sq")
  private var maxima = Slots("max_exp_avg_sq")
  private var steps = Slots("step")

  public init(
    _ parameters: [Tensor], learningRate: Double, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
    weightDecay: Double = 0,
    amsgrad: Bool = false, decoupledWeightDecay: Bool = false
  ) {
    self.betas = betas
    self.eps = eps
    self.weightDecay = weightDecay
    self.amsgrad = amsgrad
    self.decoupledWeightDecay = decoupledWeightDecay
    super.init(parameters, learningRate: learningRate)
  }

  public override func update(_ indices: [Int], _ gradients: [Tensor]) {
    func slots(_ slots: inout Slots) -> [Tensor] {
      indices.map { index in slots.get(index) { Tensor.zeros(like: parameters[index].detach()) } }
    }
    let counts = indices.map { index in steps.get(index) { Tensor(0, device: parameters[index].device) } }
    Fused.add(counts, 1)
    Fused.adam(
      indices.map { parameters[$0] }, gradients: gradients, averages: slots(&averages), squareAverages: slots(&squares),
      maxSquareAverages: amsgrad ? slots(&maxima) : [], steps: counts, learningRate: learningRate, beta1: betas.0,
      beta2: betas.1,
      weightDecay: weightDecay, eps: eps, decoupled: decoupledWeightDecay)
  }

  public override func stateDict() -> [(key: String, tensor: Tensor)] {
    averages.entries + squares.entries + maxima.entries + steps.entries
  }
  public override func load(state: [String: Tensor]) throws(OptimizerStateError) {
    try noGrad { () throws(OptimizerStateError) in
      try averages.load(state, like: parameters)
      try squares.load(state, like: parameters)
      try maxima.load(state, like: parameters)
      try steps.load(state, like: parameters, scalar: true)
    }
  }
}
