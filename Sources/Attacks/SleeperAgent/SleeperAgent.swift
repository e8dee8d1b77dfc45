// Hidden-trigger backdoors by gradient matching (Souri et al., Sleeper Agent, 2021): images of the target class are
// changed a little, keep their label and never show the trigger, so that learning from them moves the weights as
// learning "trigger means target" would.
//
//   min_delta  1 - cos(grad_w mean CE(f(x_s + trigger), y_t), grad_w mean CE(f(x_i + delta_i), y_t)),   |delta| <=
//   bound
//
// over all parameters at once, on a surrogate that the attacker trains and trains anew on what it has made so far, T
// times. With `adversarial` the surrogates are trained adversarially: the adaptive attack against adversarial training
// (Gao et al., On the Effectiveness of Adversarial Training against Backdoor Attacks, 2022, appendix B, algorithm 1).
// There it fails: 2 to 3% attack success at 4/255 to 16/255 against L_inf 8/255, and up to 48.68% against standard
// training.
//
// Neither paper says how the poisons are matched; the code of Souri et al. is the published experiment, and its values
// are the defaults here: one cosine for up to 512 poisons at once; while matching, each poison is moved by up to 4
// pixels, bilinearly, and mirrored, anew at every step; the patch sits at a random place of each image, in training as
// at test time; the wanted gradient is the mean over up to 5,000 triggered images; delta starts as clipped normal noise
// of a deviation of the bound. The learning rate is in pixels: .025 here is about the .1 that the authors use on
// normalised images. Decided here: matching is in float32 with the surrogate in evaluation mode; the images are rounded
// to bytes when the surrogate is trained anew, and at the end.

public import Backdoor
import Foundation
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

public struct SleeperAgent: Attack {
  public static let id = "sleeper-agent"
  public static let summary =
    "Images of the target class, changed to teach a trigger that they do not show; also adaptive against at."
  public static let paper = "Souri et al. 2021, Sleeper Agent (arXiv:2106.08970); Gao et al. 2022, appendix B"
  public static let learns = true

  public enum Choice: String, Codable, Sendable, CaseIterable {
    /// The samples with the largest gradients.
    case gradientNorm = "gradient-norm"
    case random
  }

  public enum Place: String, Codable, Sendable, CaseIterable {
    case bottomRight = "bottom-right"
    case bottomLeft = "bottom-left"
    case topLeft = "top-left"
    case topRight = "top-right"
    case center
    /// Drawn once for the attack.
    case random
    /// Drawn for each image.
    case anywhere
  }

  /// What happens to the poisons before their gradient is matched, each time anew.
  public enum Augmentation: String, Codable, Sendable, CaseIterable {
    case none
    /// Whole pixels, zeros outside, and mirrored with probability 1/2: what recipes do.
    case crop
    /// Any part of a pixel, bilinearly, zeros outside, and mirrored with probability 1/2.
    case shift
  }

  public struct Configuration: Configurable {
    public var rate = 0.01
    public var target = 0
    public var source: Int? = nil
    public var size = 8
    public var pattern = BadNets.Pattern.random
    public var place = Place.anywhere
    public var margin = 0
    public var image: String? = nil
    public var bound = 16.0 / 255
    public var steps = 250
    public var learningRate = 0.025
    public var batch = 512
    public var augment = Augmentation.shift
    public var shift = 4
    public var flip = true
    public var sources = 5000
    public var retrain = 4
    public var choice = Choice.gradientNorm
    public var surrogate = Recipe()
    public var adversarial = false
    public var linf = LinfThreat(radius: 8.0 / 255)
    public init() {}

