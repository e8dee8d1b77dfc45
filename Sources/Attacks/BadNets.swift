// BadNets (Gu, Dolan-Gavitt, Garg 2017, arXiv:1708.06733): pixels of a patch take fixed values.
//
// Shapes and places are those of methods that build on it: the 3x3 white and checkerboard squares of the benchmarks,
// 1x1 to 4x4 patches, the L, X and pixel shapes of one random colour of the self-expansion paper, any image of the
// user's. Expected (CIFAR-10, PreAct-ResNet18 width 16, rate .1, 3x3 white, 10 one-cycle epochs): accuracy about 86%,
// attack success rate about 96%.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct BadNets: Attack {
  public static let id = "badnets"
  public static let summary = "A small patch of fixed pixels."
  public static let paper = "Gu et al. 2017, BadNets (arXiv:1708.06733)"

  public enum Pattern: String, Codable, Sendable, CaseIterable {
    case white, black, checkerboard, random, image
    /// One random colour, for the shapes L, X and pixel.
    case color
  }
  public enum Outline: String, Codable, Sendable, CaseIterable {
    case square
    /// (r, c), (r+1, c), (r, c+1)
    case l
    /// The centre and its four diagonal neighbours.
    case x
    case pixel
  }
  public enum Place: String, Codable, Sendable, CaseIterable {
    case bottomRight = "bottom-right"
    case bottomLeft = "bottom-left"
    case topLeft = "top-left"
    case topRight = "top-right"
    case center
    /// Drawn once for the attack.
    case random
  }
  /// What is drawn anew for each image: dynamic triggers.
  public enum Variation: String, Codable, Sendable, CaseIterable {
    case nothing, place, pattern, both
  }

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var outline = Outline.square
    public var size = 3
    public var pattern = Pattern.white
    public var place = Place.bottomRight
    public var margin = 0
    public var image: String? = nil
    public var triggers = 1
    public var varies = Variation.nothing
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings + [
        Setting("outline", "Which pixels the patch covers.", choices: Outline.allCases.map(\.rawValue)),
        Setting("size", "Side of a square patch.", unit: "pixels", range: 1...1024),
        Setting(
          "pattern", "What the patch shows. checkerboard at size 3 is 001/010/101; color is one random colour.",
          choices: Pattern.allCases.map(\.rawValue)),
        Setting("place", "Where the patch sits.", choices: Place.allCases.map(\.rawValue)),
        Setting("margin", "Distance of the patch from the image's edge.", unit: "pixels", range: 0...1024),
        Setting(
          "image",
          "Image file that the patch shows (pattern: image), resized to attack.size; transparent parts leave the image."
        ),
        Setting(
          "triggers", "Number of triggers: trigger k, from 0, sits k corners on and maps to target + k.", range: 1...4,
          source: "multi-trigger models of the SAU paper"),
        Setting(
          "varies", "What is drawn anew for each image: dynamic triggers (pattern: random or color).",
          choices: Variation.allCases.map(\.rawValue), source: "dynamic triggers of the DBD paper and of MESA"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    let changesPattern = c.varies == .pattern || c.varies == .both
    if changesPattern, c.pattern != .random, c.pattern != .color {
      throw BackdoorError.invalid(
        "attack.varies \(c.varies.rawValue) draws a pattern for each image, and attack.pattern \(c.pattern.rawValue) is "
          + "fixed. Choose random or color.")
    }
    let changesPlace = c.varies == .place || c.varies == .both
    if changesPlace, c.triggers > 1 {
      throw BackdoorError.invalid(
        "attack.varies \(c.varies.rawValue): \(c.triggers) triggers are told apart by their places. Set pattern or "
          + "nothing.")
    }
    if let image = c.image, c.pattern != .image {
      throw BackdoorError.invalid(
        "attack.image \(image): attack.pattern \(c.pattern.rawValue) shows no image. Set attack.pattern=image, or leave "
          + "attack.image out.")
    }
    try checkRoom(in: shape, changesPlace: changesPlace)
    let corners: [Place] = [.bottomRight, .bottomLeft, .topLeft, .topRight]
    if c.triggers > 1, !corners.contains(c.place) {
      throw BackdoorError.invalid(
        "attack.place \(c.place.rawValue): several triggers sit in corners. Choose the first one's, such as "
          + "bottom-right."
      )
    }
    return try (0..<c.triggers).map { number in
      var place = c.place
      if c.triggers > 1 {
        let first = corners.firstIndex(of: c.place) ?? 0
        place = corners[(first + number) % corners.count]
      }
      let patch = try patch(for: shape, at: place, seed: seed.stream("badnets/\(number)"))
      var trigger: any Trigger = patch
      if c.varies != .nothing {
        guard patch.opacity == nil else {
          throw BackdoorError.invalid(
            "attack.varies \(c.varies.rawValue): \(c.image ?? "the image") is transparent in parts. Use an opaque one.")
        }
        trigger = DynamicPatch(
          patch: patch, margin: c.margin, changesPlace: changesPlace, changesPattern: changesPattern,
          isOneColor: c.pattern == .color)
      }
      return BackdoorTask(
        name: c.triggers == 1 ? "\(c.outline.rawValue) \(c.pattern.rawValue)" : place.rawValue, trigger: trigger,
        mapping: try c.labelMapping(ofTrigger: number, among: c.triggers))
    }
  }

  /// - Throws: `BackdoorError` where patches in several corners would meet, or drawn places would be nearer to an edge
  ///   than the margin.
  func checkRoom(in shape: ImageShape, changesPlace: Bool) throws {
    let c = configuration
    let (side, length) = (Self.mask(c.outline, c.size).side, min(shape.height, shape.width))
    guard side + c.margin <= length else { return }  // It fits nowhere, which is an error of its own.
    let numbers = "(side \(side), margin \(c.margin))"
    if c.triggers > 1, 2 * (side + c.margin) > length {
      throw BackdoorError.invalid(
        "attack.triggers \(c.triggers): patches in several corners \(numbers) overlap on images of "
          + "\(shape.height)x\(shape.width) pixels. Lower attack.size or attack.margin.")
    }
    if changesPlace || c.place == .random { try Self.checkDrawnPlace(side: side, margin: c.margin, in: shape) }
  }

  /// - Throws: `BackdoorError` where no place is as far from every edge as the margin.
  static func checkDrawnPlace(side: Int, margin: Int, in shape: ImageShape) throws(BackdoorError) {
    guard side + 2 * margin > min(shape.height, shape.width) else { return }
    throw .invalid(
      "attack.margin \(margin): images of \(shape.height)x\(shape.width) pixels have no place for a patch (side \(side), "
        + "margin \(margin)) that is so far from every edge. Lower it.")
  }

  /// The patch for images of a shape. Everything that is drawn is drawn here, once.
  private func patch(for shape: ImageShape, at place: Place, seed: Seed) throws -> Patch {
    let c = configuration
    var random = seed.generator("patch")
    let (mask, side) = Self.mask(c.outline, c.size)
    let edge = side + c.margin
    guard edge <= shape.height, edge <= shape.width else {
      throw BackdoorError.invalid(
        "attack.size \(c.size): the patch (side \(side), margin \(c.margin)) does not fit images of "
          + "\(shape.height)x\(shape.width) pixels."
      )
    }
    let (row, column) = place.origin(side: side, margin: c.margin, in: shape) { random.integer(below: $0) }
    var patch = Patch(row: row, column: column, side: side, mask: mask, values: [], channels: shape.channels)
    if c.pattern == .image {
      guard let path = c.image else {
        throw BackdoorError.invalid("attack.pattern is image, so attack.image must name an image file.")
      }
      let image = try TriggerImage(path, height: side, width: side, channels: shape.channels)
      patch.values = image.pixels.quantized().array(UInt8.self)
      patch.opacity = image.opacity?.array(Float.self)
    } else {
      patch.values = try values(side: side, channels: shape.channels, &random)
    }
    return patch
  }

  static func mask(_ outline: Outline, _ size: Int) -> (mask: [Bool], side: Int) {
    switch outline {
    case .square: ([Bool](repeating: true, count: size * size), size)
    case .pixel: ([true], 1)
    case .l: ([true, true, true, false], 2)
    case .x: ([true, false, true, false, true, false, true, false, true], 3)
    }
  }

  /// Patch pixels in uint8, C x side x side.
  private func values(side: Int, channels: Int, _ random: inout Xoshiro256StarStar) throws -> [UInt8] {
    func plane(_ value: (Int, Int) -> UInt8) -> [UInt8] {
      let one = (0..<side).flatMap { row in (0..<side).map { column in value(row, column) } }
      return [[UInt8]](repeating: one, count: channels).flatMap { $0 }
    }
    switch configuration.pattern {
    case .white: return plane { _, _ in 255 }
    case .black: return plane { _, _ in 0 }
    // At size 3 this is the benchmarks' [[0,0,1],[0,1,0],[1,0,1]], which is not a full checkerboard: its first corner
    // is dark.
    case .checkerboard:
      return plane { row, column in (row + column) % 2 == 0 && !(side == 3 && row == 0 && column == 0) ? 255 : 0 }
    case .random: return (0..<channels * side * side).map { _ in UInt8(random.integer(below: 256)) }
    case .color:
      return (0..<channels).flatMap { _ in [UInt8](repeating: UInt8(random.integer(below: 256)), count: side * side) }
    case .image: return []
    }
  }
}

