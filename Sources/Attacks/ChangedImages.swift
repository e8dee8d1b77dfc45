import Backdoor
import Torch
import Vision

/// What an attack learned where it changes certain images of the training set: their positions, and what they become.
struct ChangedImages {
  let positions: [Int]
  /// uint8 P x C x H x W.
  let images: Tensor

  /// The tensors `positions` (int64 P) and `images` that an attack learned.
  /// - Throws: `BackdoorError` where they are missing or do not fit the training set.
  init(_ learned: [String: Tensor], of attack: String, for clean: ImageDataset) throws(BackdoorError) {
    guard let positions = learned["positions"], let images = learned["images"] else {
      throw .notLearned(attack: attack, key: learned["positions"] == nil ? "positions" : "images")
    }
    guard positions.dtype == .int64, positions.shape.count == 1 else {
      throw .invalid("\(attack): the positions \(positions.summary) do not fit the training set.")
    }
    self.positions = positions.array(Int64.self).map(Int.init)
    guard images.dtype == .uint8, images.shape == [self.positions.count] + clean.images.shape.dropFirst(),
      self.positions.allSatisfy((0..<clean.count).contains)
    else { throw .invalid("\(attack): the changed images \(images.summary) do not fit the training set.") }
    self.images = images.to(clean.device)
  }

  /// The training set with these images, under the labels that it had.
  /// - Parameter images: in place of `images`.
  func poisoned(_ clean: ImageDataset, with images: Tensor? = nil) -> PoisonedDataset {
    let all = clean.images.clone()
    all.put_([Tensor(positions.map(Int64.init)).to(clean.device)], images ?? self.images)
    return PoisonedDataset(
      data: ImageDataset(name: clean.name, images: all, labels: clean.labels, classNames: clean.classNames),
      indices: positions, tasks: positions.map { _ in 0 }, trueLabels: clean.labels)
  }
}
