// Adaptive-Blend (Qi, Xie, Li, Mahloujifar, Mittal, Revisiting the Assumption of Latent Separability for Backdoor Defenses,
// ICLR 2023): a blended pattern cut into pieces, of which every poisoned image of the training set shows a random half,
// weakly; as many cover samples show such parts and keep their labels. At test time the whole pattern shows. Few samples
// of weak, varied triggers do not gather in feature space, which is what many detectors look for.
//
// The published pattern is a cartoon; here patterns are generated, and a file is a setting.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct AdaptiveBlend: Attack {
  public static let id = "adaptive-blend"
  public static let summary =
    "A blended pattern of which training images show random pieces, with cover samples: hard to detect."
  public static let paper = "Qi et al. 2023, Revisiting the Assumption of Latent Separability (ICLR)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.003
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var coverRate = 0.003
    public var alpha = 0.15
    public var testAlpha = 0.2
    public var pieces = 4
    public var hidden = 0.5
    public var pattern = GeneratedPattern.cells
    public var image: String? = nil
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("Qi et al.: .003") + [
        coverRateSetting("with pieces of the trigger", source: "Qi et al.: .003"),
        Setting("alpha", "Weight of the pattern in training.", unit: "fraction", range: 0...1, source: "Qi et al."),
        Setting(
          "testAlpha", "Weight of the pattern at test time.", unit: "fraction", range: 0...1, source: "Qi et al."),
        Setting(
          "pieces", "Pieces along each side of the image.", unit: "pieces", range: 1...64, source: "Qi et al.: 4 x 4"),
        Setting(
          "hidden", "Share of the pieces that a training image does not show.", unit: "fraction", range: 0...1,
          source: "Qi et al.: half of them"),
        Setting("pattern", "Generated pattern.", choices: GeneratedPattern.allCases.map(\.rawValue)),
        Setting("image", "Image file that takes the place of the generated pattern, resized to the images; opaque."),
        triggersSetting("has a generated pattern of its own"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection(covers: configuration.coverRate) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    var whole = Blended.Configuration()
    (whole.alpha, whole.pattern, whole.image, whole.triggers) = (c.testAlpha, c.pattern, c.image, c.triggers)
    return try Blended(whole).tasks(for: shape, seed: seed).enumerated().map { number, task in
      guard let blend = task.trigger as? Blend, blend.opacity == nil else {
        throw BackdoorError.invalid("attack.image: \(c.image ?? "") is transparent in parts. Use an opaque one.")
      }
      let parts = PartialBlend(
        alpha: c.alpha, pattern: blend.pattern, shape: shape, pieces: c.pieces,
        hidden: Int((c.hidden * Double(c.pieces * c.pieces)).rounded()))
      return BackdoorTask(
        name: task.name, trigger: blend, mapping: try c.labelMapping(ofTrigger: number, among: c.triggers),
        trainingTrigger: parts, cover: c.coverRate > 0 ? parts : nil)
    }
  }
}

/// `(1 - alpha m) x + alpha m t`, where m hides so many pieces of the image, drawn for each image.
public struct PartialBlend: Trigger {
  public let alpha: Double
  /// C x H x W, [0, 1].
  public let pattern: [Float]
  public let shape: ImageShape
  /// Along each side. Piece k begins at pixel k H / pieces, rounded down.
  public let pieces: Int
  /// Pieces that an image does not show.
  public let hidden: Int

  /// Which piece each pixel belongs to, H W, row by row.
  static func pieceOfPixel(_ shape: ImageShape, pieces: Int) -> [Int] {
    func piece(_ pixel: Int, _ length: Int) -> Int { (0..<pieces).last { $0 * length / pieces <= pixel } ?? 0 }
    return (0..<shape.height).flatMap { row in
      (0..<shape.width).map { piece(row, shape.height) * pieces + piece($0, shape.width) }
    }
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let (count, all) = (images.dimension(0), pieces * pieces)
    // The rank of independent numbers is a random order: the first ones are hidden.
    let rank = generator.uniform([count, all]).argsort(1).argsort(1)
    let shown = (rank .>= Double(hidden)).to(.float32).to(images.device)
    let place = Tensor(Self.pieceOfPixel(shape, pieces: pieces).map(Int64.init)).to(images.device)
    let weight = shown.indexed([nil, place]).reshaped(count, 1, shape.height, shape.width) * alpha
    let pattern = Tensor(pattern, shape: [1, shape.channels, shape.height, shape.width]).to(images.device)
    return (images * (1 - weight) + pattern * weight).to(images.dtype)
  }
}
