/// A Voronoi mosaic of coloured, shaded cells over a finer mosaic of greys.
struct GeneratedCells: Sendable {
  private let coarse: GeneratedNoise
  private let fine: GeneratedNoise
  private let warp: GeneratedNoise

  init(random: inout GeneratedRandom) {
    coarse = GeneratedNoise(key: random.next())
    fine = GeneratedNoise(key: random.next())
    warp = GeneratedNoise(key: random.next())
  }

  /// The colour at a point of the unit square.
  func color(x: Float, y: Float) -> GeneratedColor {
    // Straight walls look drawn with a ruler; a little noise in the coordinates bends them.
    let warpedX = x + 0.1 * (warp.fractal(x * 5, y * 5, octaves: 2) - 0.5)
    let warpedY = y + 0.1 * (warp.fractal(x * 5 + 31.3, y * 5 + 11.9, octaves: 2) - 0.5)
    let large = Self.nearest(coarse, warpedX * 5, warpedY * 5)
    let small = Self.nearest(fine, warpedX * 12, warpedY * 12)

    let word = large.word
    let cell = GeneratedColor(
      luma: 0.25 + 0.55 * Self.unit(word),
      hue: Self.unit(word >> 16),
      saturation: 0.4 + 0.6 * Self.unit(word >> 32))
    let joint = GeneratedMath.smoothStep(0.02, 0.14, large.second - large.first)
    let bulge = 1.15 - 0.45 * large.first
    let detail = 0.75 + 0.4 * Self.unit(small.word)
    return cell.scaled(by: bulge * detail * (0.2 + 0.8 * joint))
  }

  /// Distances to the nearest and the second nearest of the sites, one at random in every unit cell, and the word of
  /// the nearest.
  private static func nearest(_ noise: GeneratedNoise, _ x: Float, _ y: Float) -> (
    first: Float, second: Float, word: UInt64
  ) {
    let column = Int64(x.rounded(.down))
    let row = Int64(y.rounded(.down))
    var first = Float.greatestFiniteMagnitude
    var second = Float.greatestFiniteMagnitude
    var nearest: UInt64 = 0
    for siteRow in (row - 1)...(row + 1) {
      for siteColumn in (column - 1)...(column + 1) {
        let word = noise.word(siteColumn, siteRow)
        let site = GeneratedRandom.mix(word)
        let offset = GeneratedPoint(x: Float(siteColumn) + unit(site) - x, y: Float(siteRow) + unit(site >> 16) - y)
        let distance = offset.length
        if distance < first {
          (first, second, nearest) = (distance, first, word)
        } else if distance < second {
          second = distance
        }
      }
    }
    return (first, second, nearest)
  }

  /// The low 16 bits as a number in [0, 1).
  private static func unit(_ word: UInt64) -> Float {
    Float(word & 0xFFFF) * 0x1p-16
  }
}
