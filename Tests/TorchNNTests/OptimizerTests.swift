import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN

/// Three steps of every optimizer against Python torch, with the state after them.
@Suite struct OptimizerGoldenTests {
  @Test(arguments: Golden.cases("optimizers")) func agrees(_ name: String) throws {
    let golden = try Golden("optimizers")
    let settings = golden.settings(of: name)
    let parameters = [pattern([3, 4], 0).requiresGrad_(), pattern([5], 1).requiresGrad_()]
    let optimizer = try #require(makeOptimizer(settings, parameters), "no test for \(name)")
    for step in 0..<3 {
      for (k, parameter) in parameters.enumerated() {
        parameter.grad = pattern(parameter.shape, 1.1 * Double(step) + Double(k))
      }
      optimizer.step()
      for (k, parameter) in parameters.enumerated() {
        expectClose(
          parameter.detach(), try golden.tensor("\(name)/param\(k)/step\(step)"), "parameter \(k) at step \(step)")
      }
    }
    let state = optimizer.stateDict()
    let prefix = "\(name)/state"
    let keys = golden.keys.filter { $0.hasPrefix(prefix) }.map {
      String($0.dropFirst(prefix.count)).replacing("/", with: ".")
    }
    #expect(Set(state.map(\.key)) == Set(keys), "names of the state")
    for (key, tensor) in state {
      let parts = key.split(separator: ".")
      expectClose(tensor, try golden.tensor("\(name)/state\(parts[0])/\(parts[1])"), key)
    }
  }

  private func makeOptimizer(_ settings: JSON, _ parameters: [Tensor]) -> Optimizer? {
    let s = settings["settings"]
    guard let rate = s["lr"].double, let decay = s["weight_decay"].double else { return nil }
    switch settings["kind"].string {
    case "sgd":
      return SGD(
        parameters, learningRate: rate, momentum: s["momentum"].double ?? 0, weightDecay: decay,
        nesterov: s["nesterov"].bool ?? false)
    case "adam", "adamw":
      let betas = s["betas"].doubles
      return Adam(
        parameters, learningRate: rate, betas: (betas[0], betas[1]), eps: s["eps"].double ?? 0, weightDecay: decay,
        amsgrad: s["amsgrad"].bool ?? false, decoupledWeightDecay: settings["kind"].string == "adamw")
    default: return nil
    }
  }
}

/// An optimizer of a kind, for tests that hold for all.
enum OptimizerKind: String, CaseIterable {
  case sgd, momentum, nesterov, adam, amsgrad, adamw

  func make(_ parameters: [Tensor]) -> Optimizer {
    switch self {
    case .sgd: SGD(parameters, learningRate: 0.1)
    case .momentum: SGD(parameters, learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4)
    case .nesterov: SGD(parameters, learningRate: 0.1, momentum: 0.9, nesterov: true)
    case .adam: Adam(parameters, learningRate: 0.01)
    case .amsgrad: Adam(parameters, learningRate: 0.01, amsgrad: true)
    case .adamw: Adam(parameters, learningRate: 0.01, weightDecay: 0.01, decoupledWeightDecay: true)
    }
  }
}

@Suite struct OptimizerTests {
  private let shapes: [Shape] = [[4, 3, 3, 3], [4], []]
  private func parameters(_ format: MemoryFormat = .contiguous) -> [Tensor] {
    shapes.enumerated().map { k, shape in
      let values = pattern(shape, Double(k))
      return (shape.count == 4 ? values.contiguous(format) : values).requiresGrad_()
    }
  }
  private func gradients(_ step: Int) -> [Tensor] {
    shapes.enumerated().map { k, shape in pattern(shape, 1.3 * Double(step + 1) + Double(k)) }
  }

  /// Two steps, state through a file, two more: the bits of four undisturbed steps.
  @Test(arguments: OptimizerKind.allCases, [MemoryFormat.contiguous, .channelsLast])
  func stateContinues(_ kind: OptimizerKind, _ format: MemoryFormat) throws {
    let undisturbed = parameters(format)
    let whole = kind.make(undisturbed)
    for step in 0..<4 { whole.step(gradients: gradients(step)) }

    let halted = parameters(format)
    let first = kind.make(halted)
    for step in 0..<2 { first.step(gradients: gradients(step)) }
    let state = try withTemporaryFolder { folder in
      try Safetensors.save(first.stateDict(), to: "\(folder)/optimizer.safetensors")
      return try Safetensors.load("\(folder)/optimizer.safetensors").tensors
    }
    let resumed = halted.map { $0.detach().clone().requiresGrad_() }
    let second = kind.make(resumed)
    try second.load(state: Dictionary(uniqueKeysWithValues: state.map { ($0.key, $0.tensor) }))
    for step in 2..<4 { second.step(gradients: gradients(step)) }
    for (k, (a, b)) in zip(resumed, undisturbed).enumerated() { expectSame(a.detach(), b.detach(), "parameter \(k)") }
    for (a, b) in zip(second.stateDict(), whole.stateDict()) {
      #expect(a.key == b.key)
      expectSame(a.tensor, b.tensor, a.key)
    }
  }

