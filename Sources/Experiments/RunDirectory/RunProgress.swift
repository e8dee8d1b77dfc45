import Files
public import Foundation

/// How far a run is, as the `status.json` in its folder says.
public struct RunProgress: Sendable, Hashable {
  /// What it does now: `Training 3/12`.
  public let work: String
  /// When the file was written.
  public let updated: Date
  /// Wall-clock seconds that all stages still took then; nil where not known.
  private let left: Double?

  /// - Returns: nil where there is no such file, or none that can be read: it is there while a process works alone.
  public init?(ofRun folder: String) {
    guard let bytes = try? FileSystem.readIfPresent(Path.join(folder, StatusFile.name)),
      let tree = try? JSONValue(json: bytes), let work = tree["work"]?.stringValue,
      let updated = tree["updated"]?.stringValue.flatMap({ try? Date($0, strategy: .iso8601) })
    else { return nil }
    self.work = work
    self.updated = updated
    left = tree["secondsLeft"]?.doubleValue.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
  }

  /// Wall-clock seconds until the run is done; nil where not known.
  public func secondsLeft(now: Date = Date()) -> Double? {
    left.map { max(0, $0 - max(0, now.timeIntervalSince(updated))) }
  }
}
