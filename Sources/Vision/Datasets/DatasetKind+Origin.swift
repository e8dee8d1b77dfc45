import Files
import Torch

extension DatasetKind {
  /// True where the files are the user's own, so that the name does not say which images they are, and a test split may
  /// be missing.
  public var holdsOwnFiles: Bool { ["folder", "csv", "tensors", "trojai"].contains(id) }
  /// True where the first images may be of one class: files of the user's own, and published data sets whose training
  /// images lie in one folder a class. The others are shuffled as they are published.
  public var mayBeSorted: Bool { holdsOwnFiles || ["gtsrb", "tiny-imagenet", "toolbox"].contains(id) }
}

extension DatasetSettings {
  /// What kind of images these are. Files that antidote wrote remember the data set that they were made of: its mean
  /// and deviation and whether it may be mirrored hold for them too.
  /// - Throws: `SettingsError` for an unknown name.
  public func origin() throws -> DatasetKind {
    let kind = try DatasetKind.named(name)
    if kind.id == "toolbox", let path { return (try? DatasetKind.named(ToolboxFiles.dataset(path))) ?? kind }
    guard kind.id == "tensors", let path, let metadata = try? Safetensors.metadata(of: TensorFiles.path(path, .train)),
      let origin = metadata[TensorFiles.originKey]
    else { return kind }
    return (try? DatasetKind.named(origin)) ?? kind
  }
}

extension DatasetSettings {
  /// Whether the files hold a test split; published data sets always do.
  public func holdsTest() throws -> Bool {
    guard let path else { return true }
    return switch name {
    case "folder": try ImageFolderFiles.holdsTest(path)
    case "csv": try ImageListFiles.holdsTest(path)
    case "trojai": false
    case "tensors": FileSystem.exists(TensorFiles.path(path, .test))
    default: true
    }
  }
}
