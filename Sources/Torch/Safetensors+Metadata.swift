extension Safetensors {
  /// The metadata of a file without its tensors: a look at the header alone.
  /// - Throws: `SafetensorsError` for a file that cannot be read or whose header breaks a rule of the format.
  public static func metadata(of path: String) throws(SafetensorsError) -> [String: String] {
    do throws(FileError) {
      let file = try InputFile(path)
      return try SafetensorsHeader(of: file, path: path).metadata
    } catch {
      throw SafetensorsError(path: path, reason: error.reason)
    }
  }
}
