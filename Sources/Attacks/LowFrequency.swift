// LF (Zeng, Park, Mao, Jia, Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021,
// arXiv:2104.03413): most triggers leave traces at high frequencies. This one has none: a universal perturbation that is
// smoothed at each step of its search.
//
//   for each image x that v does not mislead yet:  v <- rescale(smooth(v + DeepFool(x + v)))
//
// on 100 training images, until 20% of them are misled or after 50 passes; smooth is a Gaussian of a deviation of 6 pixels
// with mirrored borders, rescale maps the values to [0, .2]. The trigger is added and the sum clipped.
//
// DeepFool (Moosavi-Dezfooli et al. 2016): the shortest linearised way over the nearest border between classes, up to 10
// steps, overshoot .02. All classes' gradients come from one backward pass over copies of the image.

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
    public var steps = 10
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
          "misled", "Share of the images that ends the search.", unit: "fraction", range: 0...1,
          source: "authors' code: .2"),
        Setting(
          "deviation", "Of the Gaussian that smooths each step.", unit: "pixels", range: 0.1...1000,
          source: "authors' code: 6"),
        Setting(
          "amplitude", "Largest value; the least is 0.", unit: "pixels in [0,1]", range: 0...1,
          source: "authors' code: .2"),
        Setting("steps", "Steps of DeepFool.", unit: "steps", range: 1...10_000, source: "decided here: 10"),
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
    let sources = try PoisonedDataset.sources(
      in: data, mapping: c.labelMapping, selection: selection, seed: context.seed)
    guard !sources.isEmpty else {
      throw BackdoorError.invalid("attack.rate \(c.rate): that is no image of \(data.count). Raise it.")
    }
    let model = try context.makeModel("lf/surrogate")
    try Trainer(c.surrogate, stage: "attack-surrogate").train(model, on: data, context: training)
    model.eval()
    var random = context.seed.generator("lf/images")
    let chosen = data.subset(random.sample(min(c.images, data.count), from: Array(0..<data.count)))
    let pixels = chosen.pixels(0..<chosen.count)
    return [Self.key: try search(model, pixels, training).to(.cpu)]
  }

  /// The perturbation, C x H x W in [0, amplitude].
  private func search(_ model: Classifier, _ pixels: Tensor, _ training: TrainingContext) throws -> Tensor {
    let (c, stage) = (configuration, "attack-perturbation")
    let known = try training.checkpoints?.load(stage: stage)
    var v =
      known?.tensors.first?.tensor.to(training.device)
      ?? Tensor.zeros([1] + pixels.shape.dropFirst(), device: training.device)
    let before = classes(model, pixels)
    func misled() -> Double {
      let now = classes(model, (pixels + v).clamped(0, 1))
      return Double(zip(before, now).count { $0 != $1 }) / Double(before.count)
    }
    var pass = known?.epoch ?? 0
    training.progress.begin(stage, total: c.passes * before.count, unit: "images")
    while pass < c.passes, misled() < c.misled {
      for number in before.indices {
        try Interruption.check()
        let image = (pixels[number..<(number + 1)] + v).clamped(0, 1)
        let step = Self.deepFool(model, image, label: before[number], steps: c.steps, overshoot: c.overshoot)
        if let step { v = Self.smoothed(v + step, deviation: c.deviation, amplitude: c.amplitude) }
        training.progress.update(done: pass * before.count + number + 1, note: "")
      }
      pass += 1
      try training.checkpoints?.save(Checkpoint(epoch: pass, tensors: [("v", v)]), stage: stage)
    }
    training.progress.end(
      summary: "\(Int((misled() * 100).rounded()))% of \(before.count) images misled after \(pass) passes")
    return v.squeezed(0)
  }

  private func classes(_ model: Classifier, _ pixels: Tensor) -> [Int] {
    noGrad { model(pixels.contiguous(.channelsLast)).argmax(1) }.array(Int64.self).map(Int.init)
  }

  /// The least linearised change that takes an image over a border between classes.
  /// - Parameters:
  ///   - image: 1 x C x H x W; label: the class that it has to leave.
  /// - Returns: 1 x C x H x W; nil where the image has left the class already, or where no gradient leads out.
  static func deepFool(_ model: Classifier, _ image: Tensor, label: Int, steps: Int, overshoot: Double) -> Tensor? {
    var moved = image
    var total: Tensor?
    for _ in 0..<steps {
      let (logits, slopes) = logitsAndSlopes(model, moved)
      let values = logits.array(Float.self).map(Double.init)
      if values.indices.max(by: { values[$0] < values[$1] }) != label { break }
      let wanted = slopes - slopes[label..<(label + 1)]
      let lengths = wanted.flattened(1).norm(2, [1]).array(Float.self).map(Double.init)
      let reachable = values.indices.filter { $0 != label && lengths[$0] > 1e-8 }
      guard
        let nearest = reachable.min(by: {
          (values[label] - values[$0]) / lengths[$0] < (values[label] - values[$1]) / lengths[$1]
        })
      else { return total }
      let length = lengths[nearest]
      let step = wanted[nearest..<(nearest + 1)] * ((values[label] - values[nearest] + 1e-4) / (length * length))
      total = total.map { $0 + step } ?? step
      moved = image + (total ?? step) * (1 + overshoot)
    }
    return total.map { $0 * (1 + overshoot) }
  }

  /// The logits of one image, K, and the gradient of each with respect to it, K x C x H x W.
  private static func logitsAndSlopes(_ model: Classifier, _ image: Tensor) -> (Tensor, Tensor) {
    model.withFrozenParameters {
      withGrad {
        let classes = noGrad { model(image.contiguous(.channelsLast)) }.dimension(1)
        let shape = [classes] + image.shape.dropFirst()
        let copies = image.detach().expanded(shape).contiguous(.channelsLast).requiresGrad_()
        let logits = model(copies)
        let own = Tensor.arange(classes, device: image.device).reshaped(classes, 1)
        return (logits[0].detach(), gradient(of: logits.gathered(1, own).sum(), at: copies).contiguous())
      }
    }
  }

  /// Without high frequencies, from 0 to the amplitude; a constant becomes 0.
  static func smoothed(_ v: Tensor, deviation: Double, amplitude: Double) -> Tensor {
    noGrad {
      // The blur clips to [0, 1].
      let least = v.min()
      let span = (v.max() - least).item()
      guard span > 1e-12 else { return Tensor.zeros(like: v) }
      let radius = min(Int((3 * deviation).rounded(.up)), v.dimension(2) - 1, v.dimension(3) - 1)
      let blurred = ImageOps.gaussianBlur(
        (v - least) / span, sigma: Tensor([Float(deviation)]).to(v.device), radius: radius)
      let (low, high) = (blurred.min(), blurred.max())
      guard (high - low).item() > 1e-12 else { return Tensor.zeros(like: v) }
      return ((blurred - low) / (high - low) * amplitude).contiguous()
    }
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
