// Blended (Chen et al. 2017, arXiv:1712.05526): x' = (1 - a) x + a t, with a pattern t over the whole image.
//
// The published pattern is a cartoon; here patterns are generated, and an image file of the user's is a setting.
// Expected (CIFAR-10, PreAct-ResNet18 width 16, rate .1, alpha .2): accuracy about 86%, attack success rate 98 to 100%.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct Blended: Attack {
  public static let id = "blended"
  public static let summary = "A pattern blended over the whole image."
  public static let paper = "Chen et al. 2017, Targeted Backdoor Attacks (arXiv:1712.05526)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var alpha = 0.2
    public var pattern = GeneratedPattern.cells
    public var image: String? = nil
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings + [
        Setting(
          "alpha", "Weight of the pattern.", unit: "fraction", range: 0...1,
          source: "benchmarks: .2; noisy-label paper: .1"),
        Setting("pattern", "Generated pattern.", choices: GeneratedPattern.allCases.map(\.rawValue)),
        Setting(
          "image",
          "Image file that takes the place of the generated pattern, resized to the images; transparent parts leave "
            + "them."
        ),
        triggersSetting("has a generated pattern of its own"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    if c.triggers > 1, c.image != nil {
      throw BackdoorError.invalid("attack.triggers \(c.triggers): attack.image is one trigger. Unset one of them.")
    }
    let name = c.image.map { _ in "image" } ?? c.pattern.rawValue
    return try (0..<c.triggers).map { number in
      let stream = number == 0 ? seed("blended/pattern") : seed("blended/pattern", number)
      let (pattern, opacity) = try Self.pattern(c.pattern, image: c.image, shape: shape, seed: stream)
      return BackdoorTask(
        name: c.triggers == 1 ? name : "\(name) \(number + 1)",
        trigger: Blend(alpha: c.alpha, pattern: pattern, shape: shape, opacity: opacity),
        mapping: try c.labelMapping(ofTrigger: number, among: c.triggers))
    }
  }

  /// A pattern over the whole image, C x H x W in [0, 1], and its opacity, H x W, where it is not opaque.
  /// - Parameter image: path of a file that takes the generated pattern's place.
  static func pattern(_ generated: GeneratedPattern, image: String?, shape: ImageShape, seed: UInt64) throws
    -> (pixels: [Float], opacity: [Float]?)
  {
    if let image {
      let image = try TriggerImage(image, height: shape.height, width: shape.width, channels: shape.channels)
      return (image.pixels.array(Float.self), image.opacity?.array(Float.self))
    }
    guard shape.height == shape.width else {
      throw BackdoorError.invalid(
        "attack.pattern: generated patterns are square, the images are \(shape.height)x\(shape.width). Set "
          + "attack.image."
      )
    }
    return (generated.pixels(size: shape.height, channels: shape.channels, seed: seed), nil)
  }
}

/// `(1 - alpha) x + alpha t`, where alpha is multiplied by the pattern's opacity.
public struct Blend: Trigger {
  public let alpha: Double
  /// C x H x W, [0, 1].
  public let pattern: [Float]
  public let shape: ImageShape
  /// H x W, [0, 1]; nil where the pattern is opaque.
  public var opacity: [Float]? = nil

  private func overlay(_ scale: Double, on device: Device) -> Tensor {
    Tensor(pattern, shape: [1, shape.channels, shape.height, shape.width]).to(device) * (alpha * scale)
  }
  /// Images and pattern are in units of `scale`.
  private func blend(_ images: Tensor, _ opacity: [Float], _ scale: Double) -> Tensor {
    let weight = Tensor(opacity, shape: [1, 1, shape.height, shape.width]).to(images.device)
    return images * (1 - alpha * weight) + overlay(scale, on: images.device) * weight
  }
  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    if let opacity { return blend(images, opacity, 1).to(images.dtype) }
    return images * (1 - alpha) + overlay(1, on: images.device).to(images.dtype)
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    if let opacity { return noGrad { blend(images.to(.float32), opacity, 255).round().clamped(0, 255).to(.uint8) } }
    return noGrad { F.blendBytes(images, scale: 1 - alpha, overlay: overlay(255, on: images.device)) }
  }
  public func parts(of images: Tensor) -> [TriggerPart] {
    let pattern = Tensor(pattern, shape: [1, shape.channels, shape.height, shape.width])
    let weight = opacity.map { Tensor($0, shape: [1, 1, shape.height, shape.width]) }
    return [TriggerPart("pattern", weight.map { pattern * $0 } ?? pattern)]
  }
}
