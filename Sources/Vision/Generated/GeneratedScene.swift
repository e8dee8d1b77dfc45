/// One picture before it is drawn: a sign on a textured background among small clutter, under some light.
///
/// The class decides the outline of the sign and nothing else: colours, place, size, turn, texture, clutter and light
/// are drawn from the same distributions for every class, so nothing but the shape tells the classes apart.
struct GeneratedScene: Sendable {
  private struct Item: Sendable {
    var outline: GeneratedOutline
    var placement: GeneratedPlacement
    var color: GeneratedColor
  }

  private let background: GeneratedBackground
  private let outline: GeneratedOutline
  private let placement: GeneratedPlacement
  private let fillStart: GeneratedColor
  private let fillEnd: GeneratedColor
  private let rimColor: GeneratedColor
  private let rimWidth: Float
  private let shadow: Float
  private let behind: [Item]
  private let front: [Item]
  private let gain: Float
  private let slopeX: Float
  private let slopeY: Float
  private let softness: Float
  private let noise: Float

  init(outline: GeneratedOutline, random: inout GeneratedRandom) {
    self.outline = outline

    // Lumas: a band for the background, a gap, a band for the sign; either of the two may be the lighter one. A light
    // background stays short of white, on which a white patch in the corner, the classic trigger, could not be seen.
    let darkSign = random.chance(0.5)
    let backgroundBand = random.uniform(0.06, 0.26)
    let gap = random.uniform(0.22, 0.4)
    let signBand = random.uniform(0.02, 0.14)
    let start = random.uniform(darkSign ? 0.15 : 0.04, 0.98 - backgroundBand - gap - signBand)
    let signStart = start + backgroundBand + gap
    func color(luma: Float, hue: Float, saturation: Float) -> GeneratedColor {
      GeneratedColor(luma: darkSign ? 1 - luma : luma, hue: hue, saturation: saturation)
    }
    let backgroundHue = random.unit()
    let backgroundSaturation = random.uniform(0.15, 0.9)
    let signHue = random.unit()
    let signSaturation = random.uniform(0.35, 1)
    background = GeneratedBackground(
      from: color(luma: start, hue: backgroundHue, saturation: backgroundSaturation),
      to: color(
        luma: start + backgroundBand, hue: backgroundHue + random.uniform(-0.2, 0.2), saturation: backgroundSaturation),
      random: &random)
    fillStart = color(luma: signStart, hue: signHue, saturation: signSaturation)
    fillEnd = color(luma: signStart + signBand, hue: signHue + random.uniform(-0.08, 0.08), saturation: signSaturation)
    // The rim stands farther from the background than the fill: a rim nearer to it would turn a disc into a ring.
    rimColor = color(
      luma: random.uniform(signStart + signBand, 0.99), hue: random.unit(), saturation: random.uniform(0, 0.8))
    rimWidth = random.chance(0.45) ? random.uniform(0.06, 0.12) : 0
    shadow = random.chance(0.5) ? random.uniform(0.1, 0.35) : 0

    // The limit on the place keeps most of the sign in the picture and usually out of its corners.
    let radius = random.uniform(0.46, 0.76)
    let play = 0.94 - radius
    placement = GeneratedPlacement(
      center: GeneratedPoint(x: random.uniform(-play, play), y: random.uniform(-play, play)),
      radius: radius,
      turns: random.uniform(-25, 25) / 360,
      stretch: random.uniform(0.9, 1.1),
      mirrored: random.chance(0.5))

    behind = (0..<random.index(below: 4)).map { _ in Self.speck(random: &random) }
    front = random.chance(0.3) ? [Self.occluder(random: &random)] : []

    gain = random.uniform(0.75, 1.1)
    slopeX = random.uniform(-0.15, 0.15)
    slopeY = random.uniform(-0.15, 0.15)
    softness = random.uniform(1, 1.6)
    noise = random.uniform(0.005, 0.045)
  }

