import Files
import Foundation

/// The folder `claims` of a grid.
struct ClaimFolder: Sendable {
  let path: String

  init(grid folder: String) { path = Path.join(folder, Grid.claimsName) }

  func file(_ id: String, _ number: Int) -> String { Path.join(path, "\(id).\(number)") }

  /// The claim of a cell that counts; nil where there was none yet.
  /// - Parameter known: the number of an earlier look, for a quick answer.
  /// - Throws: `FileError`.
  func current(_ id: String, known: Int = 1) throws -> Claim? {
    // Names are looked up one by one: a network file system may list a folder as it was a minute ago.
    var number = max(1, known)
    if number > 1, !FileSystem.exists(file(id, number)) { number = 1 }
    guard FileSystem.exists(file(id, number)) else { return nil }
    while FileSystem.exists(file(id, number + 1)) { number += 1 }
    return try read(id, number)
  }

  private func read(_ id: String, _ number: Int) throws -> Claim {
    let path = file(id, number)
    let text = try FileSystem.readText(path, limit: 1 << 16)
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileError(.read, path) }
    let lines = text.split(separator: "\n", maxSplits: 1)
    let holder: Claim.Holder? = lines.first.flatMap { try? JSONValue(json: Array($0.utf8)).decode() }
    return Claim(
      id: id, number: number, holder: text == Claim.freeText ? nil : holder,
      beat: Claim.Beat(
        text: lines.count > 1 ? String(lines[1]) : "", seconds: status.st_mtim.tv_sec,
        nanoseconds: status.st_mtim.tv_nsec))
  }

  /// Takes a cell.
  /// - Parameter current: what was there, free or left by a dead process.
  /// - Returns: nil where another process was quicker.
  /// - Throws: `FileError`.
  func take(_ id: String, after current: Claim?, lease: Double) throws -> HeldClaim? {
    let holder = Claim.Holder(
      process: .current, token: String(UInt64.random(in: .min ... .max), radix: 16), lease: lease)
    let number = (current?.number ?? 0) + 1
    let text = try JSONValue(encoding: holder).compactJSON + "\n"
    guard try AtomicFile.create(text + HeldClaim.beatText(0), at: file(id, number)) else { return nil }
    return HeldClaim(id: id, number: number, token: holder.token, lease: lease, folder: self)
  }
}
