import Files
import Torch

/// The training and the test split of a data set, which agree in size, channels and classes.
public struct DatasetSplits {
  public let train: ImageDataset
  /// nil where files of the user's own have none.
  public let test: ImageDataset?

  /// Loads the splits; where the files of the user's own have no test split, one is drawn. Gray images become RGB where
  /// the other split has colour.
  /// - Parameter onNote: hears what was passed over or fitted, one sentence each.
  /// - Throws: `DataError` for missing or damaged files, an empty class, and sizes that differ between the splits;
  ///   `ClassNameError` for test classes that the training split lacks; `SettingsError` for settings that do not fit.
  public static func load(_ settings: DatasetSettings, onNote: (String) -> Void = { _ in }) throws -> DatasetSplits {
    var notes: [String] = []
    // Both splits may say the same about their folder.
    defer { for (position, note) in notes.enumerated() where !notes[..<position].contains(note) { onNote(note) } }
    guard try settings.holdsTest() else { return try heldOut(settings) { notes.append($0) } }
    let train = try ImageDataset.load(settings, .train, limit: settings.train) { notes.append($0) }
    let test = try ImageDataset.load(settings, .test, limit: settings.test) { notes.append($0) }
    guard train.height == test.height, train.width == test.width else {
      throw DataError.malformed(
        path: settings.path ?? settings.name,
        problem:
          "the training images are \(train.width)x\(train.height) pixels, the test images \(test.width)x\(test.height)",
        fix: "Give the side that all are resized to: --set dataset.size=\(min(train.width, train.height)).")
    }
    let channels = max(train.channels, test.channels)
    if train.channels != test.channels {
      notes.append(
        "gray \(train.channels == 1 ? "training" : "test") images become three equal channels, as the other split has "
          + "colour"
      )
    }
    return DatasetSplits(
      train: train.withChannels(channels),
      test: try test.withChannels(channels).numbered(as: train.classNames, of: "the training split") {
        notes.append($0)
      })
  }
}

extension DatasetSplits {
  /// The splits of files that have no test split of their own.
  private static func heldOut(_ settings: DatasetSettings, _ onNote: (String) -> Void) throws -> DatasetSplits {
    let all = try ImageDataset.load(settings, .train, limit: nil, onNote)
    let (train, test) = settings.heldOut(of: all)
    guard !test.isEmpty else {
      return DatasetSplits(train: try settings.limited(all, .train, to: settings.train), test: nil)
    }
    onNote(
      "\(settings.path ?? settings.name): no test split; \(formatCount(test.count)) of \(formatCount(all.count)) images, "
        + "drawn by class and seed, are the test images (dataset.holdOut=\(settings.holdOut ?? DatasetSettings.usualHoldOut))"
    )
    let rest = all.subset(train)
    let lost = Set(all.labelArray()).subtracting(rest.labelArray()).filter(all.classNames.indices.contains).sorted()
    if !lost.isEmpty {
      let names = formatNames(lost.map { all.classNames[$0] })
      onNote("warning: no training image is left of \(names): give such classes more images")
    }
    let files = (all.sources ?? []).filter { $0.row == nil }.map(\.file)
    let repeated = files.count - Set(files).count
    if repeated > 0 {
      onNote(
        "warning: \(formatCount(repeated)) images are listed again, and may be training and test images at once: list each once"
      )
    }
    return DatasetSplits(
      train: try settings.limited(rest, .train, to: settings.train),
      test: try settings.limited(all.subset(test), .test, to: settings.test))
  }
}

extension ImageDataset {
  /// The same images; gray ones with three equal channels where three are asked for. Colour stays colour.
  public func withChannels(_ wanted: Int) -> ImageDataset {
    guard channels == 1, wanted == 3 else { return self }
    return ImageDataset(
      name: name, images: images.repeated(1, 3, 1, 1), labels: labels, classNames: classNames, sources: sources)
  }

  /// Whether these are gray images with three equal channels, as far as the first 64 of them tell.
  public var hasEqualChannels: Bool {
    guard channels == 3, count > 0 else { return false }
    let some = images[0..<min(count, 64)]
    return noGrad { (some .== some.narrowed(1, 0..<1).expanded(some.shape)).to(.float32).min().item() == 1 }
  }
}
