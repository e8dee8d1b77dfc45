import Testing
import Torch
import TorchNN

/// Group normalisation of channels_last images against LibTorch's of contiguous ones, which for float32 is in float64.
@Suite struct GroupNormTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var groups: Int
    var dtype = DType.float32
    var isPlain = false
    var testDescription: String { "\(shape), \(groups) groups, \(dtype)\(isPlain ? ", without weights" : "")" }
  }
  /// 24, 3 and 5 channels are no multiples of the vector length; 5 x 3 x 3 numbers do not even fill whole vectors.
  static let cases: [Case] = [
    ([4, 16, 8, 8], 16), ([2, 64, 16, 16], 8), ([4, 24, 4, 4], 1), ([3, 3, 16, 8], 3), ([2, 5, 3, 3], 5),
    ([1, 32, 1, 1], 4),
  ].flatMap { shape, groups in
    [DType.float32, .bfloat16].flatMap { dtype in
      [false, true].map { Case(shape: shape, groups: groups, dtype: dtype, isPlain: $0) }
    }
  }

  struct Result {
    var output: Tensor
    var gradients: [Tensor]
    /// The same where they can be differentiated, and gradients of their squares.
    var again: [Tensor]
  }

  static func result(_ example: Case, _ format: MemoryFormat) -> Result {
    let random = Generator(seed: 7)
    let channels = example.shape[1]
    let isReference = format == .contiguous && example.dtype == .float32
    let (dtype, weights) = isReference ? (DType.float64, DType.float64) : (example.dtype, .float32)
    let weight = (random.normal([channels]) + 1).to(weights).requiresGrad_()
    let bias = random.normal([channels]).to(weights).requiresGrad_()
    // Channels of one group whose means are far apart.
    let level = Tensor.arange(channels).to(.float32).reshaped(1, channels, 1, 1) * 5
    let x = (random.normal(example.shape) * 3 + level).to(dtype).contiguous(format).requiresGrad_()
    let seed = random.normal(example.shape).to(dtype).contiguous(format)
    func pass() -> Tensor {
      F.groupNorm(
        x, groups: example.groups, weight: example.isPlain ? nil : weight, bias: example.isPlain ? nil : bias)
    }
    let inputs = example.isPlain ? [x] : [x, weight, bias]
    let output = pass()
    let plain = gradients(of: [output], at: inputs, seeds: [seed])
    let again = gradients(of: [pass()], at: inputs, seeds: [seed], createGraph: true)
    let penalty = again.map { $0.to(weights).square().sum() }.reduce(Tensor.zeros([], dtype: weights)) { $0 + $1 }
    return Result(
      output: output, gradients: plain, again: again + gradients(of: penalty, at: Array(inputs.prefix(2))))
  }

  @Test(arguments: cases) func equalsTheOtherLayout(_ example: Case) {
    let (one, two) = (Self.result(example, .channelsLast), Self.result(example, .contiguous))
    // bfloat16 keeps 8 bits: a rounding that falls the other way differs by 1/256.
    let limit = example.dtype == .float32 ? 2e-5 : 2e-2
    #expect(one.output.dtype == example.dtype && one.gradients[0].dtype == example.dtype)
    #expect(FusedBatchNormTests.deviation(one.output, two.output) < limit)
    for (a, b) in zip(one.gradients, two.gradients) { #expect(FusedBatchNormTests.deviation(a, b) < limit) }
    // By LibTorch's own operations, which lose some digits where the mean is many deviations from 0.
    for (a, b) in zip(one.again, two.again) { #expect(FusedBatchNormTests.deviation(a, b) < max(limit, 1e-3)) }
  }

  /// Values by hand: groups of two channels, whose numbers are 1, 3, 5, 7.
  @Test func groupsAreNormalised() {
    // Each twice: 16 numbers, the least that the kernel takes.
    let numbers: [Float] = [1, 3, 5, 7, 10, 30, 50, 70].flatMap { [$0, $0] }
    let x = Tensor(numbers, shape: [1, 4, 2, 2]).contiguous(.channelsLast)
    let y = F.groupNorm(x, groups: 2, weight: nil, bias: nil, eps: 0)
    let wanted = [-3.0, -1, 1, 3].flatMap { [$0, $0] }.map { $0 / 5.0.squareRoot() }
    let found = y.contiguous().to(.float64).array(Double.self)
    for (a, b) in zip(found, wanted + wanted) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func withoutGradientsItIsTheSame() {
    let random = Generator(seed: 3)
    let x = random.normal([4, 16, 4, 4]).contiguous(.channelsLast)
    let weight = random.normal([16]).requiresGrad_()
    func pass() -> Tensor { F.groupNorm(x, groups: 4, weight: weight, bias: nil) }
    let without = noGrad { pass() }
    #expect(!without.requiresGrad && pass().requiresGrad)
    #expect(FusedBatchNormTests.deviation(without, pass()) == 0)
    #expect(without.isContiguous(.channelsLast))
  }
}
