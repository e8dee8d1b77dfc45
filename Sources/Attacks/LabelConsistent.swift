// Label-Consistent (Turner, Tsipras, Madry 2019, arXiv:1912.02771): images of the target class are made hard to recognise
// by adversarial perturbations, get a trigger and keep their label, so that the model has to learn the trigger. At test
// time images show the trigger alone.
//
//   pgd:     x' = stamp(x + argmax_{||d|| <= bound} CE(f(x + d), y)),   f trained by the attacker
//   latent:  x' = stamp(G((1 - tau) E(x) + tau E(x_2))),   x_2 an image of another class
//
// The perturbations are in L_inf (8, 16, 32/255) or L2 (300 to 1,200/255); f is trained on the clean training set in the
// standard way or adversarially (the paper's are robust). The trigger: a 3x3 pattern in all four corners, mirrored, so that
// flips and crops leave some of it. PGD with 10 steps of a quarter of the bound [decided here; the paper's number is not
// stated in ours].
//
// In the latent form the paper's G is a GAN, and E(x) the code that a search finds for x. Here G and E are an autoencoder
// that the attacker trains on the clean training set [decided here]: it has the code of every image at once, and at this
// size and within minutes of a CPU a GAN would neither train reliably nor have all images in its range. It is blurred,
// which makes images harder to recognise too: at tau 0 they are not the images that they were.

public import Backdoor
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

public struct LabelConsistent: Attack {
  public static let id = "label-consistent"
  public static let summary =
    "Images of the target class, made hard to recognise, with a trigger in the corners; labels stay right."
  public static let paper = "Turner et al. 2019, Label-Consistent Backdoor Attacks (arXiv:1912.02771)"
  public static let learns = true

  public enum Form: String, Codable, Sendable, CaseIterable {
    /// Adversarial perturbations.
    case pgd
    /// Interpolation between the codes of two images.
    case latent
  }
  public enum Norm: String, Codable, Sendable, CaseIterable { case linf, l2 }

  public struct Configuration: Configurable {
    public var rate = 0.025
    public var target = 0
    public var form = Form.pgd
    public var norm = Norm.linf
    public var linf = LinfThreat(radius: 16.0 / 255)
    public var l2 = L2Threat(radius: 600.0 / 255)
    public var surrogate = Recipe()
    public var adversarial = false
    public var training = LinfThreat(radius: 8.0 / 255)
    public var tau = 0.2
    public var autoencoder = AutoencoderSettings()
    public var opacity = 1.0
    public init() {}

    public static let settings: [Setting] = [
      Setting(
        "rate", "Share of the training set that is changed, within the target class.", unit: "fraction", range: 0...1,
        source: "DBD: .025 and .006; Turner et al.: up to .006"),
      Setting("target", "Target class.", unit: "class", range: 0...100_000),
      Setting(
        "form", "How images become hard to recognise.", choices: Form.allCases.map(\.rawValue),
        source: "DBD: pgd; Turner et al.: either"),
      Setting("norm", "The ball of the perturbations.", choices: Norm.allCases.map(\.rawValue)),
      Setting("linf", "Perturbations, norm linf.", source: "8/255, 16/255, 32/255", nested: LinfThreat.self),
      Setting("l2", "Perturbations, norm l2.", source: "300/255 to 1,200/255", nested: L2Threat.self),
      Setting("surrogate", "How the attacker's network is trained.", nested: Recipe.self),
      Setting(
        "adversarial", "Train the attacker's network on adversarial images.",
        source: "Turner et al.: robust; DBD: either"),
      Setting("training", "These adversarial images, where `adversarial` is on.", nested: LinfThreat.self),
      Setting(
        "tau", "Share of the other image's code, form latent.", unit: "fraction", range: 0...1,
        source: "Turner et al.: .1, .2, .3"),
      Setting("autoencoder", "The generative model, form latent.", nested: AutoencoderSettings.self),
      Setting(
        "opacity", "Weight of the trigger in training images; it is 1 at test time.", unit: "fraction", range: 0...1,
        source: "Turner et al. also train with weaker triggers"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { PoisonSelection(rate: configuration.rate) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard shape.height >= 6, shape.width >= 6 else {
      throw BackdoorError.invalid(
        "\(Self.id): four corner patterns of side 3 do not fit images of \(shape.height)x\(shape.width) pixels.")
    }
    return [
      BackdoorTask(
        name: "four corners", trigger: Corners(shape: shape, opacity: 1),
        mapping: .cleanLabel(target: configuration.target),
        trainingTrigger: Corners(shape: shape, opacity: configuration.opacity))
    ]
  }

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    try checkLearning(on: context.train, seed: context.seed)
    let positions = try context.sources(mapping: .cleanLabel(target: c.target), selection: selection)
    let images = c.form == .pgd ? try perturbed(data, positions, context) : try interpolated(data, positions, context)
    return ["positions": Tensor(positions.map(Int64.init)), "images": images.to(.cpu).contiguous()]
  }

  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    _ = try tasks(for: train.shape, seed: seed)
    try checkSources(in: train, mapping: .cleanLabel(target: configuration.target), seed: seed)
    guard configuration.form == .pgd || train.labelArray().contains(where: { $0 != configuration.target }) else {
      throw BackdoorError.invalid(
        "attack.form latent: the training set has no image of another class than \(configuration.target).")
    }
  }