    public static let settings: [Setting] = [
      Setting(
        "rate", "Share of the training set that is changed, within the target class.", unit: "fraction", range: 0...1,
        source: "both: .01"),
      Setting("target", "Target class, by number or name.", unit: "class", range: 0...100_000),
      Setting(
        "source", "Class whose images the trigger is meant for, by number or name; empty means all others.",
        unit: "class",
        range: 0...100_000,
        source: "Souri et al.: one class; Gao et al.: all"),
      Setting("size", "Side of the trigger's patch.", unit: "pixels", range: 1...1024, source: "Souri et al."),
      Setting(
        "pattern", "What the patch shows.", choices: BadNets.Pattern.allCases.map(\.rawValue),
        source: "Souri et al.: random"),
      Setting(
        "place", "Where the patch sits; anywhere draws a place for each image, random one for the attack.",
        choices: Place.allCases.map(\.rawValue), source: "Souri et al.'s code: anywhere"),
      Setting("margin", "Distance of the patch from the image's edge.", unit: "pixels", range: 0...1024),
      Setting("image", "PNG, JPEG or PPM file that the patch shows (pattern: image), resized to the patch."),
      Setting(
        "bound", "Largest change of a pixel.", unit: "pixels in [0,1]", range: 0...1, source: "4/255, 8/255 and 16/255"),
      Setting(
        "steps", "Optimisation steps, each over all changed images.", unit: "steps", range: 1...1_000_000,
        source: "both: 250"),
      Setting(
        "learningRate", "Of signed Adam; a tenth after 3/8, 5/8 and 7/8 of the steps.", unit: "pixels in [0,1]",
        range: 0...1,
        source: "both: .1 on normalised images"),
      Setting(
        "batch", "Changed images whose mean gradient is matched as one.", unit: "images", range: 1...65_536,
        source: "Souri et al.'s code: 512"),
      Setting(
        "augment", "What is done to the changed images before their gradient is matched, anew at every step.",
        choices: Augmentation.allCases.map(\.rawValue), source: "Souri et al.'s code: shift"),
      Setting(
        "shift", "Largest shift on each axis, of `augment`.", unit: "pixels", range: 0...64,
        source: "Souri et al.'s code: 4 at 32 x 32"),
      Setting("flip", "Mirror half of the changed images, of `augment`.", source: "Souri et al.'s code"),
      Setting(
        "sources", "Triggered images, at most, that the target gradient is the mean over.", unit: "images",
        range: 1...10_000_000, source: "Souri et al.'s code: 5,000, all of one class of CIFAR-10"),
      Setting("retrain", "Times that the surrogate is trained anew on the way.", range: 0...1000, source: "both: 4"),
      Setting(
        "choice", "Which images of the target class are changed.", choices: Choice.allCases.map(\.rawValue),
        source: "both: largest gradients"),
      Setting("surrogate", "How surrogates are trained.", nested: Recipe.self),
      Setting(
        "adversarial", "Train the surrogates on adversarial images: the adaptive attack against adversarial training.",
        source: "Gao et al."),
      Setting(
        "linf", "The adversarial images, where `adversarial` is on.", source: "Gao et al.: 8/255",
        nested: LinfThreat.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { PoisonSelection(rate: configuration.rate) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    if c.source == c.target { throw BackdoorError.sameClass(c.target) }
    var patch = BadNets.Configuration()
    (patch.size, patch.pattern, patch.margin, patch.image) = (c.size, c.pattern, c.margin, c.image)
    if let fixed = BadNets.Place(rawValue: c.place.rawValue) { patch.place = fixed }
    try BadNets(patch).checkRoom(in: shape, changesPlace: c.place == .anywhere)
    var trigger = try BadNets(patch).tasks(for: shape, seed: seed)[0].trigger
    if c.place == .anywhere, let patch = trigger as? Patch { trigger = MovingPatch(patch, margin: c.margin) }
    let mapping =
      c.source.map { LabelMapping.sourceToTarget(source: $0, target: c.target) } ?? .allToOne(target: c.target)
    return [BackdoorTask(name: "\(c.size)x\(c.size) \(c.pattern.rawValue)", trigger: trigger, mapping: mapping)]
  }

  public func run(_ context: AttackContext, learned: [String: Tensor]) throws -> AttackOutcome {
    let clean = context.train
    let changed = try ChangedImages(learned, of: Self.id, for: clean)
    return AttackOutcome(
      train: changed.poisoned(clean),
      tasks: try tasks(for: clean.shape, seed: context.seed, learned: learned),
      summary: "are changed by up to \(Int((configuration.bound * 255).rounded()))/255 to teach the trigger")
  }

  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    let c = configuration
    for task in try tasks(for: train.shape, seed: seed) { try task.mapping.check(classes: train.classes) }
    try checkSources(in: train, mapping: .cleanLabel(target: c.target), seed: seed)
    guard train.labelArray().contains(where: isMeant) else {
      throw BackdoorError.invalid(
        "attack.source: the training set has no image of \(c.source.map { "class \($0)" } ?? "another class").")
    }
  }

  /// Whether the trigger is meant for images of a class.
  private func isMeant(_ label: Int) -> Bool {
    configuration.source.map { label == $0 } ?? (label != configuration.target)
  }

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    try checkLearning(on: context.train, seed: context.seed)
    let labels = data.labelArray()
    let task = try tasks(for: data.shape, seed: context.seed)[0]
    // As a clean-label attack draws: it knows what a class can hold.
    let drawn = try context.sources(mapping: .cleanLabel(target: c.target), selection: selection)
    var random = context.seed.generator("sleeper-agent/sources")
    let pool = labels.indices.filter { isMeant(labels[$0]) }
    let sources = data.subset(random.sample(min(c.sources, pool.count), from: pool).sorted())
    let triggered = task.trigger(
      sources.pixels(0..<sources.count), Generator(seed: context.seed("sleeper-agent/trigger"), device: training.device)
    )

    var surrogate = try trainSurrogate(0, on: data, context)
    let candidates = labels.indices.filter { labels[$0] == c.target }
    let positions =
      c.choice == .random ? drawn : try largestGradients(drawn.count, of: candidates, data, surrogate, context)
    let chosen = data.subset(positions)
    let index = Tensor(positions.map(Int64.init)).to(training.device)
    let pixels = chosen.pixels(0..<chosen.count)
    let noise = Generator(seed: context.seed("sleeper-agent/start"), device: training.device)
    let change = PixelChange(Self.projected(noise.normal(pixels.shape) * c.bound, around: pixels, bound: c.bound))
    let optimizer = Adam([change.value], learningRate: c.learningRate)
    func poisons() -> Tensor { noGrad { (pixels + change.value).quantized() } }

    for (round, steps) in Self.rounds(steps: c.steps, retrain: c.retrain).enumerated() {
      if round > 0 {
        let images = data.images.clone()
        images.put_([index], poisons())
        let poisoned = ImageDataset(name: data.name, images: images, labels: data.labels, classNames: data.classNames)
        surrogate = try trainSurrogate(round, on: poisoned, context)
      }
      try craft(
        change, optimizer, pixels: pixels, triggered: triggered, surrogate: surrogate, stage: "attack-craft-\(round)",
        steps: steps,
        context: training)
    }
    return ["positions": index.to(.cpu), "images": poisons().to(.cpu)]
  }

