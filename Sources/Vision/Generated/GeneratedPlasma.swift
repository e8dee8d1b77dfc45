/// Clouds whose coordinates are themselves moved by clouds, which folds them into streaks and swirls, in a palette of
/// four colours.
struct GeneratedPlasma: Sendable {
  private let warp: GeneratedNoise
  private let shape: GeneratedNoise
  private let grain: GeneratedNoise
  private let palette: [GeneratedColor]

  init(random: inout GeneratedRandom) {
    warp = GeneratedNoise(key: random.next())
    shape = GeneratedNoise(key: random.next())
    grain = GeneratedNoise(key: random.next())
    // Hues a golden section apart never crowd together; the lumas climb, so that the folds stay visible in grey.
    let hue = random.unit()
    palette = (0..<4).map { step in
      GeneratedColor(luma: 0.14 + 0.24 * Float(step), hue: hue + 0.618 * Float(step), saturation: 0.9)
    }
  }

  /// The colour at a point of the unit square.
  func color(x: Float, y: Float) -> GeneratedColor {
    let shiftX = warp.fractal(x * 3, y * 3, octaves: 3)
    let shiftY = warp.fractal(x * 3 + 41.7, y * 3 - 23.1, octaves: 3)
    let height = shape.fractal(x * 3 + 2 * shiftX, y * 3 + 2 * shiftY, octaves: 4, gain: 0.6)
    // The octaves crowd about one half: the stretch uses the whole palette.
    let position = 3 * GeneratedMath.unitClamp(0.5 + 2.4 * (height - 0.5))
    let index = min(Int(position), 2)
    let base = palette[index].mixed(with: palette[index + 1], GeneratedMath.smoothStep(0, 1, position - Float(index)))
    return base.scaled(by: 0.7 + 0.6 * grain.fractal(x * 9, y * 9, octaves: 2))
  }
}