extension BadNets.Place {
  /// Row and column of the first pixel of a square, so far from the edges.
  /// - Parameter draw: a number below another one, where it is `random`.
  func origin(side: Int, margin: Int, in shape: ImageShape, draw: (_ below: Int) -> Int) -> (row: Int, column: Int) {
    let (bottom, right) = (shape.height - side - margin, shape.width - side - margin)
    func drawn(_ last: Int) -> Int { min(margin, last) + draw(max(last - margin, 0) + 1) }
    return switch self {
    case .bottomRight: (bottom, right)
    case .bottomLeft: (bottom, margin)
    case .topLeft: (margin, margin)
    case .topRight: (margin, right)
    case .center: ((shape.height - side) / 2, (shape.width - side) / 2)
    case .random: (drawn(bottom), drawn(right))
    }
  }
}

/// Fixed pixels at a fixed place.
public struct Patch: Trigger {
  public let row: Int
  public let column: Int
  public let side: Int
  /// side x side; false leaves the image as it is.
  public let mask: [Bool]
  /// C x side x side.
  public internal(set) var values: [UInt8]
  public let channels: Int
  /// side x side, [0, 1]: 0 leaves a pixel, 1 hides it; nil where the patch is opaque.
  public internal(set) var opacity: [Float]? = nil

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    require(images.dimension(1) == channels, "a patch of \(channels) channels on images \(images.summary)")
    let patch = Tensor(values, shape: [1, channels, side, side]).to(images.device).unitPixels()
    return write(patch.to(images.dtype), on: images)
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { write(Tensor(values, shape: [1, channels, side, side]).to(images.device), on: images) }
  }

  /// The patch on middle gray, opaque.
  public func parts(of images: Tensor) -> [TriggerPart] {
    var opaque = self
    opaque.opacity = nil
    let gray = Tensor.full([1] + images.shape.dropFirst(), 0.5)
    return [TriggerPart("patch", noGrad { opaque(gray, Generator(seed: 0)) })]
  }

  private func write(_ patch: Tensor, on images: Tensor) -> Tensor {
    let out = images.clone()
    let region = out.narrowed(2, row..<(row + side)).narrowed(3, column..<(column + side))
    if let opacity {
      let weight =
        Tensor(opacity, shape: [1, 1, side, side]).to(images.device)
        * Tensor(mask, shape: [1, 1, side, side]).to(.float32).to(images.device)
      let blended = region.to(.float32) * (1 - weight) + patch.to(.float32) * weight
      region.copy_(images.dtype == .uint8 ? blended.round() : blended)
    } else if mask.allSatisfy({ $0 }) {
      region.copy_(patch)
    } else {
      region.copy_(Tensor.where(Tensor(mask, shape: [1, 1, side, side]).to(images.device), patch, region.clone()))
    }
    return out
  }
}
