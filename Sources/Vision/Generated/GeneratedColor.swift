/// A linear mixture of red, green and blue, each in 0...1.
struct GeneratedColor: Sendable, Equatable {
  var red: Float
  var green: Float
  var blue: Float

  init(red: Float, green: Float, blue: Float) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// The colour of a given luma: contrast is promised in luma, so hue and saturation stay free to be random.
  ///
  /// - Parameters:
  ///   - luma: Rec. 601 luma, 0...1, met exactly.
  ///   - hue: in turns; 0 is red, 1/3 green, 2/3 blue.
  ///   - saturation: 0 is grey, 1 the most colourful that this luma allows.
  init(luma: Float, hue: Float, saturation: Float) {
    let pure = Self.pure(hue: hue)
    let center = pure.luma
    // The farthest step from grey towards the pure hue that leaves every channel in 0...1.
    var reach: Float = 1
    for channel in [pure.red, pure.green, pure.blue] {
      let offset = channel - center
      if offset > 0 { reach = min(reach, (1 - luma) / offset) }
      if offset < 0 { reach = min(reach, -luma / offset) }
    }
    let step = saturation * reach
    red = GeneratedMath.unitClamp(luma + step * (pure.red - center))
    green = GeneratedMath.unitClamp(luma + step * (pure.green - center))
    blue = GeneratedMath.unitClamp(luma + step * (pure.blue - center))
  }

  /// Rec. 601 luma, 0...1.
  var luma: Float { 0.299 * red + 0.587 * green + 0.114 * blue }

  func mixed(with other: GeneratedColor, _ t: Float) -> GeneratedColor {
    GeneratedColor(
      red: GeneratedMath.mix(red, other.red, t),
      green: GeneratedMath.mix(green, other.green, t),
      blue: GeneratedMath.mix(blue, other.blue, t))
  }

  func scaled(by factor: Float) -> GeneratedColor {
    GeneratedColor(red: red * factor, green: green * factor, blue: blue * factor)
  }

  private static func pure(hue: Float) -> GeneratedColor {
    let h = (hue - hue.rounded(.down)) * 6
    func ramp(_ offset: Float) -> Float {
      let distance = abs(h - offset)
      return GeneratedMath.unitClamp(2 - min(distance, 6 - distance))
    }
    return GeneratedColor(red: ramp(0), green: ramp(2), blue: ramp(4))
  }
}