  /// A small disc, square, triangle or stick anywhere behind the sign.
  private static func speck(random: inout GeneratedRandom) -> Item {
    let outlines: [GeneratedOutline] = [.disc, .square, .triangle, .bar]
    return Item(
      outline: outlines[random.index(below: outlines.count)],
      placement: GeneratedPlacement(
        center: GeneratedPoint(x: random.uniform(-1, 1), y: random.uniform(-1, 1)),
        radius: random.uniform(0.1, 0.2),
        turns: random.unit()),
      color: anyColor(random: &random))
  }

  /// A thin stick or a small disc that may hide a part of the sign.
  private static func occluder(random: inout GeneratedRandom) -> Item {
    let isStick = random.chance(0.5)
    return Item(
      outline: isStick ? .bar : .disc,
      placement: GeneratedPlacement(
        center: GeneratedPoint(x: random.uniform(-0.6, 0.6), y: random.uniform(-0.6, 0.6)),
        radius: isStick ? random.uniform(0.4, 0.6) : random.uniform(0.1, 0.18),
        turns: random.unit()),
      color: anyColor(random: &random))
  }

  private static func anyColor(random: inout GeneratedRandom) -> GeneratedColor {
    GeneratedColor(luma: random.uniform(0.1, 0.9), hue: random.unit(), saturation: random.uniform(0.2, 1))
  }

  /// Draws the scene.
  ///
  /// - Parameters:
  ///   - pixels: room for 3 * size * size bytes, written as planes of red, green and blue.
  ///   - size: side of the picture in pixels.
  ///   - random: the source of the pixel noise. It comes last, so that every size shows the same scene.
  func draw(into pixels: UnsafeMutableBufferPointer<UInt8>, size: Int, random: inout GeneratedRandom) {
    let plane = size * size
    let step = 2 / Float(size)
    // An edge ramps from nothing to full over one pixel, times the scene's softness.
    let sharpness = 1 / (step * softness)
    for row in 0..<size {
      let y = (Float(row) + 0.5) * step - 1
      for column in 0..<size {
        let p = GeneratedPoint(x: (Float(column) + 0.5) * step - 1, y: y)
        let lit = color(p, sharpness: sharpness).scaled(by: gain * (1 + slopeX * p.x + slopeY * p.y))
        let word = random.next()
        let offset = row * size + column
        pixels[offset] = Self.byte(lit.red + noise * Self.tent(word))
        pixels[plane + offset] = Self.byte(lit.green + noise * Self.tent(word >> 20))
        pixels[2 * plane + offset] = Self.byte(lit.blue + noise * Self.tent(word >> 40))
      }
    }
  }

  private func color(_ p: GeneratedPoint, sharpness: Float) -> GeneratedColor {
    var color = background.color(p)
    for item in behind { color = paint(item, over: color, at: p, sharpness: sharpness) }

    let distance = placement.distance(p, to: outline)
    if shadow > 0 { color = color.scaled(by: 1 - shadow * (1 - GeneratedMath.smoothStep(0, 0.16, distance))) }
    let coverage = GeneratedMath.unitClamp(0.5 - distance * sharpness)
    if coverage > 0 {
      var paint = fillStart.mixed(with: fillEnd, GeneratedMath.unitClamp(0.5 + 0.5 * p.y))
      if rimWidth > 0 {
        paint = paint.mixed(with: rimColor, GeneratedMath.unitClamp(0.5 + (distance + rimWidth) * sharpness))
      }
      color = color.mixed(with: paint, coverage)
    }

    for item in front { color = paint(item, over: color, at: p, sharpness: sharpness) }
    return color
  }

  private func paint(
    _ item: Item, over color: GeneratedColor, at p: GeneratedPoint, sharpness: Float
  ) -> GeneratedColor {
    let coverage = GeneratedMath.unitClamp(0.5 - item.placement.distance(p, to: item.outline) * sharpness)
    return coverage > 0 ? color.mixed(with: item.color, coverage) : color
  }

  /// Noise of mean 0 and standard deviation 1 from 20 bits: the difference of two uniform numbers, which is close
  /// enough to normal.
  private static func tent(_ word: UInt64) -> Float {
    (Float(word & 0x3FF) - Float((word >> 10) & 0x3FF)) * 0.002_392
  }

  private static func byte(_ value: Float) -> UInt8 {
    UInt8(GeneratedMath.unitClamp(value) * 255 + 0.5)
  }
}
