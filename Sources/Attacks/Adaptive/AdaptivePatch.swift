// Adaptive-Patch (Qi et al., Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023): several
// patches. Each poisoned image of the training set shows one of them, half transparent; twice as many cover samples do too
// and keep their labels. At test time two of them show together, opaque.
//
// The published patches are logos in corners, one Trojan square and a BadNets patch. Here they are generated patterns, one
// in each corner, whose side is a quarter of the image's [decided here]. Opacities are the authors'. The two shown at test
// time are the first and the third, as theirs are.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct AdaptivePatch: Attack {
  public static let id = "adaptive-patch"
  public static let summary =
    "Four patches, of which training images show one and test images two, with cover samples: hard to detect."
  public static let paper = "Qi et al. 2023, Revisiting the Assumption of Latent Separability (ICLR)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.003
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var coverRate = 0.006
    public var size: Int? = nil
    public var opacities = [0.5, 0.2, 0.5, 0.3]
    public var testOpacity = 1.0
    public var testPatches = [0, 2]
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("Qi et al.: .003") + [
        coverRateSetting("with one patch", source: "Qi et al.: .006"),
        Setting("size", "Side of a patch; null for a quarter of the image's.", unit: "pixels", range: 1...1024),
        Setting(
          "opacities", "Weight of each patch in training; their number is that of the patches, at most 4.",
          unit: "fraction", range: 0...1, source: "Qi et al."),
        Setting(
          "testOpacity", "Weight of the patches at test time.", unit: "fraction", range: 0...1, source: "Qi et al."),
        Setting(
          "testPatches", "Which patches show at test time, from 0.", range: 0...3, source: "Qi et al.: two of four"),
        triggersSetting("has patches of its own, each k corners on,"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection(covers: configuration.coverRate) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    let side = c.size ?? max(1, min(shape.height, shape.width) / 4)
    guard 2 * side <= shape.height, 2 * side <= shape.width else {
      throw BackdoorError.invalid(
        "attack.size \(side): patches of this side in all corners overlap in images of \(shape.height)x\(shape.width) "
          + "pixels.")
    }
    guard (1...4).contains(c.opacities.count), c.opacities.allSatisfy((0...1).contains) else {
      throw BackdoorError.invalid("attack.opacities: between one and four numbers in [0, 1], not \(c.opacities).")
    }
    guard !c.testPatches.isEmpty, c.testPatches.allSatisfy(c.opacities.indices.contains) else {
      throw BackdoorError.invalid(
        "attack.testPatches \(c.testPatches): there are patches 0 to \(c.opacities.count - 1).")
    }
    guard Set(c.testPatches).count == c.testPatches.count else {
      throw BackdoorError.invalid("attack.testPatches \(c.testPatches): a patch shows once. Name each once.")
    }
    let (bottom, right) = (shape.height - side, shape.width - side)
    let corners = [(bottom, right), (0, 0), (0, right), (bottom, 0)]
    let patterns: [GeneratedPattern] = [.cells, .plasma, .checkerboard, .rings]
    return try (0..<c.triggers).map { trigger in
      let patches = c.opacities.indices.map { number in
        let (row, column) = corners[(number + trigger) % corners.count]
        let seed = seed("adaptive-patch/pattern", trigger * corners.count + number)
        return CornerPatches.One(
          row: row, column: column,
          pixels: patterns[number].pixels(size: side, channels: shape.channels, seed: seed))
      }
      let training = CornerPatches(
        patches: patches, opacities: c.opacities, side: side, shape: shape, showsAll: false)
      let test = CornerPatches(
        patches: c.testPatches.map { patches[$0] }, opacities: c.testPatches.map { _ in c.testOpacity }, side: side,
        shape: shape, showsAll: true)
      return BackdoorTask(
        name: "\(c.testPatches.count) of \(patches.count) patches\(c.triggers == 1 ? "" : " (\(trigger + 1))")",
        trigger: test, mapping: try c.labelMapping(ofTrigger: trigger, among: c.triggers), trainingTrigger: training,
        cover: c.coverRate > 0 ? training : nil)
    }
  }
}

/// Half-transparent patches that do not overlap: all of them, or one drawn for each image.
public struct CornerPatches: Trigger {
  public struct One: Sendable {
    public let row: Int
    public let column: Int
    /// C x side x side, [0, 1].
    public let pixels: [Float]
  }
  public let patches: [One]
  public let opacities: [Double]
  public let side: Int
  public let shape: ImageShape
  public let showsAll: Bool

  /// Of each patch the pixels over the whole image, K x C x H x W, and the weights, K x 1 x H x W.
  func layers(on device: Device) -> (pixels: Tensor, weights: Tensor) {
    let pixels = Tensor.zeros([patches.count, shape.channels, shape.height, shape.width])
    let weights = Tensor.zeros([patches.count, 1, shape.height, shape.width])
    for (number, patch) in patches.enumerated() {
      func region(_ planes: Tensor) -> Tensor {
        planes[number].narrowed(1, patch.row..<(patch.row + side)).narrowed(2, patch.column..<(patch.column + side))
      }
      region(pixels).copy_(Tensor(patch.pixels, shape: [shape.channels, side, side]))
      region(weights).fill_(opacities[number])
    }
    return (pixels.to(device), weights.to(device))
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    var (pixels, weights) = layers(on: images.device)
    if showsAll {
      (pixels, weights) = ((pixels * weights.sign()).sum([0], keep: true), weights.sum([0], keep: true))
    } else {
      let drawn = generator.integers(0..<patches.count, [images.dimension(0)]).to(images.device)
      (pixels, weights) = (pixels[drawn], weights[drawn])
    }
    return (images * (1 - weights) + pixels * weights).to(images.dtype)
  }
}
