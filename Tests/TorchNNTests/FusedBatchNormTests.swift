import Testing
import Torch
import TorchNN

/// BatchNorm with ReLU in one operation against the two operations.
@Suite("BatchNorm with ReLU")
struct FusedBatchNormTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var training: Bool
    var dtype = DType.float32
    var testDescription: String { "\(shape), \(training ? "training" : "evaluation"), \(dtype)" }
  }
  /// 24 and 3 channels are no multiples of the vector length; 3 x 5 x 7 x 3 numbers do not even fill whole vectors.
  static let cases: [Case] = [[4, 16, 8, 8], [2, 64, 16, 16], [4, 24, 4, 4], [16, 3, 8, 8], [3, 5, 7, 3]].flatMap {
    shape in
    [true, false].flatMap { training in
      [DType.float32, .bfloat16].map { Case(shape: shape, training: training, dtype: $0) }
    }
  }

  /// A layer with drawn weights and statistics.
  static func layer(_ channels: Int, _ random: Generator, training: Bool) -> BatchNorm2d {
    let layer = BatchNorm2d(channels)
    noGrad {
      layer.weight.copy_(random.normal([channels]))
      layer.bias.copy_(random.normal([channels]))
      layer.runningMean.copy_(random.normal([channels]) + 5)
      layer.runningVar.copy_(random.uniform([channels], 4, 12))
    }
    layer.train(training)
    return layer
  }

  struct Result {
    var output: Tensor
    var gradients: [Tensor]
    var second: [Tensor]
    var state: [Tensor]
  }

  /// Output, gradients, gradients of the gradients' squares, and running statistics after one pass.
  static func result(_ example: Case, fused: Bool) -> Result {
    let random = Generator(seed: 7)
    let layer = layer(example.shape[1], random, training: example.training)
    let x = (random.normal(example.shape) * 3 + 5).to(example.dtype).contiguous(.channelsLast).requiresGrad_()
    let seed = random.normal(example.shape).to(example.dtype).contiguous(.channelsLast)
    func pass() -> Tensor { fused ? layer(x, relu: true) : layer(x).relu() }
    let output = pass()
    let state = [layer.runningMean.clone(), layer.runningVar.clone(), layer.numBatchesTracked.to(.float32)]
    let inputs = [x, layer.weight, layer.bias]
    let plain = gradients(of: [output], at: inputs, seeds: [seed])
    let again = gradients(of: [pass()], at: inputs, seeds: [seed], createGraph: true)
    let penalty = again.map { $0.to(.float32).square().sum() }.reduce(Tensor.zeros([])) { $0 + $1 }
    return Result(
      output: output, gradients: plain + again, second: gradients(of: penalty, at: [x, layer.weight]), state: state)
  }

  /// Largest difference, relative to the largest number.
  static func deviation(_ a: Tensor, _ b: Tensor) -> Double {
    noGrad {
      let (a, b) = (a.to(.float32), b.to(.float32))
      return (a - b).abs().max().item() / max(b.abs().max().item(), 1e-6)
    }
  }

  @Test(arguments: cases) func equalsTheTwoOperations(_ example: Case) {
    let (one, two) = (Self.result(example, fused: true), Self.result(example, fused: false))
    // bfloat16 keeps 8 bits: a rounding that falls the other way differs by 1/256.
    let limit = example.dtype == .float32 ? 1e-5 : 1e-2
    #expect(one.output.dtype == example.dtype)
    #expect(Self.deviation(one.output, two.output) < limit)
    for (a, b) in zip(one.gradients, two.gradients) {
      #expect(a.dtype == b.dtype)
      #expect(Self.deviation(a, b) < limit)
    }
    for (a, b) in zip(one.second, two.second) { #expect(Self.deviation(a, b) < limit) }
    for (a, b) in zip(one.state, two.state) { #expect(Self.deviation(a, b) < 1e-5) }
  }

  @Test func withoutGradientsItIsTheSame() {
    for training in [true, false] {
      let example = Case(shape: [4, 16, 8, 8], training: training)
      let with = Self.result(example, fused: true).output
      let random = Generator(seed: 7)
      let layer = Self.layer(16, random, training: training)
      let x = (random.normal(example.shape) * 3 + 5).contiguous(.channelsLast)
      let without = noGrad { layer(x, relu: true) }
      #expect(!without.requiresGrad)
      #expect(Self.deviation(without, with) == 0)
    }
  }

  @Test func aSecondDerivativeFitsFiniteDifferences() {
    let random = Generator(seed: 3)
    let layer = Self.layer(16, random, training: true)
    let x = random.normal([4, 16, 2, 2]).contiguous(.channelsLast)
    let direction = random.normal([4, 16, 2, 2]).contiguous(.channelsLast)
    let seed = random.normal([4, 16, 2, 2]).contiguous(.channelsLast)
    func slope(_ step: Double, createGraph: Bool) -> (Tensor, Tensor) {
      let moved = (x + direction * step).contiguous(.channelsLast).requiresGrad_()
      let gradient = gradients(of: [layer(moved, relu: true)], at: [moved], seeds: [seed], createGraph: createGraph)[0]
      return (moved, (gradient * direction).sum())
    }
    let (input, value) = slope(0, createGraph: true)
    let exact = (gradient(of: value, at: input) * direction).sum().item()
    // The ReLU's gates are fixed while no activation crosses zero; a small step keeps nearly all of them.
    let step = 1e-3
    let difference = (slope(step, createGraph: false).1.item() - slope(-step, createGraph: false).1.item()) / (2 * step)
    #expect(abs(exact - difference) < 0.02 * max(1, abs(exact)))
  }

  @Test func inputGradientsAloneAreEnough() {
    let random = Generator(seed: 5)
    let layer = Self.layer(16, random, training: false)
    let x = random.normal([2, 16, 4, 4]).contiguous(.channelsLast).requiresGrad_()
    let all = gradients(of: [layer(x, relu: true).sum()], at: [x, layer.weight, layer.bias])[0]
    let frozen = layer.withFrozenParameters { gradient(of: layer(x, relu: true).sum(), at: x) }
    #expect(Self.deviation(all, frozen) == 0)
  }

  @Test func notANumberIsNotHidden() {
    let layer = BatchNorm2d(16).eval()
    let x = Tensor.full([1, 16, 4, 4], .nan).contiguous(.channelsLast)
    for dtype in [DType.float32, .bfloat16] {
      let y = noGrad { layer(x.to(dtype).contiguous(.channelsLast), relu: true) }
      #expect((y .!= y).all().item() == 1)
    }
  }

  @Test func theNumberOfThreadsChangesNothing() {
    let before = Runtime.threadCount
    defer { Runtime.threadCount = before }
    let example = Case(shape: [16, 64, 16, 16], training: true, dtype: .bfloat16)
    let results = [1, 2].map { threads in
      Runtime.threadCount = threads
      return Self.result(example, fused: true)
    }
    #expect(Self.deviation(results[0].output, results[1].output) == 0)
    for (a, b) in zip(results[0].gradients.prefix(3), results[1].gradients) { #expect(Self.deviation(a, b) == 0) }
  }
}
