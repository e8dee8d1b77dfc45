/// What lies behind the sign: two colours joined by a random texture that fills the whole picture, corners included.
struct GeneratedBackground: Sendable {
  private enum Texture: Sendable {
    case gradient
    case stripes(frequency: Float, phase: Float, sharpness: Float)
    case checks(frequency: Float)
    case blobs([Blob])
    case clouds(GeneratedNoise, frequency: Float, octaves: Int)
  }

  private struct Blob: Sendable {
    var center: GeneratedPoint
    var inverseRadius: Float
  }

  private let texture: Texture
  private let from: GeneratedColor
  private let to: GeneratedColor
  private let directionX: Float
  private let directionY: Float

  init(from: GeneratedColor, to: GeneratedColor, random: inout GeneratedRandom) {
    self.from = from
    self.to = to
    let turns = random.unit()
    directionX = GeneratedMath.cosine(turns: turns)
    directionY = GeneratedMath.sine(turns: turns)
    switch random.index(below: 6) {
    case 0:
      texture = .gradient
    case 1:
      texture = .stripes(frequency: random.uniform(0.8, 2.6), phase: random.unit(), sharpness: random.uniform(1, 6))
    case 2:
      texture = .checks(frequency: random.uniform(0.8, 1.8))
    case 3:
      texture = .blobs(
        (0..<(3 + random.index(below: 4))).map { _ in
          Blob(
            center: GeneratedPoint(x: random.uniform(-1.1, 1.1), y: random.uniform(-1.1, 1.1)),
            inverseRadius: 1 / random.uniform(0.25, 0.7))
        })
    default:
      // The most natural of the textures, hence twice as likely as each of the others.
      texture = .clouds(
        GeneratedNoise(key: random.next()), frequency: random.uniform(1.2, 3.5), octaves: 2 + random.index(below: 2))
    }
  }

  func color(_ p: GeneratedPoint) -> GeneratedColor {
    from.mixed(with: to, amount(p))
  }

  /// The share of the second colour, 0...1.
  private func amount(_ p: GeneratedPoint) -> Float {
    let along = p.x * directionX + p.y * directionY
    let across = p.y * directionX - p.x * directionY
    switch texture {
    case .gradient:
      return GeneratedMath.unitClamp(0.5 + 0.42 * along)
    case .stripes(let frequency, let phase, let sharpness):
      return GeneratedMath.unitClamp(0.5 + 0.5 * sharpness * GeneratedMath.sine(turns: along * frequency + phase))
    case .checks(let frequency):
      let product = GeneratedMath.sine(turns: along * frequency) * GeneratedMath.sine(turns: across * frequency)
      return GeneratedMath.unitClamp(0.5 + 4 * product)
    case .blobs(let blobs):
      var amount: Float = 0
      for blob in blobs {
        let offset = GeneratedPoint(x: p.x - blob.center.x, y: p.y - blob.center.y)
        amount = max(amount, 1 - GeneratedMath.smoothStep(0.55, 1, offset.length * blob.inverseRadius))
      }
      return amount
    case .clouds(let noise, let frequency, let octaves):
      // Octaves average out towards the middle; the factor gives the contrast back.
      let value = noise.fractal(along * frequency, across * frequency, octaves: octaves)
      return GeneratedMath.unitClamp(0.5 + 1.8 * (value - 0.5))
    }
  }
}
