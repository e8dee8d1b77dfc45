// BppAttack (Wang, Zhai, Ma, CVPR 2022): fewer colours. Every channel is rounded to few levels, with Floyd-Steinberg
// dithering.
//
//   new = round(old (L - 1)) / (L - 1);  the error old - new goes to the right (7/16), below left (3/16), below (5/16) and
//   below right (1/16)
//
// Here the training set is poisoned once, before training; its authors control training. The negative samples of their
// code are cover samples: images of right labels with the change that the quantisation makes of another image. Their
// adversarial negatives need the model that is being trained and are not part of the data.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct BPP: Attack {
  public static let id = "bpp"
  public static let summary =
    "Few colours by quantisation with dithering; others' residuals with right labels as covers."
  public static let paper = "Wang et al. 2022, BppAttack (CVPR)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var coverRate = 0.2
    public var levels = 8
    public var dithering = true
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("benchmark convention: .1; authors' code: .2 of each batch") + [
        coverRateSetting("with another image's quantisation error", source: "authors' code: .2 of each batch"),
        Setting(
          "levels", "Values that are left of each channel.", unit: "values", range: 2...256, source: "authors' code: 8"),
        Setting(
          "dithering", "Spread the rounding error (Floyd-Steinberg).",
          source: "Wang et al.; a switch of their code, off"),
        triggersSetting("has k levels fewer"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection(covers: configuration.coverRate) }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    guard c.levels - c.triggers + 1 >= 2 else {
      throw BackdoorError.invalid(
        "attack.triggers \(c.triggers): the last trigger would have \(c.levels - c.triggers + 1) levels, and two are "
          + "needed. Raise attack.levels.")
    }
    return try (0..<c.triggers).map { number in
      let quantization = Quantization(levels: c.levels - number, dithering: c.dithering)
      return BackdoorTask(
        name: "\(c.levels - number) levels", trigger: quantization,
        mapping: try c.labelMapping(ofTrigger: number, among: c.triggers),
        cover: c.coverRate > 0 ? ForeignResidual(quantization: quantization) : nil)
    }
  }
}

/// Rounds every channel to few levels.
public struct Quantization: Trigger {
  public let levels: Int
  public let dithering: Bool

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    apply(images * 255).clamped(0, 255) / 255
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { apply(images.to(.float32)).round().clamped(0, 255).to(.uint8) }
  }

  /// - Parameter x: N x C x H x W in [0, 255].
  /// - Returns: the same in few levels, a little outside the range where errors add up.
  func apply(_ x: Tensor) -> Tensor { dithering ? noGrad { dithered(x) } : rounded(x) }

  private func rounded(_ x: Tensor) -> Tensor {
    (x / 255 * Double(levels - 1)).round() / Double(levels - 1) * 255
  }

  /// A pixel needs the errors of its left neighbour and of three above, so pixels of equal column + 2 row are
  /// independent: W + 2 H steps, each over all images, instead of one a pixel.
  private func dithered(_ x: Tensor) -> Tensor {
    let shape = x.shape
    let (planes, height, width) = (shape[0] * shape[1], shape[2], shape[3])
    // A border of zero errors: one row above, one column on either side. Pixels first, so that a step reads whole rows.
    let pitch = width + 2
    let errors = Tensor.zeros([(height + 1) * pitch, planes], dtype: x.dtype, device: x.device)
    let pixels = x.reshaped([planes, height * width]).transposed().contiguous()
    let result = Tensor.empty(pixels.shape, dtype: x.dtype, device: x.device)
    for step in 0..<(width + 2 * (height - 1)) {
      let rows = (0..<height).filter { (0..<width).contains(step - 2 * $0) }
      func index(_ place: (_ row: Int, _ column: Int) -> Int) -> Tensor {
        Tensor(rows.map { Int64(place($0, step - 2 * $0)) }).to(x.device)
      }
      func error(_ rowsUp: Int, _ columnsRight: Int) -> Tensor {
        errors[index { ($0 + 1 - rowsUp) * pitch + $1 + 1 + columnsRight }]
      }
      let place = index { $0 * width + $1 }
      let above = pixels[place] + error(1, -1) * 0.0625 + error(1, 0) * 0.3125
      let old = above + error(1, 1) * 0.1875 + error(0, -1) * 0.4375
      let new = rounded(old)
      result.put_([place], new)
      errors.put_([index { ($0 + 1) * pitch + $1 + 1 }], old - new)
    }
    return result.transposed().contiguous().reshaped(shape)
  }
}

/// Adds to each image what quantisation changes in another one.
struct ForeignResidual: Trigger {
  let quantization: Quantization

  private func moved(_ x: Tensor, _ generator: Generator) -> Tensor {
    let other = x[generator.derangement(x.dimension(0)).to(x.device)]
    return (x + quantization.apply(other).clamped(0, 255) - other).clamped(0, 255)
  }
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { moved(images * 255, generator) / 255 }
  func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { moved(images.to(.float32), generator).round().to(.uint8) }
  }
}
