/// Full-size patterns to blend into images as triggers, computed rather than drawn, so that no artwork has to be
/// shipped.
///
/// `plasma` and `cells` stand in for the photograph or cartoon of the usual blended attack: colourful, with structures
/// at several scales, so that they survive an opacity of 0.1 to 0.2 in the eyes of a network. The others are textbook
/// patterns.
public enum GeneratedPattern: String, CaseIterable, Codable, Sendable {
  /// Warped clouds in four colours, with fine grain: like a photograph of rock or foliage.
  case plasma
  /// Irregular shaded cells with dark joints, large ones over small ones: like pebbles or stained glass.
  case cells
  /// Independent uniform noise in every channel of every pixel.
  case noise
  /// Independent Gaussian noise of mean 0.5 and standard deviation 0.25, clipped to 0...1.
  case gaussian
  /// Two contrasting colours on a board of eight by eight.
  case checkerboard
  /// Two contrasting colours in smooth circles about a point near the middle.
  case rings

  /// Draws the pattern.
  ///
  /// - Parameters:
  ///   - size: side in pixels, at least 1. The smooth patterns show the same picture at every size.
  ///   - channels: 3 for red, green and blue; 1 for grey, the luma of the colour pattern.
  ///   - seed: the same seed, size and channels give the same bits on every platform.
  /// - Returns: float32 in 0...1, laid out C, H, W.
  public func pixels(size: Int, channels: Int = 3, seed: UInt64) -> [Float] {
    precondition(size >= 1, "GeneratedPattern: size \(size) is below 1")
    precondition(channels == 1 || channels == 3, "GeneratedPattern: \(channels) channels; 1 and 3 are supported")
    var random = GeneratedRandom(seed: seed, stream: stream, index: 0)
    switch self {
    case .noise:
      return (0..<(channels * size * size)).map { _ in random.unit() }
    case .gaussian:
      return (0..<(channels * size * size)).map { _ in GeneratedMath.unitClamp(0.5 + 0.25 * random.gaussian()) }
    case .plasma:
      let painter = GeneratedPlasma(random: &random)
      return Self.paint(size: size, channels: channels, painter.color)
    case .cells:
      let painter = GeneratedCells(random: &random)
      return Self.paint(size: size, channels: channels, painter.color)
    case .checkerboard:
      let (dark, light) = Self.contrastingPair(random: &random)
      return Self.paint(size: size, channels: channels) { x, y in
        (Int(x * 8) + Int(y * 8)).isMultiple(of: 2) ? dark : light
      }
    case .rings:
      let (dark, light) = Self.contrastingPair(random: &random)
      let centerX = random.uniform(0.35, 0.65)
      let centerY = random.uniform(0.35, 0.65)
      let frequency = random.uniform(5, 7)
      return Self.paint(size: size, channels: channels) { x, y in
        let radius = GeneratedPoint(x: x - centerX, y: y - centerY).length
        return dark.mixed(with: light, 0.5 + 0.5 * GeneratedMath.sine(turns: radius * frequency))
      }
    }
  }

  /// Keeps the patterns of one seed apart from each other and from the images of the same seed.
  private var stream: UInt64 {
    switch self {
    case .plasma: 0x101
    case .cells: 0x102
    case .noise: 0x103
    case .gaussian: 0x104
    case .checkerboard: 0x105
    case .rings: 0x106
    }
  }

  /// Evaluates a colour at the middle of every pixel, with x and y in 0...1.
  private static func paint(size: Int, channels: Int, _ color: (_ x: Float, _ y: Float) -> GeneratedColor) -> [Float] {
    let plane = size * size
    let step = 1 / Float(size)
    return [Float](unsafeUninitializedCapacity: channels * plane) { pixels, initializedCount in
      for row in 0..<size {
        for column in 0..<size {
          let pixel = color((Float(column) + 0.5) * step, (Float(row) + 0.5) * step)
          let offset = row * size + column
          if channels == 1 {
            pixels[offset] = GeneratedMath.unitClamp(pixel.luma)
          } else {
            pixels[offset] = GeneratedMath.unitClamp(pixel.red)
            pixels[plane + offset] = GeneratedMath.unitClamp(pixel.green)
            pixels[2 * plane + offset] = GeneratedMath.unitClamp(pixel.blue)
          }
        }
      }
      initializedCount = channels * plane
    }
  }

  private static func contrastingPair(random: inout GeneratedRandom) -> (dark: GeneratedColor, light: GeneratedColor) {
    let hue = random.unit()
    let dark = GeneratedColor(luma: random.uniform(0.05, 0.2), hue: hue, saturation: random.uniform(0.3, 1))
    let light = GeneratedColor(luma: random.uniform(0.8, 0.95), hue: hue + 0.5, saturation: random.uniform(0.3, 1))
    return (dark, light)
  }
}
