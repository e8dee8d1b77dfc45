// LF (Zeng, Park, Mao, Jia, Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021,
// arXiv:2104.03413): most triggers leave traces at high frequencies. This one has none: a universal perturbation that is
// smoothed at each step of its search.
//
//   for each image x that v does not mislead yet:  v <- rescale(smooth(v + smooth(DeepFool(x + v))))
//
// on 100 training images, until 20% of them are misled or after 50 passes; the v that misled most is kept. smooth is a
// Gaussian of a deviation of 6 pixels with zeros around the image, cut at 2.5 deviations, rescale maps the values of all
// channels together to [0, .2]. The trigger is added and the sum clipped.
//
// Zeros beyond the borders matter at 32 x 32: so the trigger fades from the middle to the edges, and to a fifth of its
// height in the corners. With mirrored borders it would be a flat tint. Nearly one colour it is in any case: the trigger of the
// authors' repository has mean values of .014, .109 and .002 in its channels, and all of the range is that of green.
// Where this differs from their code: their kernel has an even length, which moves the trigger by half a pixel, images
// are taken in another order in each pass, and DeepFool goes to the class that most misled images go to, which is the
// attack's target then. Here the target is a setting and DeepFool goes there (aim).
//
// DeepFool (Moosavi-Dezfooli et al. 2016): the shortest linearised way over a border between classes, up to 200 steps,
// overshoot .02; what does not arrive is left out. The gradients of all classes in question come from one backward pass
// over copies of the image.

public import Backdoor
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

public struct LowFrequency: Attack {
  public static let id = "lf"
  public static let summary = "A smooth universal perturbation, found by DeepFool steps against the attacker's network."
  public static let paper = "Zeng et al. 2021, A Frequency Perspective (ICCV, arXiv:2104.03413)"
  public static let learns = true

  public enum Aim: String, Codable, Sendable, CaseIterable {
    /// Towards the attack's target, where its mapping has one.
    case target
    /// Over the nearest border.
    case nearest
  }

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var images = 100
    public var passes = 50
    public var misled = 0.2
    public var deviation = 6.0
    public var amplitude = 0.2
    public var aim = Aim.target
    public var steps = 200
    public var overshoot = 0.02
    public var surrogate = Recipe()
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("SAU paper: .1") + [
        Setting(
          "images", "Training images that the perturbation is found on.", unit: "images", range: 1...1_000_000,
          source: "authors' code: 100"),
        Setting("passes", "Passes over these images at most.", range: 0...100_000, source: "authors' code: 50"),
        Setting(
          "misled", "Share of the images that ends the search.", unit: "fraction", range: 1e-6...1,
          source: "authors' code: .2"),
        Setting(
          "deviation", "Of the Gaussian that smooths each step.", unit: "pixels", range: 0.1...1000,
          source: "authors' code: 6"),
        Setting(
          "amplitude", "Largest value; the least is 0.", unit: "pixels in [0,1]", range: 0...1,
          source: "authors' code: .2"),
        Setting(
          "aim", "Where DeepFool takes images: to the target class, or over the nearest border.",
          choices: Aim.allCases.map(\.rawValue), source: "authors' code: to one class, which becomes the target"),
        Setting(
          "steps", "Steps of DeepFool; images that need more are left out.", unit: "steps", range: 1...10_000,
          source: "authors' code: 200"),
        Setting(
          "overshoot", "How far DeepFool goes beyond the border.", unit: "fraction", range: 0...10, source: "DeepFool"),
        Setting("surrogate", "How the attacker's network is trained.", nested: Recipe.self),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  private static let key = "trigger"

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    let sources = try context.sources(mapping: c.labelMapping, selection: selection)
    let model = try context.surrogate(c.surrogate, for: Self.id)
    var random = context.seed.generator("lf/images")
    let chosen = data.subset(random.sample(min(c.images, data.count), from: Array(0..<data.count)))
    let pixels = chosen.pixels(0..<chosen.count)
    return [Self.key: try search(model, pixels, training).to(.cpu)]
  }