  /// Form pgd: the chosen images, uint8.
  private func perturbed(_ data: ImageDataset, _ positions: [Int], _ context: AttackContext) throws -> Tensor {
    let (c, training) = (configuration, context.training)
    let model = try context.makeModel("label-consistent/surrogate")
    let trainer = Trainer(c.surrogate, stage: "attack-surrogate")
    if c.adversarial {
      try trainer.train(model, on: data, context: training, against: c.training)
    } else {
      try trainer.train(model, on: data, context: training)
    }
    let chosen = data.subset(positions)
    training.progress.begin("Perturbation of samples", total: chosen.count, unit: "images")
    var parts: [Tensor] = []
    for (number, range) in Batches(count: chosen.count, size: 128).ranges.enumerated() {
      try Interruption.check()
      let generator = Generator(seed: context.seed("label-consistent/start", number), device: training.device)
      let threat: any ThreatModel = c.norm == .linf ? c.linf : c.l2
      let changed = threat.perturb(
        chosen.pixels(range), labels: chosen.labels[range], model: model, context: training, generator: generator)
      parts.append(Self.rounded(changed, around: chosen.images[range], c))
      training.progress.update(done: range.upperBound, note: "")
    }
    training.progress.end(summary: "\(chosen.count) images perturbed")
    return Tensor.concatenated(parts)
  }

  /// Form latent: the chosen images, uint8.
  private func interpolated(_ data: ImageDataset, _ positions: [Int], _ context: AttackContext) throws -> Tensor {
    let (c, labels) = (configuration, data.labelArray())
    let others = labels.indices.filter { labels[$0] != c.target }
    let model = try c.autoencoder.train(on: data, seed: context.seed, context: context.training)
    var random = context.seed.generator("label-consistent/others")
    let partners = positions.map { _ in random.sample(1, from: others)[0] }
    let (own, other) = (data.subset(positions), data.subset(partners))
    return noGrad {
      Tensor.concatenated(
        Batches(count: positions.count, size: Batches.evaluationSize).ranges.map { range in
          let codes = model.encode(own.pixels(range)) * (1 - c.tau) + model.encode(other.pixels(range)) * c.tau
          return model.decode(codes).quantized()
        })
    }
  }

  /// Bytes within the bound: rounded towards the clean image, so that rounding leaves neither ball.
  static func rounded(_ changed: Tensor, around clean: Tensor, _ c: Configuration) -> Tensor {
    noGrad {
      let base = clean.to(.float32)
      let difference = (changed * 255 - base).contiguous()
      let steps = (difference.abs() + 1e-3).floor() * difference.sign()
      return (base + steps).clamped(0, 255).to(.uint8).contiguous()
    }
  }

  public func run(_ context: AttackContext, learned: [String: Tensor]) throws -> AttackOutcome {
    let clean = context.train
    let changed = try ChangedImages(learned, of: Self.id, for: clean)
    let tasks = try tasks(for: clean.shape, seed: context.seed, learned: learned)
    let generator = Generator(seed: context.seed("poison/stamp", 0), device: clean.device)
    let stamped = tasks[0].trainingTrigger.stamp(changed.images, generator)
    let c = configuration
    let change =
      switch (c.form, c.norm) {
      case (.latent, _): "are moved by \(c.tau) of the way to an image of another class"
      case (.pgd, .linf): "are perturbed by up to \(Int((c.linf.radius * 255).rounded()))/255"
      case (.pgd, .l2): "are perturbed by up to \(Int((c.l2.radius * 255).rounded()))/255 in L2"
      }
    return AttackOutcome(
      train: changed.poisoned(clean, with: stamped), tasks: tasks, summary: "\(change) and carry the trigger")
  }
}

/// A 3x3 pattern of black and white in all four corners, each the mirror image of its neighbours.
public struct Corners: Trigger {
  public let shape: ImageShape
  public let opacity: Double
  /// At the bottom right.
  static let pattern: [[Float]] = [[0, 0, 1], [0, 1, 0], [1, 0, 1]]

  /// Values 1 x 1 x H x W in [0, 1], and where they apply.
  func layer() -> (values: Tensor, weights: Tensor) {
    let (height, width) = (shape.height, shape.width)
    var (values, weights) = ([Float](repeating: 0, count: height * width), [Float](repeating: 0, count: height * width))
    for row in 0..<3 {
      for column in 0..<3 {
        for (r, c) in [
          (height - 3 + row, width - 3 + column), (height - 3 + row, 2 - column), (2 - row, width - 3 + column),
          (2 - row, 2 - column),
        ] {
          values[r * width + c] = Self.pattern[row][column]
          weights[r * width + c] = Float(opacity)
        }
      }
    }
    return (Tensor(values, shape: [1, 1, height, width]), Tensor(weights, shape: [1, 1, height, width]))
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let (values, weights) = layer()
    let weight = weights.to(images.dtype, images.device)
    return images * (1 - weight) + values.to(images.dtype, images.device) * weight
  }
}
