import Files
import Foundation

/// A claim that this process, or the one that started it, holds.
struct HeldClaim: Sendable {
  let id: String
  let number: Int
  let token: String
  let lease: Double
  let folder: ClaimFolder

  private var path: String { folder.file(id, number) }

  /// Whether the claim still counts: nobody took the cell over.
  /// - Throws: `FileError`.
  func isHeld() throws -> Bool {
    guard let current = try folder.current(id, known: number) else { return false }
    return current.number == number && current.holder?.token == token
  }

  /// Shows others that the holder lives.
  /// - Parameter count: another number than the last time.
  /// - Throws: `FileError`.
  func beat(_ count: Int) throws {
    let text = try FileSystem.readText(path, limit: 1 << 16)
    guard let line = text.split(separator: "\n").first, text.contains(token) else { return }
    // In place: the file keeps its length and its first line, so a reader finds it whole at any moment.
    let file = retrying { open(path, O_WRONLY | O_CLOEXEC) }
    guard file >= 0 else { throw FileError(.write, path) }
    defer { close(file) }
    let beat = Self.beatText(count)
    guard retrying({ pwrite(file, beat, beat.utf8.count, off_t(line.utf8.count + 1)) }) == beat.utf8.count,
      fsync(file) == 0
    else { throw FileError(.write, path) }
  }

  /// Gives the cell to others. Without effect on them where it was taken over.
  /// - Throws: `FileError`.
  func release() throws { try AtomicFile.write(Claim.freeText, to: path) }

  /// Of fixed length.
  static func beatText(_ count: Int) -> String {
    let digits = String(count % 1_000_000_000_000)
    return "beat " + String(repeating: "0", count: 12 - digits.count) + digits + "\n"
  }
}
