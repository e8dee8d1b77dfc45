import Files
import Foundation

/// The right of one process to work on a cell, as others see it.
///
/// A claim is the file `<id>.<n>`; of the files of a cell, the one of the highest number counts. Whoever takes a cell,
/// free or left by a dead process, makes the file of the next number, which one of all processes that try succeeds in
/// (`AtomicFile.create`). No claim is removed or replaced by anybody but its holder, so there is no moment at which two
/// could both take it, on network file systems without locks neither.
struct Claim: Sendable, Hashable {
  /// The cell's id.
  var id: String
  var number: Int
  /// nil for a claim that its holder has given up, or that cannot be read.
  var holder: Holder?
  /// Changes with each beat of a living holder.
  var beat: Beat

  /// Who holds a claim: the file's first line.
  struct Holder: Codable, Sendable, Hashable {
    var process: ProcessIdentity
    /// Random: names this claim among all.
    var token: String
    /// Seconds without a beat after which others may take the cell.
    var lease: Double
  }

  /// The rest of the file, and when it was written by the clock of the file system.
  struct Beat: Sendable, Hashable {
    var text: String
    var seconds: Int
    var nanoseconds: Int
  }

  /// Whether the holder has shown no sign of life for ten leases and ten minutes more, which no two machines' clocks
  /// differ by: for lists. Whoever takes a cell over has watched its claim for a lease.
  func isLongSilent(now: Date = Date()) -> Bool {
    guard let holder else { return false }
    return now.timeIntervalSince1970 - Double(beat.seconds) > 10 * holder.lease + 600
  }

  /// What a holder that gives its claim up leaves in the file.
  static let freeText = "free\n"
}
