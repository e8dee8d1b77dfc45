/// An outline as a signed distance: negative inside, zero on the edge, positive outside, so that an edge is smoothed at
/// any size.
///
/// Outlines are drawn in a unit frame, x to the right and y downwards, in which they reach out to about 1.
struct GeneratedOutline: Sendable {
  private enum Kind: Sendable {
    case disc(radius: Float)
    case ring(middle: Float, halfWidth: Float)
    case crescent(radius: Float, bite: Float, offset: Float)
    case heart(scale: Float)
    case polygon([Edge], rounding: Float)
  }

  /// An edge with the reciprocal of its squared length, which would otherwise be a division for each pixel.
  private struct Edge: Sendable {
    var startX: Float, startY: Float
    var deltaX: Float, deltaY: Float
    var inverseSquare: Float
  }

  private let kind: Kind

  /// Distance to the edge. It is exact for all outlines but the crescent, whose two tips underestimate it, which no eye
  /// can see.
  func distance(_ p: GeneratedPoint) -> Float {
    switch kind {
    case .disc(let radius):
      return p.length - radius
    case .ring(let middle, let halfWidth):
      return abs(p.length - middle) - halfWidth
    case .crescent(let radius, let bite, let offset):
      return max(p.length - radius, bite - GeneratedPoint(x: p.x - offset, y: p.y).length)
    case .heart(let scale):
      return scale * Self.heartDistance(x: abs(p.x) / scale, y: 0.56 - p.y / scale)
    case .polygon(let edges, let rounding):
      return Self.polygonDistance(p, edges) - rounding
    }
  }

  static let disc = GeneratedOutline(kind: .disc(radius: 0.86))
  static let ring = GeneratedOutline(kind: .ring(middle: 0.70, halfWidth: 0.21))
  static let crescent = GeneratedOutline(kind: .crescent(radius: 0.95, bite: 0.76, offset: 0.46))
  static let heart = GeneratedOutline(kind: .heart(scale: 1.56))
  static let triangle = polygon([(0, -0.92), (0.88, 0.62), (-0.88, 0.62)], rounding: 0.06)
  static let square = polygon([(-0.7, -0.7), (0.7, -0.7), (0.7, 0.7), (-0.7, 0.7)], rounding: 0.06)
  static let bar = polygon([(-1, -0.14), (1, -0.14), (1, 0.14), (-1, 0.14)], rounding: 0)
  static let cross = polygon(
    [
      (-0.29, -0.94), (0.29, -0.94), (0.29, -0.29), (0.94, -0.29), (0.94, 0.29), (0.29, 0.29),
      (0.29, 0.94), (-0.29, 0.94), (-0.29, 0.29), (-0.94, 0.29), (-0.94, -0.29), (-0.29, -0.29),
    ], rounding: 0.02)
  static let arrow = polygon(
    [(0, -1), (0.84, -0.06), (0.32, -0.06), (0.32, 0.94), (-0.32, 0.94), (-0.32, -0.06), (-0.84, -0.06)], rounding: 0.02
  )
  static let bolt = polygon(
    [(0.36, -1), (-0.66, 0.16), (-0.06, 0.16), (-0.36, 1), (0.66, -0.22), (0.06, -0.22)], rounding: 0.05)
  static let star = polygon(
    (0..<10).map { corner in
      let radius: Float = corner.isMultiple(of: 2) ? 1 : 0.44
      let turns = Float(corner) / 10
      return (radius * GeneratedMath.sine(turns: turns), -radius * GeneratedMath.cosine(turns: turns))
    }, rounding: 0.03)

  private static func polygon(_ corners: [(Float, Float)], rounding: Float) -> GeneratedOutline {
    let edges = corners.indices.map { index in
      let (x, y) = corners[index]
      let (nextX, nextY) = corners[(index + 1) % corners.count]
      let deltaX = nextX - x
      let deltaY = nextY - y
      return Edge(
        startX: x, startY: y, deltaX: deltaX, deltaY: deltaY, inverseSquare: 1 / (deltaX * deltaX + deltaY * deltaY))
    }
    return GeneratedOutline(kind: .polygon(edges, rounding: rounding))
  }

  /// The nearest edge gives the size, the parity of the edges that a horizontal ray crosses gives the sign.
  private static func polygonDistance(_ p: GeneratedPoint, _ edges: [Edge]) -> Float {
    var square = Float.greatestFiniteMagnitude
    var inside = false
    for edge in edges {
      let x = p.x - edge.startX
      let y = p.y - edge.startY
      let along = GeneratedMath.unitClamp((x * edge.deltaX + y * edge.deltaY) * edge.inverseSquare)
      let offX = x - edge.deltaX * along
      let offY = y - edge.deltaY * along
      square = min(square, offX * offX + offY * offY)
      let startsAbove = y >= 0
      let endsAbove = y >= edge.deltaY
      if startsAbove != endsAbove, (edge.deltaX * y > edge.deltaY * x) == startsAbove { inside.toggle() }
    }
    let distance = square.squareRoot()
    return inside ? -distance : distance
  }

  /// Two quarter discs on a square that stands on its corner, x folded to the right half and y upwards from the tip.
  private static func heartDistance(x: Float, y: Float) -> Float {
    if x + y > 1 {
      return GeneratedPoint(x: x - 0.25, y: y - 0.75).length - 0.353_553_4
    }
    let half = 0.5 * max(x + y, 0)
    let notch = x * x + (y - 1) * (y - 1)
    let side = (x - half) * (x - half) + (y - half) * (y - half)
    let distance = min(notch, side).squareRoot()
    return x > y ? distance : -distance
  }
}

/// Where an outline lies in the picture: turned, scaled, stretched and moved.
struct GeneratedPlacement: Sendable {
  private let center: GeneratedPoint
  private let cosine: Float
  private let sine: Float
  private let inverseX: Float
  private let inverseY: Float
  private let radius: Float

  /// - Parameters:
  ///   - center: in picture coordinates.
  ///   - radius: of the outline's unit frame; 1 is half the picture's side.
  ///   - turns: clockwise turn, 1 being the full circle.
  ///   - stretch: factor on the outline's own x axis, its reciprocal on y; near 1, so that distances stay nearly true.
  ///   - mirrored: whether left and right are exchanged.
  init(center: GeneratedPoint, radius: Float, turns: Float, stretch: Float = 1, mirrored: Bool = false) {
    self.center = center
    self.radius = radius
    cosine = GeneratedMath.cosine(turns: turns)
    sine = GeneratedMath.sine(turns: turns)
    inverseX = (mirrored ? -1 : 1) / (radius * stretch)
    inverseY = stretch / radius
  }

  /// Distance from `p` to the placed outline, in picture units.
  func distance(_ p: GeneratedPoint, to outline: GeneratedOutline) -> Float {
    let x = p.x - center.x
    let y = p.y - center.y
    let local = GeneratedPoint(x: (x * cosine + y * sine) * inverseX, y: (y * cosine - x * sine) * inverseY)
    return radius * outline.distance(local)
  }
}
