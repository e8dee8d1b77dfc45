import Vision

/// A folder of clean images: what antidote wrote, or images by class.
enum CleanFolder {
  static func settings(_ path: String, size: Int?) -> DatasetSettings {
    var settings = DatasetSettings()
    settings.name = DatasetRecognition.kinds(at: path).first == "tensors" ? "tensors" : "folder"
    settings.path = path
    settings.size = size
    return settings
  }
}
