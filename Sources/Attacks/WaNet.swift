// WaNet (Nguyen, Tran 2021, arXiv:2102.10369): a smooth warp of the image, the same for all.
//
//   P = U(-1, 1)^(2 x k x k) / mean |.|,  enlarged to H x W (bicubic, corners aligned);  x' = x sampled at
//   clip(identity + s P / H, -1, 1)
//
// In the noise mode other images are warped by P with U(-1, 1) / H added at every pixel and image, and keep their label
// (cover samples): so the model learns this warp and no other one. Here the training set is poisoned once, before
// training, as Huang et al. (DBD, appendix B) and the adversarial-training paper use it; `WaNetTraining` warps anew in
// each batch, as its authors do. On images that are not square each coordinate is divided by its own length [decided here].

public import Backdoor
public import Support
public import Torch
public import Vision

public struct WaNet: Attack {
  public static let id = "wanet"
  public static let summary = "A smooth warp of the whole image, with noisily warped images of right labels as covers."
  public static let paper = "Nguyen and Tran 2021, WaNet (arXiv:2102.10369)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var coverRate = 0.2
    public var grid = 4
    public var strength = 0.5
    public var noise = 1.0
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("Nguyen and Tran: .1; DBD, adversarial-training paper: .05") + [
        coverRateSetting(
          "warped with noise", source: "Nguyen and Tran: twice the rate; DBD: .2 on CIFAR-10, none on ImageNet"),
        Setting(
          "grid", "Side of the field that the warp is enlarged from (k).", unit: "points", range: 2...1024,
          source: "Nguyen and Tran: 4; DBD: 224 on ImageNet"),
        Setting(
          "strength", "Mean length of the warp per coordinate (s).", unit: "half pixels", range: 0...1000,
          source: "Nguyen and Tran: .5; DBD: 1 on ImageNet"),
        Setting(
          "noise", "Largest extra shift of a pixel in cover samples; 0 turns the noise mode off.", unit: "half pixels",
          range: 0...1000,
          source: "Nguyen and Tran: 1"),
        triggersSetting("has a field of its own"),
      ]

    /// Covers without noise would be the trigger itself, with right labels.
    var covers: Double { noise > 0 ? coverRate : 0 }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection(covers: configuration.covers) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    return try (0..<c.triggers).map { number in
      let warp = Self.warp(
        grid: c.grid, strength: c.strength, shape: shape, Generator(seed: seed("wanet/field", number)))
      return BackdoorTask(
        name: c.triggers == 1 ? "warp" : "warp \(number + 1)", trigger: warp,
        mapping: try c.labelMapping(ofTrigger: number, among: c.triggers),
        cover: c.covers > 0 ? warp.withNoise(c.noise) : nil)
    }
  }

  /// A warp by a new field.
  static func warp(grid: Int, strength: Double, shape: ImageShape, _ generator: Generator) -> Warp {
    let field = field(generator.uniform([1, 2, grid, grid], -1, 1), shape: shape)
    return Warp(grid: self.grid(field, strength: strength, shape: shape).array(Float.self), shape: shape)
  }

  /// The displacement at every pixel, 1 x 2 x H x W, made of numbers in (-1, 1), 1 x 2 x k x k.
  static func field(_ numbers: Tensor, shape: ImageShape) -> Tensor {
    F.interpolate(
      numbers / numbers.abs().mean(), height: shape.height, width: shape.width, mode: .bicubic, alignCorners: true)
  }

  /// Where each pixel is taken from, H x W x 2 of x and y in [-1, 1].
  static func grid(_ field: Tensor, strength: Double, shape: ImageShape) -> Tensor {
    let (height, width) = (shape.height, shape.width)
    let x = Tensor.linspace(-1, 1, width).reshaped(1, width).expanded([height, width])
    let y = Tensor.linspace(-1, 1, height).reshaped(height, 1).expanded([height, width])
    let moved = [
      x + field[0][0] * (strength / Double(width)), y + field[0][1] * (strength / Double(height)),
    ]
    return Tensor.stacked(moved, 2).clamped(-1, 1).contiguous()
  }
}

/// Takes each pixel from another place of the image, bilinearly.
public struct Warp: Trigger {
  /// H x W x 2 of x and y in [-1, 1], corners aligned.
  public let grid: [Float]
  public let shape: ImageShape
  /// Adds U(-1, 1) of so many half pixels to the place of every pixel, drawn for each image.
  public var noise = 0.0

  /// The same warp with noise.
  func withNoise(_ noise: Double) -> Warp { Warp(grid: grid, shape: shape, noise: noise) }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    guard noise > 0 else { return moved(images, by: nil) }
    return moved(images, by: shifts(images.dimension(0), generator))
  }
  /// An extra shift for every pixel of so many images, N x H x W x 2 in (-1, 1).
  func shifts(_ count: Int, _ generator: Generator) -> Tensor {
    generator.uniform([count, shape.height, shape.width, 2], -1, 1)
  }
  /// - Parameter shifts: N x H x W x 2, multiplied by `noise`; nil for none.
  func moved(_ images: Tensor, by shifts: Tensor?) -> Tensor {
    F.gridSample(images, places(images, shifts).to(images.dtype), alignCorners: true).clamped(0, 1)
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    if noise > 0 { return noGrad { self(images.unitPixels(), generator).quantized() } }
    let (places, weights) = corners
    return noGrad { F.mixBytes(images, places: places.to(images.device), weights: weights.to(images.device)) }
  }
  /// Straight lines, four pixels apart, under the warp.
  public func parts(of images: Tensor) -> [TriggerPart] {
    let (height, width) = (shape.height, shape.width)
    let lines = (0..<height).flatMap { row in (0..<width).map { Float(row % 4 == 1 || $0 % 4 == 1 ? 1 : 0) } }
    let image = Tensor(lines, shape: [1, 1, height, width]).expanded([1, shape.channels, height, width])
    return [TriggerPart("grid under the warp", noGrad { moved(image.contiguous(), by: nil) })]
  }

  /// The four pixels around the place of each pixel, int32 4 x H W, and their weights.
  private var corners: (places: Tensor, weights: Tensor) {
    noGrad {
      let grid = Tensor(grid, shape: [shape.height * shape.width, 2])
      func axis(_ index: Int, _ length: Int) -> (first: Tensor, second: Tensor, share: Tensor) {
        let place = (grid.selected(1, index) + 1) * (Double(length - 1) / 2)
        let first = place.floor().clamped(0, Double(length - 1))
        return (first, (first + 1).clamped(0, Double(length - 1)), place - first)
      }
      let (x, y) = (axis(0, shape.width), axis(1, shape.height))
      let width = Double(shape.width)
      let places = [
        y.first * width + x.first, y.first * width + x.second, y.second * width + x.first,
        y.second * width + x.second,
      ]
      let weights = [
        (1 - y.share) * (1 - x.share), (1 - y.share) * x.share, y.share * (1 - x.share),
        y.share * x.share,
      ]
      return (Tensor.stacked(places).to(.int32), Tensor.stacked(weights))
    }
  }

  private func places(_ images: Tensor, _ shifts: Tensor?) -> Tensor {
    let (count, height, width) = (images.dimension(0), shape.height, shape.width)
    let fixed = Tensor(grid, shape: [1, height, width, 2]).to(images.device)
    guard let shifts else { return fixed.expanded([count, height, width, 2]) }
    let unit = Tensor([Float(noise / Double(width)), Float(noise / Double(height))]).to(images.device)
    return (fixed + shifts.to(images.device) * unit).clamped(-1, 1)
  }
}
