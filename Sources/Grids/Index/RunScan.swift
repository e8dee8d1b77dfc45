import Experiments
import Files
import Foundation

/// Finds the run directories in a folder.
enum RunScan {
  /// A run directory as the file system shows it.
  struct Found {
    /// From the folder that was searched, without a slash at the end; "." for that folder itself.
    var folder: String
    /// Nanoseconds since 1970 at which the record was last written.
    var modified: Int
    /// Bytes of the record.
    var size: Int
  }

  /// How far below the folder runs are looked for: the runs of the grids in a folder of grids.
  static let depth = 3

  /// Every folder with a record, sorted by its path. Folders inside of a run are not looked at, nor hidden ones.
  /// - Throws: `FileError` where the folder itself cannot be read.
  static func runs(in root: String) throws(FileError) -> [Found] {
    var found: [Found] = []
    // Says what is wrong with a folder that is none.
    if !FileSystem.isFolder(root) { _ = try FileSystem.list(root) }
    search(root, ".", depth, &found)
    return found.sorted { $0.folder.utf8.lexicographicallyPrecedes($1.folder.utf8) }
  }

  private static func search(_ path: String, _ relative: String, _ depth: Int, _ found: inout [Found]) {
    var status = stat()
    if stat("\(path)/\(RunDirectory.recordName)", &status) == 0, status.st_mode & S_IFMT == S_IFREG {
      let modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
      found.append(Found(folder: relative, modified: modified, size: Int(status.st_size)))
      return
    }
    guard depth > 0, let handle = opendir(path) else { return }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let type = Int(entry.pointee.d_type)
      guard type == Int(DT_DIR) || type == Int(DT_LNK) || type == Int(DT_UNKNOWN) else { continue }
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard bytes.first != UInt8(ascii: "."), let name = String(validating: bytes, as: UTF8.self) else { continue }
      search("\(path)/\(name)", relative == "." ? name : "\(relative)/\(name)", depth - 1, &found)
    }
  }
}
