import Backdoor
import Defenses
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Both adversarial defenses against two epochs of three batches that are written out here from the papers, with every
/// setting off its default.
@Suite struct AdversarialTwinTests {
  private let data = ImageDataset.tiny(count: 21)
  private typealias Change =
    @Sendable (_ images: Tensor, _ labels: Tensor, _ model: Classifier, _ random: Generator) ->
    Tensor

  private static var recipe: Recipe {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.learningRate, recipe.momentum, recipe.nesterov) = (2, 8, 0.05, 0.6, true)
    (recipe.weightDecay, recipe.schedule, recipe.milestones, recipe.gamma) = (0.01, .multiStep, [1], 0.3)
    (recipe.crop, recipe.flip, recipe.labelSmoothing, recipe.dropLast, recipe.clipNorm) = (2, false, 0.15, false, 0.5)
    return recipe
  }

  /// The settings that the changes below have as numbers.
  private static func set(
    _ linf: inout LinfThreat, _ l2: inout L2Threat, _ l1: inout L1Threat, _ spatial: inout SpatialThreat,
    _ perceptual: inout PerceptualThreat, _ noise: inout GaussianNoise, _ drawn: inout RandomSpatial
  ) {
    (linf.radius, linf.steps, linf.step, linf.start, linf.loss) = (0.07, 3, 0.4, .random, .margin)
    (l2.radius, l2.steps, l2.step, l2.start, l2.loss) = (0.9, 2, 0.7, .random, .margin)
    (l1.radius, l1.steps, l1.step, l1.start, l1.share) = (9, 3, 0.6, .zero, 0.03)
    (spatial.bound, spatial.steps, spatial.learningRate, spatial.smoothness) = (0.2, 4, 0.07, 0.03)
    (spatial.start, spatial.loss) = (.random, .crossEntropy)
    (perceptual.bound, perceptual.steps, perceptual.startDeviation) = (0.2, 3, 0.03)
    (perceptual.projections, perceptual.loss) = (3, .crossEntropy)
    noise.sigma = 0.2
    (drawn.sigma, drawn.kind) = (0.15, .affine)
  }

  // MARK: the changes

  private static func margin(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    let own = labels.oneHot(4).to(.float32)
    return (logits - own * 1e6).max(1).values - (logits * own).sum([1])
  }
  private static func crossEntropy(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    -(F.logSoftmax(logits, 1) * labels.oneHot(4).to(.float32)).sum([1])
  }
  private static func length(_ x: Tensor) -> Tensor { x.square().sum([1, 2, 3], keep: true).sqrt() }

  private static func climb(
    _ x: Tensor, _ start: Tensor, steps: Int, _ loss: (Tensor) -> Tensor, move: (_ d: Tensor, _ g: Tensor) -> Tensor
  ) -> Tensor {
    func boxed(_ d: Tensor) -> Tensor { (x + d).clamped(0, 1) - x }
    var d = noGrad { boxed(start) }
    for _ in 0..<steps {
      let v = d.detach().requiresGrad_()
      let g = gradient(of: loss((x + v).contiguous(.channelsLast)).sum(), at: v)
      d = noGrad { boxed(move(d, g)) }
    }
    return (x + d).clamped(0, 1)
  }

  private static let linf: Change = { x, y, model, random in
    climb(x, random.uniform(x.shape, -0.07, 0.07), steps: 3, { margin(model($0), y) }) { d, g in
      (d + g.sign() * (0.07 * 0.4)).clamped(-0.07, 0.07)
    }
  }

  private static let l2: Change = { x, y, model, random in
    func inside(_ d: Tensor) -> Tensor { d * (0.9 / length(d)).clamped(max: 1) }
    return climb(x, inside(random.uniform(x.shape, -0.9, 0.9)), steps: 2, { margin(model($0), y) }) { d, g in
      inside(d + g / length(g) * (0.9 * 0.7))
    }
  }

  private static let l1: Change = { x, y, model, _ in
    /// The nearest point with |d|_1 <= 9: what every size loses is found by halving.
    func inside(_ d: Tensor) -> Tensor {
      let rows = (0..<d.dimension(0)).map { row -> Tensor in
        let values = d[row].contiguous().flattened().array(Float.self).map(Double.init)
        guard values.reduce(0, { $0 + abs($1) }) > 9 else { return d[row].contiguous() }
        var (low, high) = (0.0, values.map(abs).max() ?? 0)
        for _ in 0..<60 {
          let middle = (low + high) / 2
          if values.reduce(0, { $0 + max(abs($1) - middle, 0) }) > 9 { low = middle } else { high = middle }
        }
        return Tensor(values.map { Float(max(abs($0) - high, 0)) * ($0 < 0 ? -1 : 1) }, shape: d[row].shape)
      }
      return Tensor.stacked(rows)
    }
    return climb(x, Tensor.zeros(like: x), steps: 3, { crossEntropy(model($0), y) }) { d, g in
      // .03 of 768 numbers.
      let flat = g.contiguous().flattened(1)
      let least = flat.abs().sorted(1, descending: true).values.narrowed(1, 22..<23)
      let step = (Tensor.where(flat.abs() .>= least, flat.sign(), Tensor.zeros(like: flat)) / 23).reshaped(g.shape)
      return inside(d + step * (9 * 0.6))
    }
  }

  private static func grid(_ x: Tensor) -> Tensor {
    let (h, w) = (x.dimension(2), x.dimension(3))
    func centers(_ size: Int) -> [Float] { (0..<size).map { Float(2 * $0 + 1) / Float(size) - 1 } }
    let (xs, ys) = (Tensor(centers(w), shape: [1, 1, w]), Tensor(centers(h), shape: [1, h, 1]))
    return Tensor.stacked([xs.expanded([1, h, w]), ys.expanded([1, h, w])], 3)
  }
  private static func warp(_ x: Tensor, _ flow: Tensor) -> Tensor {
    F.gridSample(x, grid(x) + flow).contiguous(.channelsLast)
  }
  private static func roughness(_ flow: Tensor) -> Tensor {
    let size = flow.dimension(1)
    let across = flow.narrowed(2, 1..<size) - flow.narrowed(2, 0..<(size - 1))
    let down = flow.narrowed(1, 1..<size) - flow.narrowed(1, 0..<(size - 1))
    return 2 * (((across.square().sum([3])) + 1e-10).sqrt().sum() + ((down.square().sum([3])) + 1e-10).sqrt().sum())
  }
  /// Adam up the loss and down the roughness.
  private struct FlowSearch {
    var flow: Tensor
    private var first: Tensor
    private var second: Tensor
    private var taken = 0.0
    init(_ random: Generator, _ x: Tensor) {
      flow = random.uniform([x.dimension(0), 16, 16, 2], -0.2, 0.2)
      (first, second) = (Tensor.zeros(like: flow), Tensor.zeros(like: flow))
    }
    mutating func step(_ slope: Tensor) {
      let f = flow.detach().requiresGrad_()
      let g = gradient(of: AdversarialTwinTests.roughness(f), at: f) * (0.03 / 0.2) - slope
      taken += 1
      first = first * 0.9 + g * 0.1
      second = second * 0.999 + g.square() * 0.001
      let size = (second / (1 - pow(0.999, taken))).sqrt() + 1e-8
      flow = (flow - first / (1 - pow(0.9, taken)) / size * 0.07).clamped(-0.2, 0.2)
    }
  }

  private static let spatial: Change = { x, y, model, random in
    var search = FlowSearch(random, x)
    for _ in 0..<4 {
      let f = search.flow.detach().requiresGrad_()
      search.step(gradient(of: crossEntropy(model(warp(x, f)), y).sum(), at: f))
    }
    return warp(x, search.flow).clamped(0, 1)
  }

  /// All stages of an image as one row.
  private static func phi(_ model: Classifier, _ x: Tensor) -> Tensor {
    Tensor.concatenated(
      model.features(x).stages.map { stage in
        let size = Double(stage.dimension(2) * stage.dimension(3)).squareRoot()
        return (stage / (stage.square().sum([1], keep: true).sqrt() + 1e-10) / size).contiguous().flattened(1)
      }, 1)
  }
  private static func distance(_ a: Tensor, _ b: Tensor) -> Tensor { (a - b).square().sum([1]).sqrt() }
  private static func weight(_ step: Int, of steps: Int) -> Double { 10 * pow(0.1, 1 - Double(step) / Double(steps)) }
  /// Along the gradient, by as much as changes the distance by .2 * .1^(t/T).
  private static func perceptualMove(
    _ d: Tensor, _ g: Tensor, around x: Tensor, step: Int, of steps: Int, _ model: Classifier
  ) -> Tensor {
    noGrad {
      let unit = g / (length(g) + 1e-8)
      let here = phi(model, (x + d).contiguous(.channelsLast))
      let rise = distance(here, phi(model, (x + d + unit * 0.1).contiguous(.channelsLast))) / 0.1
      let far = 0.2 * pow(0.1, Double(step) / Double(steps))
      return (x + d + unit * (far / (rise + 1e-8)).reshaped(-1, 1, 1, 1)).clamped(0, 1) - x
    }
  }
  /// The largest share of eighths, halved as often as the setting says, that was seen inside.
  private static func held(_ x: Tensor, _ d: Tensor, _ model: Classifier) -> Tensor {
    noGrad {
      let origin = phi(model, x)
      let rows = (0..<x.dimension(0)).map { row -> Tensor in
        var (low, high, share) = (0.0, 1.0, 1.0)
        for _ in 0..<3 {
          let image = (x[row..<(row + 1)] + d[row..<(row + 1)] * share).clamped(0, 1).contiguous(.channelsLast)
          if distance(phi(model, image), origin[row..<(row + 1)]).item() <= 0.2 { low = share } else { high = share }
          share = (low + high) / 2
        }
        return (x[row] + d[row] * low).clamped(0, 1)
      }
      return Tensor.stacked(rows)
    }
  }

  private static let perceptual: Change = { x, y, model, random in
    var d = random.normal(x.shape) * 0.03
    let origin = noGrad { phi(model, x) }
    for step in 0..<3 {
      let v = d.detach().requiresGrad_()
      let image = (x + v).contiguous(.channelsLast)
      let penalty = (distance(phi(model, image), origin) - 0.2).relu() * weight(step, of: 3)
      let g = gradient(of: (crossEntropy(model(image), y) - penalty).sum(), at: v)
      d = perceptualMove(d, g, around: x, step: step, of: 3, model)
    }
    return held(x, d, model)
  }

  /// Four steps, as the longer of the two has, over which the perceptual schedule reaches.
  private static let jointly: Change = { x, y, model, random in
    var search = FlowSearch(random, x)
    var d = random.normal(x.shape) * 0.03
    for step in 0..<4 {
      let (f, v) = (search.flow.detach().requiresGrad_(), d.detach().requiresGrad_())
      let base = warp(x, f)
      let image = (base + v).contiguous(.channelsLast)
      let origin = noGrad { phi(model, base.detach()) }
      let penalty = (distance(phi(model, image), origin) - 0.2).relu() * weight(step, of: 4)
      let slopes = gradients(of: (crossEntropy(model(image), y) - penalty).sum(), at: [f, v])
      search.step(slopes[0])
      d = perceptualMove(d, slopes[1], around: base.detach(), step: step, of: 4, model)
    }
    return held(warp(x, search.flow).clamped(0, 1), d, model)
  }

  private static let noise: Change = { x, _, _, random in (x + random.normal(x.shape) * 0.2).clamped(0, 1) }
  private static let affine: Change = { x, _, _, random in
    let identity = Tensor([1, 0, 0, 0, 1, 0] as [Float], shape: [1, 2, 3])
    let maps = identity + random.uniform([x.dimension(0), 2, 3], -0.15, 0.15)
    return F.gridSample(x, F.affineGrid(maps, x.shape)).clamped(0, 1)
  }
  private static func chain(_ one: @escaping Change, _ two: @escaping Change) -> Change {
    { x, y, model, random in two(one(x, y, model, random).contiguous(.channelsLast), y, model, random) }
  }

  // MARK: the loop

  private func twin(_ stage: String, _ change: Change) throws -> (model: Classifier, exhibit: Tensor) {
    let context = TrainingContext(precision: .float32, seed: 2)
    let model = try data.tinyArchitecture(Generator(seed: Seed(2)("init")))
    model.to(.channelsLast)
    let weights = model.parameters()
    var velocities: [Tensor]?
    for (epoch, rate) in [0.05, 0.05 * 0.3].enumerated() {
      let order = context.generator("\(stage)/shuffle", epoch).permutation(21)
      let crops = context.generator("\(stage)/augment", epoch)
      let random = context.generator("\(stage)/change", epoch)
      for rows in [0..<8, 8..<16, 16..<21] {
        let labels = data.labels[order[rows]]
        let images = CropFlip(padding: 2, flip: false).gather(images: data.images, indices: order[rows], crops)
        model.eval()
        let changed = change(images, labels, model, random).detach().contiguous(.channelsLast)
        model.train()
        let targets = labels.oneHot(4).to(.float32) * 0.85 + 0.15 / 4
        let loss = -(F.logSoftmax(model(changed), 1) * targets).sum([1]).mean()
        let slopes = gradients(of: loss, at: weights)
        noGrad {
          let size = slopes.map { $0.square().sum().item() }.reduce(0, +).squareRoot()
          let decayed = zip(slopes, weights).map { $0 * min(1, 0.5 / (size + 1e-6)) + $1 * 0.01 }
          velocities = velocities.map { zip($0, decayed).map { $0 * 0.6 + $1 } } ?? decayed
          for (weight, (slope, velocity)) in zip(weights, zip(decayed, velocities!)) {
            weight.sub_((slope + velocity * 0.6) * rate)
          }
        }
      }
    }
    model.eval()
    let images = data.images[0..<8].unitPixels().contiguous(.channelsLast)
    let shown = change(images, data.labels[0..<8], model, context.generator("\(stage)/exhibit"))
    return (model, noGrad { shown - images })
  }

  private func input<D: Defense>(_ type: D.Type) throws -> DefenseInput {
    try DefenseInput(
      for: type, training: TrainingContext(precision: .float32, seed: 2), seed: 2, architecture: data.tinyArchitecture,
      poisonedTrain: data)
  }

  private func expectTwin(_ outcome: DefenseOutcome, _ stage: String, _ change: Change, _ name: String) throws {
    let twin = try twin(stage, change)
    let model = try #require(outcome.model)
    for (found, expected) in zip(model.snapshot(), twin.model.snapshot()) {
      expectClose(
        found.tensor.to(.float32), expected.tensor.to(.float32), tolerance: 1e-4, floor: 0.01, "\(name) \(found.key)")
    }
    // A sign, or one of the largest numbers, may be another where two are equal but for rounding.
    let exhibit = try #require(outcome.exhibits.first)
    let far = ((exhibit.perturbations - twin.exhibit).abs() .> 1e-4).to(.float32).mean().item()
    #expect(far <= 0.002, "\(name): \(far) of the exhibit differs")
  }

  @Test(arguments: AdversarialTraining.Threat.allCases) func adversarialTraining(_ threat: AdversarialTraining.Threat)
    throws
  {
    var c = AdversarialTraining.Configuration()
    (c.threat, c.recipe) = (threat, Self.recipe)
    Self.set(&c.linf, &c.l2, &c.l1, &c.spatial, &c.perceptual, &c.gaussianNoise, &c.randomSpatial)
    (c.composite.first, c.composite.second, c.composite.order) = (.l2, .randomSpatial, .secondThenFirst)
    let change =
      switch threat {
      case .linf: Self.linf
      case .l2: Self.l2
      case .l1: Self.l1
      case .spatial: Self.spatial
      case .perceptual: Self.perceptual
      case .gaussianNoise: Self.noise
      case .randomSpatial: Self.affine
      case .composite: Self.chain(Self.affine, Self.l2)
      }
    try expectTwin(
      AdversarialTraining(c).run(input(AdversarialTraining.self)), "at", change, threat.rawValue)
  }

  @Test(arguments: [CompositionSettings.Order.firstThenSecond, .secondThenFirst], [false, true])
  func compositeAdversarialTraining(_ order: CompositionSettings.Order, _ joint: Bool) throws {
    var c = CompositeAdversarialTraining.Configuration()
    c.recipe = Self.recipe
    Self.set(&c.linf, &c.l2, &c.l1, &c.spatial, &c.perceptual, &c.gaussianNoise, &c.randomSpatial)
    (c.composite.order, c.composite.joint, c.composite.jointLoss) = (order, joint, .crossEntropy)
    let change: Change
    if joint {
      // The flow first by either order, so that one twin serves both.
      (c.composite.first, c.composite.second) =
        order == .firstThenSecond ? (.spatial, .perceptual) : (.perceptual, .spatial)
      change = Self.jointly
    } else {
      (c.composite.first, c.composite.second) = (.linf, .spatial)
      change = order == .firstThenSecond ? Self.chain(Self.linf, Self.spatial) : Self.chain(Self.spatial, Self.linf)
    }
    try expectTwin(
      CompositeAdversarialTraining(c).run(input(CompositeAdversarialTraining.self)), "cat", change,
      "\(order.rawValue) \(joint)")
  }
}
