import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// What each data set's models subtract and divide by, and whether a mirrored image keeps its class.
@Suite struct DatasetKindTests {
  /// CIFAR-10, CIFAR-100, Tiny ImageNet and ImageNet: the channels' means and deviations over the training set that
  /// benchmark code has; the others: pixels to [-1, 1], or as they are.
  private static let table: [(id: String, mean: [Float], deviation: [Float], flips: Bool)] = [
    ("generated", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], false),
    ("cifar10", [0.4914, 0.4822, 0.4465], [0.247, 0.243, 0.261], true),
    ("cifar100", [0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762], true),
    ("mnist", [0.5], [0.5], false),
    ("fashion-mnist", [0.5], [0.5], true),
    ("gtsrb", [], [], false),
    ("tiny-imagenet", [0.4802, 0.4481, 0.3975], [0.2302, 0.2265, 0.2262], true),
    ("stl10", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], true),
    ("folder", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], true),
    ("csv", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], true),
    ("tensors", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], true),
    ("toolbox", [0.4914, 0.4822, 0.4465], [0.247, 0.243, 0.261], true),
    ("trojai", [], [], true),
  ]

  @Test func valuesOfEachDataSet() throws {
    #expect(DatasetKind.all.map(\.id) == Self.table.map(\.id), "a new data set needs its row here")
    for row in Self.table {
      let kind = try DatasetKind.named(row.id)
      #expect(kind.normalization.mean == row.mean && kind.normalization.standardDeviation == row.deviation, "\(row.id)")
      #expect(kind.flips == row.flips, "\(row.id)")
      // Gray images of a coloured set, and the other way round.
      let (gray, color) = (kind.normalization(channels: 1), kind.normalization(channels: 3))
      #expect(gray.mean == (row.mean.isEmpty ? [] : [0.5]) && gray.standardDeviation == gray.mean, "\(row.id)")
      #expect(color.mean == (row.mean.count == 1 ? [0.5, 0.5, 0.5] : row.mean), "\(row.id)")
      #expect(color.standardDeviation == (row.deviation.count == 1 ? [0.5, 0.5, 0.5] : row.deviation), "\(row.id)")
    }
  }

  /// A model's first step: minus the mean, divided by the deviation, channel by channel.
  @Test func modelsNormalizeByThem() throws {
    for row in Self.table where row.mean.count == 3 {
      let normalization = try DatasetKind.named(row.id).normalization
      let model = try ModelSpec(
        kind: "cnn", shape: ModelShape(classes: 3, width: 2, imageSize: 8, normalization: normalization)
      ).make(Generator(seed: 1)).eval()
      let pixels = imagePattern([2, 3, 8, 8], 0.4)
      let normalized = Tensor.concatenated(
        (0..<3).map { (pixels.narrowed(1, $0..<($0 + 1)) - Double(row.mean[$0])) / Double(row.deviation[$0]) }, 1)
      let expected = noGrad { model.logits(model.features(normalized: normalized).penultimate) }
      expectClose(noGrad { model(pixels) }, expected, tolerance: 1e-5, row.id)
    }
  }
}
