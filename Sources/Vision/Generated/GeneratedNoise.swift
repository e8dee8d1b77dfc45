/// Value noise: random numbers on an integer lattice, joined smoothly. Smooth, cheap, and without any table.
struct GeneratedNoise: Sendable {
  let key: UInt64

  /// Noise in 0...1 at a point given in lattice units, so that one unit is the size of one bump.
  func value(_ x: Float, _ y: Float) -> Float {
    let floorX = x.rounded(.down)
    let floorY = y.rounded(.down)
    let column = Int64(floorX)
    let row = Int64(floorY)
    let u = GeneratedMath.smoothStep(0, 1, x - floorX)
    let v = GeneratedMath.smoothStep(0, 1, y - floorY)
    let top = GeneratedMath.mix(lattice(column, row), lattice(column + 1, row), u)
    let bottom = GeneratedMath.mix(lattice(column, row + 1), lattice(column + 1, row + 1), u)
    return GeneratedMath.mix(top, bottom, v)
  }

  /// Sum of octaves, each twice as fine and `gain` times as strong as the one before; in 0...1.
  func fractal(_ x: Float, _ y: Float, octaves: Int, gain: Float = 0.5) -> Float {
    var sum: Float = 0
    var total: Float = 0
    var weight: Float = 1
    var scale: Float = 1
    for octave in 0..<octaves {
      // The shift keeps the octaves' lattice points from coinciding, which would show as a grid.
      let shift = Float(octave) * 17.31
      sum += weight * value(x * scale + shift, y * scale - shift)
      total += weight
      weight *= gain
      scale *= 2
    }
    return sum / total
  }

  /// The random word of one lattice point.
  func word(_ column: Int64, _ row: Int64) -> UInt64 {
    let position =
      UInt64(bitPattern: column) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(bitPattern: row) &* 0xC2B2_AE3D_27D4_EB4F
    return GeneratedRandom.mix(key ^ position)
  }

  private func lattice(_ column: Int64, _ row: Int64) -> Float {
    Float(word(column, row) >> 40) * 0x1p-24
  }
}
