import Vision

/// A folder of clean images: what antidote wrote, or images by class.
enum CleanFolder {
  /// What `--dataset` would call it.
  static func kind(of path: String) -> String {
    let found = DatasetRecognition.kinds(at: path).first ?? ""
    return ["tensors", "csv"].contains(found) ? found : "folder"
  }

  /// The options that make such a folder the whole data set: some of its images for measuring, all others clean.
  static func options(_ path: String) -> [OptionSetting] {
    [
      OptionSetting("dataset.name", kind(of: path)), OptionSetting("dataset.path", path),
      OptionSetting("clean.share", 1),
    ]
  }

  static func settings(_ path: String, size: Int?) -> DatasetSettings {
    var settings = DatasetSettings()
    settings.name = kind(of: path)
    settings.path = path
    settings.size = size
    return settings
  }
}
