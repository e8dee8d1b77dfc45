import Torch
import TorchNN

extension RecognizedModel {
  typealias Entries = [(key: String, shape: Shape)]

  /// One architecture with one of its stems and depths, at its smallest: which keys it has, and where its width shows.
  struct Candidate: Sendable {
    let kind: ModelKind
    /// Of the smallest model.
    let smallest: ModelShape
    let entries: Entries
    let keys: Set<String>

    init(_ kind: ModelKind, _ smallest: ModelShape) {
      self.kind = kind
      self.smallest = smallest
      entries = kind.make(smallest, Generator(seed: 0)).stateDict().entries
        .filter { !isCounter($0.key) }.map { (key: $0.key, shape: $0.tensor.shape) }
      keys = Set(entries.map(\.key))
    }

    /// Kind, width, classes and channels from the first convolution and the last layer; nil where the shapes of one layer
    /// do not fit those of the others.
    /// - Throws: `ModelFileError` where the weights leave open what the model computes.
    func fitted(to found: Entries, _ path: String, _ heads: Int?) throws -> (kind: String, shape: ModelShape)? {
      let shapes = Dictionary(found.map { ($0.key, $0.shape) }) { first, _ in first }
      guard let first = entries.first(where: { $0.shape.count == 4 }), let conv = shapes[first.key], conv.count == 4,
        conv[2...] == first.shape[2...], let last = entries.last, let head = shapes[last.key], head.count == 1,
        first.shape[0] > 0, conv[0] > 0, head[0] > 0, [1, 3].contains(conv[1]),
        found.allSatisfy({ $0.shape.allSatisfy { $0 > 0 } })
      else { return nil }
      var shape = smallest
      (shape.classes, shape.channels) = (head[0], conv[1])
      let held = found.reduce(0.0) {
        let isStatistic = $1.key.hasSuffix(".running_mean") || $1.key.hasSuffix(".running_var")
        return isStatistic ? $0 : $0 + $1.shape.reduce(1.0) { $0 * Double($1) }
      }
      if kind.countsParameters != nil {
        // Channels are rounded: several widths have the same first convolution.
        let widths = [conv[0]] + ((conv[0] - 7)...(conv[0] + 7)).filter { $0 > 0 && multipleOf8(Double($0)) == conv[0] }
        guard conv[0] <= 65_536 else { return nil }
        for width in widths {
          shape.width = width
          if kind.parameterCount(shape) == held { return (kind.id, shape) }
        }
        return nil
      }
      guard conv[0] <= 1 << 30, conv[0] * smallest.width % first.shape[0] == 0 else { return nil }
      shape.width = conv[0] * smallest.width / first.shape[0]
      if kind.options.heads != nil { return try transformer(shape, held, path, heads) }
      guard (try? kind.check(shape)) != nil, kind.parameterCount(shape) <= held else { return nil }
      return (kind.id, shape)
    }

    /// The transformer of this width.
    private func transformer(
      _ shape: ModelShape, _ held: Double, _ path: String, _ given: Int?
    ) throws -> (String, ModelShape)? {
      var shape = shape
      let published = ModelKind.all.first { $0.options.heads != nil && $0.defaultWidth == shape.width }
      let usual = published?.options.heads ?? (shape.width % 64 == 0 ? shape.width / 64 : nil)
      guard let heads = given ?? usual else {
        throw ModelFileError(
          description:
            "\(path) is a vision transformer of width \(shape.width), and how many heads its attention has does not show in "
            + "its weights. Say so: --set model.heads=4, or another number that divides the width.")
      }
      shape.heads = heads
      let kind = published ?? kind
      do {
        try kind.check(shape)
      } catch {
        throw ModelFileError(description: "\(path): \(error)")
      }
      guard kind.parameterCount(shape) <= held else { return nil }
      return (kind.id, shape)
    }

    /// Candidates whose keys follow from the file: architectures of several depths.
    static func templates(for found: Entries) -> [Candidate] {
      let shapes = Dictionary(found.map { ($0.key, $0.shape) }) { first, _ in first }
      return ModelKind.all.compactMap { kind in
        guard var shape = kind.template?(shapes) else { return nil }
        shape.width = kind.widthStep
        return (try? kind.check(shape)) == nil ? nil : Candidate(kind, shape)
      }
    }
  }

  /// The architectures of one depth, with each of their stems.
  static let candidates: [Candidate] = ModelKind.all.filter { $0.options.depth == nil }.flatMap { kind in
    let stems: [Stem?] = kind.options.hasStems && kind.options.stemShows ? Stem.allCases : [nil]
    return stems.map { stem in
      var shape = ModelShape(classes: 2, width: kind.widthStep, imageSize: (stem ?? .small).typicalSize)
      shape.stem = stem
      return Candidate(kind, shape)
    }
  }
}

/// How many numbers N there are such that the keys hold `start` N `end`.
private func count(_ keys: some Sequence<String>, _ start: String, _ end: String) -> Int {
  keys.count { key in
    key.hasPrefix(start) && key.hasSuffix(end) && Int(key.dropFirst(start.count).dropLast(end.count)) != nil
  }
}

extension WideResNet {
  /// Depth and widen factor by the keys and shapes of a file.
  static func template(_ shapes: [String: Shape]) -> ModelShape? {
    guard let stem = shapes["conv1.weight"]?.first, stem > 0, let wide = shapes["block1.layer.0.conv1.weight"]?.first,
      wide % stem == 0
    else { return nil }
    var shape = ModelShape(classes: 2, width: 1)
    shape.depth = 6 * count(shapes.keys, "block1.layer.", ".conv1.weight") + 4
    shape.widen = wide / stem
    return shape
  }
}

extension CIFARVGG {
  /// Depth by the keys of a file.
  static func template(_ shapes: [String: Shape]) -> ModelShape? {
    var shape = ModelShape(classes: 2, width: 1)
    shape.depth = count(shapes.keys, "features.", ".running_mean") + 3
    return shapes["classifier.weight"] == nil ? nil : shape
  }
}

extension VisionTransformer {
  /// Depth, patches and image size by the keys and shapes of a file.
  static func template(_ shapes: [String: Shape]) -> ModelShape? {
    guard let projection = shapes["patch_embed.proj.weight"], projection.count == 4, projection[2] == projection[3],
      let positions = shapes["pos_embed"], positions.count == 3, (2...300_000).contains(positions[1])
    else { return nil }
    let side = Int(Double(positions[1] - 1).squareRoot().rounded())
    guard side * side + 1 == positions[1], (1...64).contains(projection[2]) else { return nil }
    var shape = ModelShape(classes: 2, width: 1, imageSize: side * projection[2])
    shape.depth = count(shapes.keys, "blocks.", ".norm1.weight")
    shape.patch = projection[2]
    return ModelShape.imageSizes.contains(shape.imageSize) ? shape : nil
  }
}