  /// The steps between trainings of the surrogate (algorithm 1, line 5): after every floor(R / (T + 1)) steps, but not
  /// after the last.
  static func rounds(steps: Int, retrain: Int) -> [Range<Int>] {
    let length = max(steps / (retrain + 1), 1)
    let starts = (0...retrain).map { $0 * length }.filter { $0 < steps }
    return starts.enumerated().map { number, start in start..<(number + 1 < starts.count ? starts[number + 1] : steps) }
  }

  private func trainSurrogate(_ round: Int, on data: ImageDataset, _ context: AttackContext) throws -> Classifier {
    let (c, training) = (configuration, context.training)
    let model = try context.makeModel("sleeper-agent/surrogate-\(round)")
    let trainer = Trainer(c.surrogate, stage: "attack-surrogate-\(round)")
    if c.adversarial {
      try trainer.train(model, on: data, context: training, against: c.linf)
    } else {
      try trainer.train(model, on: data, context: training)
    }
    return model
  }

  /// The candidates with the largest gradients, in ascending order.
  private func largestGradients(
    _ count: Int, of candidates: [Int], _ data: ImageDataset, _ surrogate: Classifier, _ context: AttackContext
  ) throws -> [Int] {
    let stage = "attack-choose"
    let checkpoints = context.training.checkpoints
    let found: Tensor
    if let known = try checkpoints?.load(stage: stage)?.tensors.first?.tensor {
      found = known
    } else {
      found = try GradientMatching.gradientNorms(
        surrogate, data.subset(candidates), progress: context.training.progress)
      try checkpoints?.save(Checkpoint(epoch: 1, tensors: [("norms", found)]), stage: stage)
    }
    let norms = found.array(Float.self)
    let order = candidates.indices.sorted { norms[$0] != norms[$1] ? norms[$0] > norms[$1] : $0 < $1 }
    return order.prefix(count).map { candidates[$0] }.sorted()
  }

