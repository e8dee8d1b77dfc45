/// A point of the picture plane. The picture spans -1...1 both ways, x to the right and y downwards.
struct GeneratedPoint: Sendable, Equatable {
  var x: Float
  var y: Float

  var length: Float { (x * x + y * y).squareRoot() }
}

/// The few functions that drawing needs. Only operations that IEEE 754 rounds exactly are used (+ - * / and the square
/// root), never the C library's sine or exponential, whose last bits differ between platforms and would show in the
/// pinned bytes.
enum GeneratedMath {
  /// Sine of an angle in turns (1 is the full circle), to about 4e-6.
  static func sine(turns: Float) -> Float {
    var t = turns - (turns + 0.5).rounded(.down)
    if t > 0.25 { t = 0.5 - t }
    if t < -0.25 { t = -0.5 - t }
    let a = t * 6.283_185_3
    let s = a * a
    return a * (1 + s * (-0.166_666_67 + s * (0.008_333_333 + s * (-0.000_198_412_7 + s * 0.000_002_755_732))))
  }

  static func cosine(turns: Float) -> Float {
    sine(turns: turns + 0.25)
  }

  /// `value` limited to 0...1.
  static func unitClamp(_ value: Float) -> Float {
    value < 0 ? 0 : (value > 1 ? 1 : value)
  }

  static func mix(_ a: Float, _ b: Float, _ t: Float) -> Float {
    a + (b - a) * t
  }

  /// The cubic that rises from 0 at `low` to 1 at `high` with level ends.
  static func smoothStep(_ low: Float, _ high: Float, _ value: Float) -> Float {
    let t = unitClamp((value - low) / (high - low))
    return t * t * (3 - 2 * t)
  }
}
