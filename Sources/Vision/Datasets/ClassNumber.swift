public import Support
import Files
import Torch

extension DatasetSettings {
  /// The names of the classes in the data set's own order; images are read only where nothing else tells the names.
  /// - Throws: `DataError`, `FileError`, `SettingsError`, as loading does.
  public func classNames() throws -> [String] {
    switch (name, path) {
    case ("generated", _): return GeneratedSigns.classNames
    case ("mnist", _): return IDXFiles.mnist.classNames
    case ("fashion-mnist", _): return IDXFiles.fashionMNIST.classNames
    case ("gtsrb", _): return GTSRBFiles.classNames
    case ("csv", let path?): return try ImageListFiles.classNames(path)
    case ("folder", let path?): return try ImageFolderLayout(path).classes
    case ("tiny-imagenet", let path?): return try TinyImageNetFiles.classNames(in: path)
    default: return try ImageDataset.load(self, .train).classNames
    }
  }
}

extension ClassNames {
  /// The number of the class that a setting names: of the same bytes, else the only one of the same letters and digits.
  /// - Parameters:
  ///   - setting: the setting's full name, for the error: `attack.target`.
  ///   - source: what has these classes: `the data set cifar10`.
  /// - Throws: `SettingsError` with the nearest names and some of the classes.
  public func number(of name: String, setting: String, source: String) throws(SettingsError) -> Int {
    if let position = positions(of: [name])[0] { return position }
    let numbers = "or its number, 0 to \(names.count - 1)"
    guard areNames else {
      throw SettingsError(
        setting,
        "\(source) has no class \(JSONValue.string(name).compactJSON): its classes have no names. Give a "
          + "number, 0 to \(names.count - 1).")
    }
    let question = Nearest.question(name, among: names)
    let some = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", ... (\(names.count) in all)" : "")
    throw SettingsError(
      setting,
      "\(source) has no class \(JSONValue.string(name).compactJSON). " + (question.isEmpty ? "" : question + " ")
        + "Give one of \(some), \(numbers).")
  }
}

extension ImageDataset {
  /// The same images with their classes called as in `settings`' data set where they are called by its identifiers: the
  /// wnids of Tiny ImageNet, which are the names of its own folders.
  public func namingIdentifiers(of settings: DatasetSettings) throws -> ImageDataset {
    guard settings.name == "tiny-imagenet", let path = settings.path,
      classNames.allSatisfy(TinyImageNetFiles.isIdentifier)
    else { return self }
    return ImageDataset(
      name: name, images: images, labels: labels,
      classNames: try TinyImageNetFiles.classNames(of: classNames, in: path), sources: sources)
  }
}
