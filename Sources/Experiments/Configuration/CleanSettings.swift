public import Support
public import Vision

/// The defender's clean images.
public struct CleanSettings: Configurable, Hashable {
  public var share = 0.05
  public var count: Int? = nil
  public var balanced = false
  public var disjoint = false
  public var unlabeled = 0.0
  public var unlabeledFrom: String? = nil
  public var unlabeledPath: String? = nil
  public var unlabeledCount: Int? = nil
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "share", "Share of the clean training set that the defender has.", unit: "fraction", range: 0...1,
      source: "benchmarks: 5%"),
    Setting("count", "Number of clean images in place of a share.", unit: "images", range: 0...100_000_000),
    Setting("balanced", "As many images of each class."),
    Setting(
      "disjoint", "Take these images out of the set that the attacker poisons and the model is trained on.",
      source: "default: benchmark convention, which draws them from the same training set"),
    Setting(
      "unlabeled",
      "Share of the clean training set that the defender has without labels; taken out of what the attacker poisons.",
      unit: "fraction", range: 0...1, source: "noisy-label paper, semi-supervised: 0.8"),
    Setting(
      "unlabeledFrom",
      "Another data set whose images the defender has without labels, besides those of `unlabeled`: its unlabeled "
        + "split, or its training split where it has none; in the size of the training images.",
      choices: DatasetKind.all.map(\.id),
      source: "noisy-label paper, table 2: CIFAR-100 and STL-10 beside CIFAR-10"),
    Setting("unlabeledPath", "Folder with that data set's files."),
    Setting(
      "unlabeledCount", "Use so many of its images, drawn at random; empty means all.", unit: "images",
      range: 1...100_000_000),
  ]
}

extension CleanSettings {
  /// Positions of the defender's clean images in a clean training set, ascending; the same seed gives the same ones.
  public func positions(in train: ImageDataset, seed: Seed) -> [Int] {
    if let count { return train.sample(count: count, balanced: balanced, seed: seed, stream: "clean") }
    return train.sample(share, balanced: balanced, seed: seed, stream: "clean")
  }

  /// Positions of the images that the defender has without labels: other ones than `positions`.
  public func unlabeledPositions(in train: ImageDataset, seed: Seed) -> [Int] {
    guard unlabeled > 0 else { return [] }
    let free = train.complement(of: positions(in: train, seed: seed))
    let wanted = min(Int((unlabeled * Double(train.count)).rounded()), free.count)
    return train.subset(free).sample(count: wanted, balanced: false, seed: seed, stream: "unlabeled").map { free[$0] }
  }
}
