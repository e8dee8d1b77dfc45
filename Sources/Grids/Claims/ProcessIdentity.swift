import Files
import Foundation

/// Which process of which machine: tells whether the holder of a claim is dead, where that can be known.
struct ProcessIdentity: Codable, Sendable, Hashable {
  /// The machine's name, for people.
  var host: String
  var process: Int32
  /// What process numbers are unique in, until the next start of the machine: its boot and the container.
  var space: String
  /// When the process started, in clock ticks since the boot: process numbers are given again.
  var started: String

  static let current = ProcessIdentity(
    host: hostName, process: getpid(), space: space, started: startTime(of: getpid()) ?? "")

  /// `host:process`
  var description: String { "\(host):\(process)" }

  /// Whether the process has ended. Of one on another machine, or in another container, nothing is known: false.
  var isKnownDead: Bool {
    guard !space.isEmpty, space == Self.space else { return false }
    return Self.startTime(of: process) != started
  }

  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Empty where the system does not tell.
  private static let space: String = {
    guard let boot = try? FileSystem.readText("/proc/sys/kernel/random/boot_id") else { return "" }
    guard let container = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid") else {
      return ""
    }
    return "\(boot.trimmingCharacters(in: .whitespacesAndNewlines)) \(container)"
  }()

  /// nil where there is no such process, or only what is left of it for its parent.
  private static func startTime(of process: Int32) -> String? {
    // `1234 (name) S 1 ...`: the name may hold anything, so fields are counted after its end. The state is the third
    // field, the start the 22nd.
    guard let text = try? FileSystem.readText("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
      return nil
    }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return String(fields[19])
  }
}