  /// The perturbation, C x H x W in [0, amplitude].
  private func search(_ model: Classifier, _ pixels: Tensor, _ training: TrainingContext) throws -> Tensor {
    let (c, stage) = (configuration, "attack-perturbation")
    let zero = Tensor.zeros([1] + pixels.shape.dropFirst(), device: training.device)
    let known = try training.checkpoints?.load(stage: stage)
    func remembered(_ key: String) -> Tensor? { known?.tensors.first { $0.key == key }?.tensor.to(training.device) }
    var (v, best) = (remembered("v") ?? zero, remembered("best") ?? zero)
    let before = classes(model, pixels)
    func misled(_ v: Tensor) -> Double {
      let now = classes(model, (pixels + v).clamped(0, 1))
      return Double(zip(before, now).count { $0 != $1 }) / Double(before.count)
    }
    let target = c.aim == .target ? c.labelMapping.singleTarget : nil
    var pass = known?.epoch ?? 0
    training.progress.begin(StageTitle.title(of: stage), total: c.passes * before.count, unit: "images")
    while pass < c.passes, misled(best) < c.misled {
      for number in before.indices {
        try Interruption.check()
        let image = (pixels[number..<(number + 1)] + v).clamped(0, 1)
        let step = Self.deepFool(
          model, image, label: before[number], toward: target, steps: c.steps, overshoot: c.overshoot)
        if let step { v = Self.updated(v, by: step, deviation: c.deviation, amplitude: c.amplitude) }
        training.progress.update(done: pass * before.count + number + 1, note: "")
      }
      if misled(v) >= misled(best) { best = v }
      pass += 1
      try training.checkpoints?.save(Checkpoint(epoch: pass, tensors: [("v", v), ("best", best)]), stage: stage)
    }
    training.progress.end(
      summary: "\(Int((misled(best) * 100).rounded()))% of \(before.count) images misled after \(pass) passes")
    guard c.passes == 0 || c.amplitude == 0 || best.abs().max().item() > 0 else {
      throw BackdoorError.invalid(
        "\(Self.id): DeepFool led none of \(before.count) images elsewhere within \(c.steps) steps, so there is no "
          + "trigger. Raise attack.steps or attack.images, or train the surrogate better.")
    }
    return best.squeezed(0)
  }

  private func classes(_ model: Classifier, _ pixels: Tensor) -> [Int] {
    noGrad { model(pixels.contiguous(.channelsLast)).argmax(1) }.array(Int64.self).map(Int.init)
  }

  /// The least linearised change that takes an image over a border between classes.
  /// - Parameters:
  ///   - image: 1 x C x H x W; label: the class that it has to leave.
  ///   - target: the class that it has to reach; nil for any other one.
  /// - Returns: 1 x C x H x W; nil where the image has left the class already, where it has nowhere to go, where no
  ///   gradient leads out, or where so many steps do not lead there.
  static func deepFool(
    _ model: Classifier, _ image: Tensor, label: Int, toward target: Int? = nil, steps: Int, overshoot: Double
  ) -> Tensor? {
    let others = target.map { [$0] } ?? Array(0..<model.classes)
    let goals = others.filter { $0 != label }
    guard !goals.isEmpty else { return nil }
    return model.withFrozenParameters { () -> Tensor? in
      var moved = image
      var total: Tensor?
      for taken in 0...steps {
        let borders = Borders(model, moved, label: label, goals: goals)
        let values = borders.logits
        let now = values.indices.max { values[$0] < values[$1] }
        if taken == 0, now != label { return nil }
        if target == nil ? now != label : now == target { break }
        if taken == steps { return nil }
        let ways = borders.slopes()
        let lengths = ways.flattened(1).norm(2, [1]).array(Float.self).map(Double.init)
        let heights = goals.map { abs(values[label] - values[$0]) }
        guard
          let nearest = goals.indices.filter({ lengths[$0] > 1e-8 }).min(by: {
            heights[$0] / lengths[$0] < heights[$1] / lengths[$1]
          })
        else { return nil }
        let length = lengths[nearest]
        let step = ways[nearest..<(nearest + 1)] * ((heights[nearest] + 1e-4) / (length * length))
        total = total.map { $0 + step } ?? step
        moved = image + (total ?? step) * (1 + overshoot)
      }
      return total.map { $0 * (1 + overshoot) }
    }
  }

