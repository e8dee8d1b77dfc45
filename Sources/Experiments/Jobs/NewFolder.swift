import Foundation
import Glibc

/// A folder that appears under its name only when all its files are there.
enum NewFolder {
  /// - Parameter fill: writes the files into the folder whose path it gets.
  /// - Throws: `RunStoreError`, and what `fill` throws; then nothing is left.
  static func write<R>(to path: String, _ fill: (_ temporary: String) throws -> R) throws -> R {
    let url = URL(fileURLWithPath: path)
    let temporary = url.deletingLastPathComponent().path + "/.\(url.lastPathComponent).\(getpid()).tmp"
    try RunFiles.makeDirectory(temporary)
    do {
      let result = try fill(temporary)
      guard rename(temporary, path) == 0 else { throw RunFiles.failure(writing: path, code: errno) }
      return result
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      // The user knows the folder by its final name.
      let text = "\(error)"
      guard text.contains(temporary) else { throw error }
      throw JobError.invalid(text.replacingOccurrences(of: temporary, with: path))
    }
  }
}
