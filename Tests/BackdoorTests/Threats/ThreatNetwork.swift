import Backdoor
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The network of `make_threats.py`, which also counts its passes.
final class ThreatNetwork: Classifier {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let conv2: Conv2d
  let bn2: BatchNorm2d
  let linear: Linear
  /// Of each pass: whether the weights were constants, and the mode.
  private(set) var passes: [(frozen: Bool, training: Bool)] = []

  init(_ generator: Generator = Generator(seed: 1), normalization: Normalization = .none) {
    conv1 = Conv2d(3, 4, kernel: 3, padding: 1, generator)
    bn1 = BatchNorm2d(4)
    conv2 = Conv2d(4, 6, kernel: 3, stride: 2, padding: 1, generator)
    bn2 = BatchNorm2d(6)
    linear = Linear(6, 4, generator)
    super.init(classes: 4, normalization: normalization)
  }

  override func features(normalized x: Tensor) -> Features {
    passes.append((parameters().allSatisfy { !$0.requiresGrad }, isTraining))
    let one = bn1(conv1(x), relu: true)
    let two = bn2(conv2(one), relu: true)
    return Features(stages: [one, two], penultimate: two.mean([2, 3]))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}

/// The batch of `make_threats.py`, its network and its values.
struct ThreatGolden {
  let values: Golden
  let network: ThreatNetwork
  let images: Tensor
  let labels: Tensor
  let context = TrainingContext(precision: .float32)

  init() throws {
    let golden = try Golden("threats")
    let (facts, pixels) = (golden.settings["network"], golden.settings["images"])
    let (scale, phase) = (try #require(facts["linear_scale"].double), try #require(pixels["phase"].double))
    let normalization = Normalization(
      mean: facts["mean"].doubles.map(Float.init), standardDeviation: facts["deviation"].doubles.map(Float.init))
    let network = ThreatNetwork(normalization: normalization)
    network.fillWithPattern().eval()
    noGrad { network.linear.weight.mul_(scale) }
    values = golden
    self.network = network
    images = imagePattern(pixels["shape"].ints, phase)
    labels = Tensor(golden.settings["labels"].ints.map(Int64.init))
  }

  func perturb(_ threat: any ThreatModel, _ images: Tensor? = nil, seed: UInt64 = 3) -> Tensor {
    threat.perturb(
      images ?? self.images, labels: labels, model: network, context: context, generator: Generator(seed: seed))
  }
  var attacked: AttackedModel { AttackedModel(model: network, labels: labels, context: context) }
  func number(_ name: String, _ key: String) throws -> Double { try #require(values.settings(of: name)[key].double) }

  /// A step along a sign, or Adam's first one, goes either way where a gradient is nothing but rounding: a few elements
  /// may differ.
  func expectNear(
    _ found: Tensor, _ key: String, share: Double = 0.005, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try values.tensor(key)
    #expect(found.shape == expected.shape, "\(key)", sourceLocation: sourceLocation)
    let far = ((found - expected).abs() .> 2e-4).to(.float32).mean().item()
    #expect(far <= share, "\(key): \(far) of the elements differ", sourceLocation: sourceLocation)
  }
}

extension Norm {
  func threat(
    _ radius: Double, steps: Int = 10, step: Double = 0.25, start: LpStart = .random, share: Double = 0.01
  ) -> any IterativeThreat {
    func threat<Ball: NormBall>(_ type: Ball.Type) -> LpThreat<Ball> {
      var threat = LpThreat<Ball>(radius: radius)
      (threat.steps, threat.step, threat.start, threat.share) = (steps, step, start, share)
      return threat
    }
    return switch self {
    case .linf: threat(LinfBall.self)
    case .l2: threat(L2Ball.self)
    case .l1: threat(L1Ball.self)
    }
  }
}

extension LinfThreat {
  /// The fast gradient sign method: one step of length `radius` from the image.
  static func fgsm(_ radius: Double) -> LinfThreat {
    var threat = LinfThreat(radius: radius)
    (threat.steps, threat.step, threat.start) = (1, 1, .zero)
    return threat
  }
}

extension SpatialThreat {
  static func with(bound: Double = 0.025, steps: Int, learningRate: Double = 0.01, start: Start = .zero)
    -> SpatialThreat
  {
    var threat = SpatialThreat()
    (threat.bound, threat.steps, threat.learningRate, threat.start) = (bound, steps, learningRate, start)
    return threat
  }
}

extension PerceptualThreat {
  static func with(bound: Double = 0.5, steps: Int, projections: Int = 0) -> PerceptualThreat {
    var threat = PerceptualThreat()
    (threat.bound, threat.steps, threat.projections) = (bound, steps, projections)
    return threat
  }
}

extension GaussianNoise {
  static func with(sigma: Double) -> GaussianNoise {
    var noise = GaussianNoise()
    noise.sigma = sigma
    return noise
  }
}

extension RandomSpatial {
  static func with(_ kind: Kind, sigma: Double = 0.1) -> RandomSpatial {
    var threat = RandomSpatial()
    (threat.kind, threat.sigma) = (kind, sigma)
    return threat
  }
}
