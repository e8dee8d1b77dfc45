public import Torch
import TorchNN
public import Vision

extension ImageDataset {
  /// A data set that a small network learns within a few steps: the class is the place of a bright square in noise.
  public static func tiny(
    count: Int = 64, channels: Int = 3, size: Int = 16, classes: Int = 4, seed: UInt64 = 1, name: String = "generated"
  ) -> ImageDataset {
    let noise = Generator(seed: seed).integers(0..<80, [count, channels, size, size]).to(.uint8)
    let labels = (0..<count).map { $0 % classes }
    let half = size / 2
    for (index, label) in labels.enumerated() {
      let (row, column) = (label / 2 % 2 * half, label % 2 * half)
      let region = noise[index].narrowed(1, (row + 2)..<(row + half - 2)).narrowed(
        2, (column + 2)..<(column + half - 2))
      region.fill_(label < 4 ? 250 : 170)
    }
    return ImageDataset(
      name: name, images: noise, labels: Tensor(labels.map(Int64.init)), classNames: (0..<classes).map { "class \($0)" }
    )
  }
}

extension Classifier {
  /// A model of a few hundred weights that fits the data.
  public static func tiny(for data: ImageDataset, kind: String = "cnn", width: Int = 4, seed: UInt64 = 1) throws
    -> Classifier
  {
    try ModelSpec(
      kind: kind,
      shape: ModelShape(classes: data.classes, width: width, channels: data.channels, imageSize: data.height)
    ).make(Generator(seed: seed))
  }

  /// All floating state as it is now.
  public func snapshot() -> [(key: String, tensor: Tensor)] { stateDict().copied().entries }
}

extension ImageDataset {
  /// What a defense trains in tests: the smallest network, from a defense's own stream of weights.
  public func tinyArchitecture(_ generator: Generator) throws -> Classifier {
    try ModelSpec(kind: "cnn", shape: ModelShape(classes: classes, width: 4, channels: channels, imageSize: height))
      .make(generator)
  }
}
