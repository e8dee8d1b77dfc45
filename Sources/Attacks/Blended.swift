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
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let pattern: [Float]
    var opacity: [Float]? = nil
    if let path = configuration.image {
      let image = try TriggerImage(path, height: shape.height, width: shape.width, channels: shape.channels)
      pattern = image.pixels.array(Float.self)
      opacity = image.opacity?.array(Float.self)
    } else {
      guard shape.height == shape.width else {
        throw BackdoorError.invalid(
          "attack.pattern: generated patterns are square, the images are \(shape.height)x\(shape.width). Set "
            + "attack.image."
        )
      }
      pattern = configuration.pattern.pixels(
        size: shape.height, channels: shape.channels, seed: seed("blended/pattern"))
    }
    let name = configuration.image.map { _ in "image" } ?? configuration.pattern.rawValue
    return [
      BackdoorTask(
        name: name, trigger: Blend(alpha: configuration.alpha, pattern: pattern, shape: shape, opacity: opacity),
        mapping: configuration.labelMapping)
    ]
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
}