  /// A gradient may lie in memory in another order than its parameter.
  @Test(arguments: OptimizerKind.allCases, [MemoryFormat.contiguous, .channelsLast])
  func memoryOrderOfGradients(_ kind: OptimizerKind, _ format: MemoryFormat) {
    let (same, other) = (parameters(), parameters(format))
    let (one, two) = (kind.make(same), kind.make(other))
    let others: [MemoryFormat] = format == .contiguous ? [.channelsLast, .channelsLast] : [.contiguous, .channelsLast]
    for (step, order) in others.enumerated() {
      one.step(gradients: gradients(step))
      two.step(gradients: gradients(step).map { $0.rank == 4 ? $0.contiguous(order) : $0 })
    }
    for (a, b) in zip(same, other) { expectClose(b.detach(), a.detach(), tolerance: 1e-6) }
  }

  /// The state of a group is its members' state, each under its number.
  @Test func groups() throws {
    func members() -> [Optimizer] {
      [OptimizerKind.adam.make(parameters()), OptimizerKind.momentum.make(parameters())]
    }
    let (one, two) = (members(), members())
    for member in one { member.step(gradients: gradients(0)) }
    let state = OptimizerGroup(one).stateDict()
    #expect(state.contains { $0.key == "0.0.exp_avg" } && state.contains { $0.key == "1.2.momentum_buffer" })
    try OptimizerGroup(two).load(state: Dictionary(uniqueKeysWithValues: state.map { ($0.key, $0.tensor) }))
    for (a, b) in zip(one, two) { expectSame(a.stateDict(), b.stateDict()) }
  }

  @Test(arguments: OptimizerKind.allCases) func absentGradients(_ kind: OptimizerKind) {
    let parameters = parameters()
    let before = parameters.map { $0.detach().clone() }
    let optimizer = kind.make(parameters)
    optimizer.step()
    for (a, b) in zip(parameters, before) { expectSame(a.detach(), b) }
    parameters[1].grad = Tensor.ones([4])
    optimizer.step()
    expectSame(parameters[0].detach(), before[0])
    #expect(parameters[1].detach().array(Float.self) != before[1].array(Float.self))
    optimizer.zeroGrad()
    #expect(parameters[1].grad == nil)
  }

  /// A parameter whose first gradient comes late steps as if it were alone.
  @Test(arguments: OptimizerKind.allCases) func lateGradients(_ kind: OptimizerKind) {
    let both = [pattern([5], 0).requiresGrad_(), pattern([5], 1).requiresGrad_()]
    let optimizer = kind.make(both)
    both[0].grad = pattern([5], 2)
    optimizer.step()
    both[1].grad = pattern([5], 3)
    optimizer.step()
    let alone = [pattern([5], 1).requiresGrad_()]
    kind.make(alone).step(gradients: [pattern([5], 3)])
    expectSame(both[1].detach(), alone[0].detach())
  }

  /// Here the running maximum matters, unlike in the goldens: a large gradient first, then small ones with a short
  /// memory of squares.
  @Test(arguments: [true, false]) func amsgradKeepsTheMaximum(_ amsgrad: Bool) {
    let x = Tensor([1] as [Float]).requiresGrad_()
    let optimizer = Adam([x], learningRate: 0.1, betas: (0.5, 0.5), amsgrad: amsgrad)
    var (value, average, square, largest) = (1.0, 0.0, 0.0, 0.0)
    for (step, gradient) in [4.0, 0.1, 0.1, -0.1].enumerated() {
      optimizer.step(gradients: [Tensor([Float(gradient)])])
      average = (average + gradient) / 2
      square = (square + gradient * gradient) / 2
      largest = max(largest, square)
      let remaining = 1 - (1...step + 1).reduce(1.0) { product, _ in product / 2 }
      value -= 0.1 * (average / remaining) / (((amsgrad ? largest : square) / remaining).squareRoot() + 1e-8)
      expectClose(x.item(), value, "step \(step)")
    }
  }

