import Files
public import Support
import Torch
public import Vision

extension CleanSettings {
  /// The defender's images without labels, on the device of `train`: some of the training set, images of another data
  /// set, or both; nil where there are none.
  /// - Parameters:
  ///   - positions: `unlabeledPositions(in: train, seed: seed)`.
  ///   - onNote: hears what was passed over or fitted, one sentence each.
  /// - Throws: `JobError` for a data set that does not fit, `DataError` for missing or damaged files.
  public func unlabeledImages(
    _ positions: [Int], of train: ImageDataset, seed: Seed, onNote: (String) -> Void = { _ in }
  ) throws -> ImageDataset? {
    let own = positions.isEmpty ? nil : train.subset(positions).withoutLabels()
    guard let unlabeledFrom else {
      if unlabeledPath != nil || unlabeledCount != nil {
        throw JobError.invalid(
          "clean.unlabeledPath and clean.unlabeledCount belong to another data set, and clean.unlabeledFrom names none."
        )
      }
      return own
    }
    let other = try load(unlabeledFrom, like: train, seed, onNote)
    let drawn = other.sample(count: unlabeledCount ?? other.count, seed: seed, stream: "unlabeledFrom")
    let found = other.subset(drawn).withoutLabels().to(train.device)
    onNote("images without labels: \(formatCount(found.count)) of \(unlabeledFrom)")
    return own.map { $0.joined(with: found) } ?? found
  }

  private func load(
    _ name: String, like train: ImageDataset, _ seed: Seed, _ onNote: (String) -> Void
  ) throws -> ImageDataset {
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.size, settings.holdOut) = (name, unlabeledPath, train.height, 0)
    guard unlabeledPath != nil || name == "generated" else {
      throw JobError.invalid("clean.unlabeledPath: data set \(name) needs a folder with its files.")
    }
    // Generated images are independent of each other: no more than are used, and none of the training set's.
    if name == "generated" {
      (settings.train, settings.seed) = (unlabeledCount, Int(seed("unlabeledFrom/generated") >> 33))
    }
    var images: ImageDataset
    do {
      images = try ImageDataset.load(settings, .unlabeled, onNote: onNote)
    } catch DataError.noSuchSplit {
      images = try ImageDataset.load(settings, .train, onNote: onNote)
    } catch DataError.missing where (try? DatasetKind.named(name).holdsOwnFiles) == true {
      images = try ImageDataset.load(settings, .train, onNote: onNote)
    }
    images = images.withChannels(train.channels)
    guard images.images.shape.dropFirst() == train.images.shape.dropFirst() else {
      throw JobError.invalid(
        "clean.unlabeledFrom \(name): its images are \(images.channels)x\(images.height)x\(images.width), the training "
          + "images \(train.channels)x\(train.height)x\(train.width). Choose a data set with as many channels, and give "
          + "the training images one side (dataset.size).")
    }
    return images
  }
}

extension ImageDataset {
  /// These images and then those of another set, which has the same shape, all without labels.
  fileprivate func joined(with other: ImageDataset) -> ImageDataset {
    ImageDataset(
      name: name, images: Tensor.concatenated([images, other.images]),
      labels: Tensor.concatenated([labels, other.labels]), classNames: classNames)
  }
}
