public import Support
public import Vision

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
