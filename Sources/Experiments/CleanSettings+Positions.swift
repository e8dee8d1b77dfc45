public import Support
public import Vision

extension CleanSettings {
  /// Positions of the defender's clean images in a clean training set, ascending; the same seed gives the same ones.
  public func positions(in train: ImageDataset, seed: Seed) -> [Int] {
    if let count { return train.sample(count: count, balanced: balanced, seed: seed, stream: "clean") }
    return train.sample(share, balanced: balanced, seed: seed, stream: "clean")
  }
}
