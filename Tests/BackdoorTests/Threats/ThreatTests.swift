@testable import Backdoor
import Foundation
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// What every threat promises, and what each one's set holds.
@Suite struct ThreatTests {
  private let golden: ThreatGolden
  init() throws { golden = try ThreatGolden() }

  /// Every threat, by name; the composites too.
  private static let threats: [(String, any ThreatModel)] = [
    ("linf", Norm.linf.threat(0.05, steps: 3)), ("l2", Norm.l2.threat(0.8, steps: 3)),
    ("l1", Norm.l1.threat(6, steps: 3, share: 0.05)), ("fgsm", LinfThreat.fgsm(0.05)),
    ("spatial", SpatialThreat.with(bound: 0.1, steps: 4)),
    ("spatial, random", SpatialThreat.with(bound: 0.1, steps: 2, start: .random)),
    ("perceptual", PerceptualThreat.with(bound: 0.3, steps: 3)), ("gaussian", GaussianNoise()),
    ("uniform", RandomSpatial()), ("normal", RandomSpatial.with(.normal)), ("affine", RandomSpatial.with(.affine)),
    ("spatial + linf", CompositeThreat(SpatialThreat.with(bound: 0.1, steps: 2), Norm.linf.threat(0.02, steps: 2))),
    (
      "joint",
      CompositeThreat(SpatialThreat.with(bound: 0.1, steps: 3), Norm.linf.threat(0.02, steps: 2), joint: .margin)
    ),
    (
      "perceptual + spatial jointly",
      CompositeThreat(
        PerceptualThreat.with(bound: 0.3, steps: 3), SpatialThreat.with(bound: 0.1, steps: 2), joint: .crossEntropy)
    ),
    (
      "spatial + perceptual jointly",
      CompositeThreat(
        SpatialThreat.with(bound: 0.1, steps: 2), PerceptualThreat.with(bound: 0.3, steps: 3), joint: .margin)
    ),
  ]
  private static let names = threats.map(\.0)
  private static let random = ["gaussian", "uniform", "normal", "affine"]
  private func threat(_ name: String) throws -> any ThreatModel { try #require(Self.threats.first { $0.0 == name }?.1) }

  @Test(arguments: names) func leavesTheModelAsItWas(_ name: String) throws {
    let network = golden.network
    // A mixture: each module has its own mode, one weight is frozen, another has a gradient.
    network.train()
    network.bn1.eval()
    network.conv1.weight.requiresGrad_(false)
    network.linear.weight.grad = Tensor.ones(like: network.linear.weight.detach())
    let state = network.stateDict().copied().entries
    let modes = network.modules().map(\.module.isTraining)
    let tracked = network.parameters().map(\.requiresGrad)
    let before = golden.images.clone()
    let changed = noGrad { golden.perturb(try! threat(name)) }
    expectSame(network.stateDict().entries, state, "weights and batch statistics")
    #expect(network.modules().map(\.module.isTraining) == modes)
    #expect(network.parameters().map(\.requiresGrad) == tracked)
    #expect(network.parameters().count { $0.grad != nil } == 1 && network.linear.weight.grad?.sum().item() == 24)
    #expect(network.passes.allSatisfy { $0.frozen && !$0.training })
    expectSame(golden.images, before, "the images")
    #expect(!changed.requiresGrad && changed.isContiguous(.channelsLast))
  }

  @Test(arguments: names) func staysInTheBoxAndMoves(_ name: String) throws {
    // Images with pixels on both ends of the range.
    let images = (golden.images * 1.4 - 0.2).clamped(0, 1)
    let changed = golden.perturb(try threat(name), images)
    #expect(changed.shape == images.shape && changed.isFinite().all().intItem() == 1)
    #expect(changed.min().item() >= 0 && changed.max().item() <= 1)
    for row in 0..<4 { #expect((changed[row] - images[row]).abs().max().item() > 1e-3, "image \(row)") }
  }

  @Test(arguments: names) func isDeterministic(_ name: String) throws {
    let threat = try threat(name)
    expectSame(golden.perturb(threat, seed: 5), golden.perturb(threat, seed: 5))
    let drawn = !["fgsm", "spatial"].contains(name)
    let differs = (golden.perturb(threat, seed: 6) .!= golden.perturb(threat, seed: 5)).any().intItem() == 1
    #expect(differs == drawn)
  }

  @Test(arguments: names.filter { !random.contains($0) }) func makesTheModelWorse(_ name: String) throws {
    let threat = try threat(name)
    func loss(_ images: Tensor) -> Tensor { noGrad { AttackLoss.margin(golden.network(images), golden.labels) } }
    let gain = loss(golden.perturb(threat)) - loss(golden.images)
    #expect(gain.min().item() > 0, "\(gain)")
  }

  /// An image's perturbation is its own: the rest of the batch does not count.
  @Test(arguments: ["fgsm", "spatial"]) func imagesAreApart(_ name: String) throws {
    let threat = try threat(name)
    let whole = golden.perturb(threat)
    let alone = threat.perturb(
      golden.images[2..<3], labels: golden.labels[2..<3], model: golden.network, context: golden.context,
      generator: Generator(seed: 0))
    let far = ((whole[2..<3] - alone).abs() .> 1e-4).to(.float32).mean().item()
    // Adam's first step goes by the sign, also of a gradient that is nothing but rounding.
    #expect(far <= (name == "spatial" ? 0.1 : 0.01))
  }

  @Test(arguments: Norm.allCases, LpStart.allCases) func balls(_ norm: Norm, _ start: LpStart) {
    let (radius, power): (Double, Double) =
      switch norm {
      case .linf: (0.03, .infinity)
      case .l2: (0.5, 2)
      case .l1: (4, 1)
      }
    for steps in [0, 1, 10] {
      let delta = golden.perturb(norm.threat(radius, steps: steps, start: start, share: 0)) - golden.images
      let sizes = delta.flattened(1).norm(power, [1])
      #expect(sizes.max().item() <= radius * 1.0001 + 1e-6, "\(steps) steps: \(sizes)")
      if steps == 0, start == .zero { #expect(sizes.max().item() == 0) }
      // Ten steps of a quarter of the radius reach it.
      if steps == 10, norm != .l1 { #expect(sizes.min().item() >= radius * 0.9, "\(sizes)") }
    }
  }

  /// The flow stays inside its bound: a checker that lets every pixel say from where it came.
  @Test(arguments: SpatialThreat.Start.allCases) func flowIsBounded(_ start: SpatialThreat.Start) {
    let threat = SpatialThreat.with(bound: 0.06, steps: 8, learningRate: 0.05, start: start)
    golden.network.withFrozenParameters {
      let search = threat.begin(golden.images, golden.attacked, Generator(seed: 1), steps: threat.steps)
      #expect(search.variable.abs().max().item() <= 0.06)
      _ = ascend([search], steps: 8, loss: threat.loss, golden.images, golden.attacked)
      #expect(abs(search.variable.abs().max().item() - 0.06) < 1e-6, "and reaches it")
    }
  }

  @Test func smallestSteps() {
    expectClose(golden.perturb(SpatialThreat.with(steps: 0)), golden.images)
    expectClose(golden.perturb(SpatialThreat.with(bound: 0, steps: 3)), golden.images)
    expectClose(golden.perturb(Norm.linf.threat(0, steps: 3)), golden.images)
    expectClose(golden.perturb(GaussianNoise.with(sigma: 0)), golden.images)
    for kind in RandomSpatial.Kind.allCases {
      expectClose(golden.perturb(RandomSpatial.with(kind, sigma: 0)), golden.images)
    }
  }

  /// A flow that is the same everywhere has no roughness but the 1e-10 under the root, and no slope.
  @Test func constantFlowIsSmooth() {
    let flow = Tensor([0.01, -0.02] as [Float], shape: [1, 1, 1, 2]).expanded([2, 5, 7, 2]).contiguous()
    // Pairs of neighbours, each from both sides.
    let pairs = 5.0 * 6 + 4 * 7
    expectClose(Flow.roughness(flow), Tensor.full([2], 2 * pairs * 1e-5), tolerance: 1e-3, floor: 1e-9)
    #expect(Flow.roughnessGradient(flow).abs().max().item() == 0)
    // One pixel moved by (3, 4): four neighbours at distance 5, seen from both sides.
    noGrad { flow[0].selected(0, 2).selected(0, 3).add_(Tensor([3, 4] as [Float])) }
    expectClose(Flow.roughness(flow)[0].item(), 2 * 4 * 5, tolerance: 1e-4)
    #expect(Flow.roughnessGradient(Tensor.zeros([1, 1, 1, 2])).count == 2, "an image of one pixel")
  }

  /// A flow of one pixel to the right brings each pixel's right neighbour.
  @Test func directionOfTheFlow() {
    let image = Tensor((0..<12).map { Float($0) / 12 }, shape: [1, 1, 3, 4])
    func shifted(_ x: Float, _ y: Float) -> Tensor {
      Flow.warp(image, Tensor([x * 2 / 4, y * 2 / 3], shape: [1, 1, 1, 2]).expanded([1, 3, 4, 2]).contiguous())
    }
    expectClose(shifted(1, 0).narrowed(3, 0..<3), image.narrowed(3, 1..<4))
    expectClose(shifted(0, 1).narrowed(2, 0..<2), image.narrowed(2, 1..<3))
    #expect(shifted(1, 0).narrowed(3, 3..<4).abs().max().item() < 1e-6, "zeros come in")
  }

  /// With projection the distance is under the bound. Without, nothing but the penalty holds it: on this small, curved
  /// network within three times a bound of .3, as an independent computation has it too; steps that small bounds allow
  /// are lost in the curvature.
  @Test(arguments: [0.05, 0.15, 0.3]) func perceptualBound(_ bound: Double) {
    let reference = PerceptualFeatures(noGrad { golden.network.features(golden.images) })
    func distances(_ projections: Int) -> Tensor {
      let changed = golden.perturb(PerceptualThreat.with(bound: bound, steps: 10, projections: projections))
      return PerceptualFeatures(noGrad { golden.network.features(changed) }).distance(to: reference)
    }
    let (free, held) = (distances(0), distances(8))
    if bound == 0.3 { #expect(free.max().item() < 3 * bound && free.min().item() > 0.2 * bound, "\(free)") }
    #expect(held.max().item() <= bound * 1.0001, "\(held)")
    #expect(
      zip(free.array(Float.self), held.array(Float.self)).allSatisfy { Double($0) > bound || abs($0 - $1) < 1e-5 })
  }

  /// The second ball is around what the first threat made, not around the image.
  @Test func compositeBalls() {
    let spatial = SpatialThreat.with(bound: 0.1, steps: 4)
    let warped = golden.perturb(spatial)
    for steps in [1, 6] {
      let both = golden.perturb(CompositeThreat(spatial, Norm.linf.threat(0.02, steps: steps, start: .zero)))
      #expect((both - warped).abs().max().item() <= 0.02 + 1e-6)
      #expect((both - golden.images).abs().max().item() > 0.05)
    }
  }

  @Test func moments() {
    let images = Tensor.full([64, 3, 16, 16], 0.5)
    let noise = GaussianNoise.with(sigma: 0.1).perturb(
      images, labels: Tensor.zeros([64], dtype: .int64), model: golden.network, context: golden.context,
      generator: Generator(seed: 2))
    expectClose((noise - 0.5).standardDeviation().item(), 0.1, tolerance: 0.01)
    #expect(abs((noise - 0.5).mean().item()) < 0.001)
  }

  /// An affine map with only a shift: every pixel moves the same way.
  @Test func affineFlowsAreAffine() {
    let ramp = Tensor.linspace(0.2, 0.8, 16).reshaped(1, 1, 1, 16).expanded([8, 3, 16, 16]).contiguous()
    let changed = RandomSpatial.with(.affine, sigma: 0.05).perturb(
      ramp, labels: Tensor.zeros([8], dtype: .int64), model: golden.network, context: golden.context,
      generator: Generator(seed: 2))
    // Inside, a ramp that is mapped affinely is a ramp: its second differences vanish.
    let inner = changed.narrowed(2, 3..<13).narrowed(3, 3..<13)
    let second = inner.narrowed(3, 2..<10) - inner.narrowed(3, 1..<9) * 2 + inner.narrowed(3, 0..<8)
    #expect(second.abs().max().item() < 1e-4)
    #expect((changed - ramp).abs().max().item() > 0.005)
  }

  @Test func sparseL1Direction() {
    let gradient = pattern([2, 1, 4, 5], 0.4)
    let direction = L1Ball(radius: 1, share: 0.2).direction(gradient)
    expectClose(direction.abs().sum([1, 2, 3]), Tensor.ones([2]))
    #expect((direction .!= 0).to(.int64).sum().intItem() == 8)
    let (inside, outside) = (gradient.abs().masked(direction .!= 0), gradient.abs().masked(direction .== 0))
    #expect(inside.count == 8 && outside.count == 32)
    #expect((direction * gradient).min().item() >= 0)
    for row in 0..<2 {
      let (moved, size) = (direction[row] .!= 0, gradient[row].abs())
      #expect(size.masked(moved).min().item() >= size.masked(.!moved).max().item(), "the largest")
    }
    expectSame(
      L1Ball(radius: 1, share: 0.01).direction(gradient), L1Ball(radius: 1).direction(gradient),
      "too small a share moves one")
  }

  /// What a search costs: one pass a step, two for the perceptual one, which also passes the images once.
  @Test func passes() {
    func count(_ threat: any ThreatModel) -> Int {
      let before = golden.network.passes.count
      _ = golden.perturb(threat)
      return golden.network.passes.count - before
    }
    #expect(count(Norm.linf.threat(0.01, steps: 4)) == 4)
    #expect(count(SpatialThreat.with(steps: 4)) == 4)
    #expect(count(PerceptualThreat.with(steps: 4)) == 9)
    #expect(count(PerceptualThreat.with(steps: 4, projections: 5)) == 14)
    #expect(count(CompositeThreat(SpatialThreat.with(steps: 4), Norm.linf.threat(0.01, steps: 3))) == 7)
    #expect(count(CompositeThreat(SpatialThreat.with(steps: 4), Norm.linf.threat(0.01, steps: 3), joint: .margin)) == 4)
    #expect(count(GaussianNoise()) + count(RandomSpatial()) == 0)
  }
}