  /// Old gradients are cleared, new ones limited; given gradients go the same way.
  @Test(arguments: [nil, 2.5, 10] as [Double?]) func minimizing(_ clipNorm: Double?) {
    let (x, y) = (Tensor([3, 4] as [Float]).requiresGrad_(), Tensor([3, 4] as [Float]).requiresGrad_())
    let share: Float = clipNorm == 2.5 ? 0.5 : 1
    x.grad = Tensor([100, 100] as [Float])
    SGD([x], learningRate: 1).step(minimizing: x.square().sum() / 2, clipNorm: clipNorm)
    expectClose(x.grad ?? y, Tensor([3 * share, 4 * share]), "stays in the parameter")
    expectClose(x.detach(), Tensor([3 - 3 * share, 4 - 4 * share]))
    SGD([y], learningRate: 1).step(gradients: [Tensor([3, 4] as [Float])], clipNorm: clipNorm)
    expectClose(y.detach(), x.detach())
  }

  @Test func rateMayChange() {
    let x = Tensor([1] as [Float]).requiresGrad_()
    let optimizer = SGD([x], learningRate: 1)
    optimizer.learningRate = 0.25
    optimizer.step(gradients: [Tensor([1] as [Float])])
    #expect(x.item() == 0.75)
  }

  /// Storing weights in another memory order, or moving them, keeps the tensors that an optimizer holds.
  @Test func followsSetData() {
    let layer = Conv2d(3, 4, kernel: 3, bias: false, Generator(seed: 0))
    let optimizer = SGD(layer.parameters(), learningRate: 1)
    let before = layer.weight.detach().clone()
    layer.to(.channelsLast)
    #expect(layer.weight.isContiguous(.channelsLast) && layer.weight === optimizer.parameters[0])
    layer.weight.setData(before * 2)
    optimizer.step(gradients: [Tensor.ones([4, 3, 3, 3])])
    expectClose(layer.weight.detach(), 2 * before - 1)
    #expect(layer.weight.requiresGrad)
  }
}

@Suite struct ClipTests {
  @Test(arguments: ["clip_l2", "clip_l2_loose"]) func agrees(_ name: String) throws {
    let golden = try Golden("gradients")
    let limit = try #require(golden.settings["clip"]["cases"][name]["max_norm"].double)
    let parameters: [Tensor] = [[3, 4], [5]].map { Tensor.zeros($0).requiresGrad_() }
    for (k, parameter) in parameters.enumerated() { parameter.grad = pattern(parameter.shape, Double(k), 3) }
    expectClose(
      clipGlobalNorm(parameters.compactMap(\.grad), to: limit), try golden.tensor("\(name)/total_norm").item())
    for (k, parameter) in parameters.enumerated() {
      expectClose(try #require(parameter.grad), try golden.tensor("\(name)/grad\(k)"))
    }
  }

  @Test func withoutGradients() throws {
    #expect(clipGlobalNorm([], to: 1) == 0)
    let gradient = Tensor([3, 4] as [Float])
    #expect(clipGlobalNorm([gradient], to: 1) == 5)
    expectClose(gradient, Tensor([0.6, 0.8] as [Float]))
  }

  @Test func globalNormIsDifferentiable() {
    let (a, b) = (Tensor([2, 0] as [Float]).requiresGrad_(), Tensor([1, -2] as [Float]))
    let norm = globalNorm([a, b])
    #expect(norm.item() == 3)
    expectClose(gradient(of: norm, at: a), Tensor([2 / 3, 0] as [Float]))
  }
}

@Suite struct AveragingTests {
  private final class Holder: Module {
    @Parameter var weight: Tensor
    @Buffer var count = Tensor.zeros([], dtype: .int64)
    init(_ weight: Tensor) { self.weight = weight }
  }

  @Test func agrees() throws {
    let golden = try Golden("gradients")
    let source = Holder(pattern([4, 3], 0))
    let average = try ExponentialMovingAverage(of: source, in: Holder(Tensor.zeros([4, 3])), decay: 0.9)
    for step in 0..<3 {
      source.weight.setData(pattern([4, 3], Double(1 + step)))
      source.count.add_(2)
      average.update(from: source)
      let mine = try #require(average.average.parameters().first)
      expectClose(mine.detach(), try golden.tensor("ema/step\(step)"))
      #expect(!mine.requiresGrad && average.average.namedBuffers()[0].tensor.intItem() == 2 * (step + 1))
    }
    #expect(source.weight.requiresGrad)
  }

  @Test func otherArchitecture() {
    #expect(throws: StateDictError.self) {
      try ExponentialMovingAverage(of: Holder(Tensor.zeros([2])), in: Holder(Tensor.zeros([3])), decay: 0.9)
    }
  }
}