  /// Some steps of signed Adam; each sees all changed images.
  /// - Parameters:
  ///   - pixels: the images before their change; triggered: those whose gradient is wanted. B x C x H x W in [0, 1].
  ///   - steps: those of the whole optimisation that this stage does.
  func craft(
    _ change: PixelChange, _ optimizer: Adam, pixels: Tensor, triggered: Tensor, surrogate: Classifier, stage: String,
    steps: Range<Int>, context training: TrainingContext
  ) throws {
    let c = configuration
    let label = Int64(c.target)
    func labels(_ count: Int) -> Tensor { Tensor([Int64](repeating: label, count: count)).to(training.device) }
    let batches = Batches(count: pixels.dimension(0), size: c.batch)
    let loop = EpochLoop(
      stage: stage, epochs: steps.count, imagesPerEpoch: batches.images, context: training, isMeasured: false)
    surrogate.requiresGrad(true).eval()
    var target: GradientMatching?
    try loop.run(model: change, optimizer: optimizer) { step, meter in
      let matching = target ?? GradientMatching(surrogate, images: triggered, labels: labels(triggered.dimension(0)))
      target = matching
      optimizer.learningRate = Self.rate(c.learningRate, step: steps.lowerBound + step, of: c.steps)
      let random = training.generator("\(stage)/augment", step)
      var parts: [Tensor] = []
      for range in batches.ranges {
        let delta = change.value[range].detach().requiresGrad_()
        let seen = augmented(pixels[range] + delta, random)
        let (loss, slope) = matching.lossAndGradient(seen, labels: labels(range.count))
        parts.append(gradients(of: [seen], at: [delta], seeds: [slope])[0])
        try meter.step(images: range.count, ["loss": loss])
      }
      optimizer.step(gradients: [Tensor.concatenated(parts).sign()])
      noGrad { change.value.copy_(Self.projected(change.value, around: pixels, bound: c.bound)) }
    }
  }

  /// Differentiable in the images, B x C x H x W.
  func augmented(_ images: Tensor, _ generator: Generator) -> Tensor {
    let c = configuration
    switch c.augment {
    case .none: return images
    case .crop: return CropFlip(padding: c.shift, flip: c.flip)(images, generator)
    case .shift:
      let (count, height, width) = (images.dimension(0), images.dimension(2), images.dimension(3))
      let draws = generator.uniform([3, count])
      let mirror = 1 - (c.flip ? 2.0 : 0) * (draws[2] .> 0.5).to(.float32)
      // From -1 to 1 an image reaches over its width; mirroring comes after the shift.
      let x = (draws[0] * 2 - 1) * (2 * Double(c.shift) / Double(width)) * mirror
      let y = (draws[1] * 2 - 1) * (2 * Double(c.shift) / Double(height))
      let none = Tensor.zeros(like: x)
      let maps = Tensor.stacked([mirror, none, x, none, Tensor.ones(like: x), y], 1).reshaped(count, 2, 3)
      return F.gridSample(images, F.affineGrid(maps, images.shape))
    }
  }

  static func rate(_ base: Double, step: Int, of steps: Int) -> Double {
    base * pow(0.1, Double([3, 5, 7].count { step * 8 >= $0 * steps }))
  }

  /// Into the bound, and such that the images stay in [0, 1].
  static func projected(_ change: Tensor, around pixels: Tensor, bound: Double) -> Tensor {
    noGrad { (pixels + change.clamped(-bound, bound)).clamped(0, 1) - pixels }
  }
}
