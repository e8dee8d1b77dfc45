/// Folders that appear under their name only when all their files are there, whatever becomes of the process. Nothing
/// forces them to the disk: a machine that loses its power right afterwards may lose what they hold.
public enum AtomicFolder {
  /// Makes a folder. Nothing may have its name, apart from an empty folder.
  /// - Parameter fill: Writes the files into the folder whose path it gets.
  /// - Throws: `FileError`, and what `fill` throws; then nothing is left, apart from folders above it.
  public static func write<R>(to path: String, _ fill: (_ temporary: String) throws -> R) throws -> R {
    let path = Path.withoutFinalSlash(path)
    try FileSystem.createFolder(Path.parent(path))
    let item = try TemporaryItem(for: path, isFolder: true)
    do {
      let result = try fill(item.path)
      try item.publish(as: path)
      return result
    } catch {
      item.discard()
      // The user knows the folder by its final name.
      throw (error as? FileError)?.renaming(item.path, to: path) ?? error
    }
  }
}
