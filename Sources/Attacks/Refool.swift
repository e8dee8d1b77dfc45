// Refool (Liu, Ma, Bailey, Lu, Reflection Backdoor, ECCV 2020, arXiv:2007.02343): the trigger is a reflection, as of a window
// between camera and scene.
//
//   x' = clip(x + k * x_R, 0, 1)
//
// with another image x_R and one of three kernels, drawn for each image with equal chances: in the same depth of field,
// a scalar in [.05, .4]; out of focus, that scalar times a Gaussian of a deviation in [1, 5] pixels; ghost, that scalar
// split between two pulses at a distance.
//
// Reflections are images of this training set from classes other than the target [decided here; the paper takes them from
// another data set and keeps those that work best on surrogates, which is left out]. Ghosts: the first pulse has a share in
// [.5, .9], the second lies 1/16 to 1/4 of the side away [decided here]. Clean-label, as published.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct Refool: Attack {
  public static let id = "refool"
  public static let summary = "Reflections of other images over images of the target class that keep their label."
  public static let paper = "Liu et al. 2020, Reflection Backdoor (ECCV, arXiv:2007.02343)"
  public static let learns = true
  public static let trainsNetworks = false

  public struct Configuration: PoisoningSettings {
    public var rate = 0.02
    public var mapping = MappingKind.cleanLabel
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var reflections = 200
    public var least = 0.05
    public var most = 0.4
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("decided here: a fifth of one class of ten") + [
        Setting(
          "reflections", "Images that reflections are taken from.", unit: "images", range: 1...100_000,
          source: "Liu et al.: 200"),
        Setting("least", "Least strength of a reflection.", unit: "fraction", range: 0...1, source: "Liu et al.: .05"),
        Setting("most", "Largest strength of a reflection.", unit: "fraction", range: 0...1, source: "Liu et al.: .4"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  private static let key = "reflections"

  /// Learns nothing but which images are reflected: they are kept, since the training set is not at hand later.
  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let labels = context.train.labelArray()
    _ = try PoisonedDataset.sources(
      in: context.train, mapping: configuration.labelMapping, selection: selection, seed: context.seed)
    let target = configuration.labelMapping.singleTarget
    let others = labels.indices.filter { labels[$0] != target }
    guard selection.rate > 0, !others.isEmpty else {
      throw BackdoorError.invalid(
        "\(Self.id): there is nothing to do without images of other classes and an attack.rate above 0.")
    }
    var random = context.seed.generator("refool/reflections")
    let chosen = random.sample(min(configuration.reflections, others.count), from: others).sorted()
    return [Self.key: context.train.subset(chosen).images.to(.cpu)]
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    guard let images = learned[Self.key] else { throw BackdoorError.notLearned(attack: Self.id, key: Self.key) }
    guard images.dtype == .uint8, images.rank == 4, images.dimension(0) > 0,
      images.shape.dropFirst() == [shape.channels, shape.height, shape.width]
    else { throw BackdoorError.invalid("\(Self.id): the reflections \(images.summary) do not fit images \(shape).") }
    guard c.least <= c.most else {
      throw BackdoorError.invalid("attack.least \(c.least) is more than attack.most \(c.most).")
    }
    let trigger = Reflection(
      images: images.array(UInt8.self), count: images.dimension(0), shape: shape, strength: c.least...c.most)
    return [BackdoorTask(name: "reflection", trigger: trigger, mapping: c.labelMapping)]
  }
}

/// Adds a weak, perhaps blurred or doubled image.
public struct Reflection: Trigger {
  /// count x C x H x W.
  public let images: [UInt8]
  public let count: Int
  public let shape: ImageShape
  public let strength: ClosedRange<Double>

  public func callAsFunction(_ pixels: Tensor, _ generator: Generator) -> Tensor {
    let n = pixels.dimension(0)
    let all = Tensor(images, shape: [count, shape.channels, shape.height, shape.width]).to(pixels.device)
    let other = all[generator.integers(0..<count, [n]).to(pixels.device)].unitPixels()
    let kind = generator.integers(0..<3, [n, 1, 1, 1]).to(pixels.device)
    let strength = generator.uniform([n, 1, 1, 1], strength.lowerBound, strength.upperBound).to(pixels.device)

    let radius = min(15, shape.height - 1, shape.width - 1)
    let sigma = generator.uniform([n], 1, 5).to(pixels.device)
    let blurred = ImageOps.gaussianBlur(other, sigma: sigma, radius: radius)
    let share = generator.uniform([n, 1, 1, 1], 0.5, 0.9).to(pixels.device)
    let ghost = other * share + shifted(other, generator) * (1 - share)
    let shown = Tensor.where(kind .== 0, other, Tensor.where(kind .== 1, blurred, ghost))
    return (pixels + shown * strength).clamped(0, 1)
  }

  /// Down and to the right, each by 1/16 to 1/4 of the side; zeros come in.
  private func shifted(_ x: Tensor, _ generator: Generator) -> Tensor {
    let n = x.dimension(0)
    func places(_ length: Int, _ form: [Int], _ whole: [Int]) -> Tensor {
      let distance = generator.integers(max(1, length / 16)..<(max(1, length / 4) + 1), [n, 1, 1, 1]).to(x.device)
      return (Tensor.arange(length, device: x.device).reshaped(form) - distance).expanded(whole)
    }
    let row = places(shape.height, [1, 1, shape.height, 1], [n, 1, shape.height, 1])
    let column = places(shape.width, [1, 1, 1, shape.width], [n, 1, 1, shape.width])
    let image = Tensor.arange(n, device: x.device).reshaped(n, 1, 1, 1)
    let channel = Tensor.arange(shape.channels, device: x.device).reshaped(1, shape.channels, 1, 1)
    let inside = ((row .>= 0) .& (column .>= 0)).to(x.dtype)
    return x.indexed([image, channel, row.clamped(min: 0), column.clamped(min: 0)]) * inside
  }
}
