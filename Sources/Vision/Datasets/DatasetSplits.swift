import Torch

/// The training and the test split of a data set, which agree in size, channels and classes.
public struct DatasetSplits {
  public let train: ImageDataset
  /// nil where files of the user's own have none.
  public let test: ImageDataset?

  /// Loads the splits. Gray images become RGB where the other split has colour.
  /// - Parameter onNote: hears what was passed over or fitted, one sentence each.
  /// - Throws: `DataError` for missing or damaged files, an empty class, and sizes that differ between the splits;
  ///   `ClassNameError` for test classes that the training split lacks; `SettingsError` for settings that do not fit.
  public static func load(_ settings: DatasetSettings, onNote: (String) -> Void = { _ in }) throws -> DatasetSplits {
    var notes: [String] = []
    let train = try ImageDataset.load(settings, .train) { notes.append($0) }
    let test = try settings.holdsTest() ? ImageDataset.load(settings, .test) { notes.append($0) } : nil
    // Both splits may say the same about their folder.
    for (position, note) in notes.enumerated() where !notes[..<position].contains(note) { onNote(note) }
    guard let test else { return DatasetSplits(train: train, test: nil) }
    guard train.height == test.height, train.width == test.width else {
      throw DataError.malformed(
        path: settings.path ?? settings.name,
        problem:
          "the training images are \(train.width)x\(train.height) pixels, the test images \(test.width)x\(test.height)",
        fix: "Give the side that all are resized to: --set dataset.size=\(min(train.width, train.height)).")
    }
    let channels = max(train.channels, test.channels)
    if train.channels != test.channels {
      onNote(
        "gray \(train.channels == 1 ? "training" : "test") images become three equal channels, as the other split has "
          + "colour"
      )
    }
    return DatasetSplits(
      train: train.withChannels(channels),
      test: try test.withChannels(channels).numbered(as: train.classNames, of: "the training split", onNote: onNote))
  }
}

extension ImageDataset {
  /// The same images; gray ones with three equal channels where three are asked for. Colour stays colour.
  public func withChannels(_ wanted: Int) -> ImageDataset {
    guard channels == 1, wanted == 3 else { return self }
    return ImageDataset(name: name, images: images.repeated(1, 3, 1, 1), labels: labels, classNames: classNames)
  }
}