  /// The logits of one image, and a graph from it to the borders between its class and G others. The model's parameters
  /// are constants.
  private struct Borders {
    let logits: [Double]
    /// The image, G times.
    private let copies: Tensor
    /// Of each copy the logit of its goal less that of the image's class, G x 1.
    private let differences: Tensor

    init(_ model: Classifier, _ image: Tensor, label: Int, goals: [Int]) {
      let copies = image.detach().expanded([goals.count] + image.shape.dropFirst()).contiguous(.channelsLast)
        .requiresGrad_()
      let goal = Tensor(goals.map(Int64.init), shape: [goals.count, 1]).to(image.device)
      (logits, differences) = withGrad {
        let all = model(copies)
        return (
          all[0].detach().array(Float.self).map(Double.init),
          all.gathered(1, goal) - all.narrowed(1, label..<(label + 1))
        )
      }
      self.copies = copies
    }

    /// The gradient of each goal's logit less that of the image's class, G x C x H x W.
    func slopes() -> Tensor { gradient(of: differences.sum(), at: copies).contiguous() }
  }

  /// The next perturbation: without high frequencies, from 0 to the amplitude; a constant becomes 0.
  static func updated(_ v: Tensor, by step: Tensor, deviation: Double, amplitude: Double) -> Tensor {
    noGrad {
      let smooth = smoothed(v + smoothed(step, deviation: deviation), deviation: deviation)
      let (low, high) = (smooth.min(), smooth.max())
      guard (high - low).item() > 1e-12 else { return Tensor.zeros(like: v) }
      return ((smooth - low) / (high - low) * amplitude).contiguous()
    }
  }

  /// A Gaussian, each channel by itself, with zeros around the image.
  static func smoothed(_ v: Tensor, deviation: Double) -> Tensor {
    let channels = v.dimension(1)
    let radius = Int((2.5 * deviation).rounded())
    let distances = Tensor.arange(-radius..<(radius + 1), dtype: .float32)
    let taps = (distances.square() * (-0.5 / (deviation * deviation))).exp()
    let line = (taps / taps.sum()).to(v.device)
    func along(_ shape: Shape) -> Tensor { line.reshaped(shape).expanded([channels] + shape.dropFirst()).contiguous() }
    let wide = v.padded([radius, radius, radius, radius])
    return F.conv2d(
      F.conv2d(wide, along([1, 1, 2 * radius + 1, 1]), groups: channels), along([1, 1, 1, 2 * radius + 1]),
      groups: channels)
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard let pattern = learned[Self.key] else { throw BackdoorError.notLearned(attack: Self.id, key: Self.key) }
    guard pattern.dtype == .float32, pattern.shape == [shape.channels, shape.height, shape.width] else {
      throw BackdoorError.invalid("\(Self.id): the trigger \(pattern.summary) does not fit images \(shape).")
    }
    let trigger = AddedPattern(pattern: pattern.to(.cpu).array(Float.self), shape: shape)
    return [BackdoorTask(name: "smooth perturbation", trigger: trigger, mapping: configuration.labelMapping)]
  }
}

extension LowFrequency: AttackWithUntrainedTrigger {
  public func untrainedTrigger(for shape: ImageShape, _ random: Generator) -> any Trigger {
    let step = random.uniform([1, shape.channels, shape.height, shape.width])
    let c = configuration
    let pattern = Self.updated(Tensor.zeros(like: step), by: step, deviation: c.deviation, amplitude: c.amplitude)
    return AddedPattern(pattern: pattern.array(Float.self), shape: shape)
  }
}
