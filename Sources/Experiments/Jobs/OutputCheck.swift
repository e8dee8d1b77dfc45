import Files
import Foundation

/// Looks whether a result can be written before anything is computed for it.
enum OutputCheck {
  /// - Throws: `FileError`: the path ends with a slash, names a folder, has a name that is too long, or lies where the
  ///   user may not write.
  static func file(_ path: String) throws(FileError) {
    guard !path.hasSuffix("/"), !FileSystem.isFolder(path) else { throw FileError(.write, path, code: EISDIR) }
    try place(path)
  }

  /// - Throws: `FileError`: the name is too long, or the folder would lie where the user may not write.
  static func folder(_ path: String) throws(FileError) { try place(Path.withoutFinalSlash(path)) }

  private static func place(_ path: String) throws(FileError) {
    guard !path.isEmpty else { throw FileError(.write, path, code: EINVAL) }
    // The folder for checkpoints has the longer name.
    for name in [path, path + JobFolder.suffix] {
      var status = stat()
      guard lstat(name, &status) == 0 || errno == ENOENT else { throw FileError(.write, path) }
    }
    // Folders that are missing are made later.
    var folder = Path.parent(path)
    while !FileSystem.exists(folder), Path.parent(folder) != folder { folder = Path.parent(folder) }
    guard FileSystem.isFolder(folder) else { throw FileError(.write, path, code: ENOTDIR) }
    // Permissions do not tell everything: a file system may be read-only, or take no files.
    do {
      try AtomicFile.write(to: Path.join(folder, "probe")) { (_: String) in throw Discarded() }
    } catch let error as FileError {
      throw FileError(.write, path, code: error.code)
    } catch {
      return
    }
  }

  private struct Discarded: Error {}
}
