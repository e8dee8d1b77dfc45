import Torch

extension DatasetKind {
  /// True where the files are the user's own, so that the name does not say which images they are, and a test split may be missing.
  public var holdsOwnFiles: Bool { ["folder", "tensors"].contains(id) }
}

extension DatasetSettings {
  /// What kind of images these are. Files that antidote wrote remember the data set that they were made of: its mean and deviation and
  /// whether it may be mirrored hold for them too.
  /// - Throws: `SettingsError` for an unknown name.
  public func origin() throws -> DatasetKind {
    let kind = try DatasetKind.named(name)
    guard kind.id == "tensors", let path, let metadata = try? Safetensors.metadata(of: TensorFiles.path(path, .train)),
      let origin = metadata[TensorFiles.originKey]
    else { return kind }
    return (try? DatasetKind.named(origin)) ?? kind
  }
}

extension ImageDataset {
  /// The test split, or nil where files of the user's own have none.
  /// - Throws: as `load`.
  public static func loadTest(_ settings: DatasetSettings) throws -> ImageDataset? {
    do {
      return try load(settings, .test)
    } catch let error as DataError {
      guard case .missing(_, let lookedFor, _) = error, !lookedFor.isEmpty, try DatasetKind.named(settings.name).holdsOwnFiles else {
        throw error
      }
      return nil
    }
  }
}
