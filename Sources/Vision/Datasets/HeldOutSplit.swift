import Support

extension DatasetSettings {
  /// The share of the images that are test images where the files have no test split of their own.
  static let usualHoldOut = 0.2

  /// Positions of the training and of the test images in a set that has no test split: drawn by class and
  /// `dataset.seed`. Both ascend, and at least one image stays on each side unless the share is 0 or 1.
  func heldOut(of data: ImageDataset) -> (train: [Int], test: [Int]) {
    let share = holdOut ?? Self.usualHoldOut
    var wanted = Int((share * Double(data.count)).rounded())
    if share > 0, share < 1 { wanted = min(max(wanted, 1), data.count - 1) }
    let test = data.stratifiedSample(count: wanted, seed: Seed(UInt64(seed)), stream: "dataset/holdOut")
    return (data.complement(of: test), test)
  }
}
