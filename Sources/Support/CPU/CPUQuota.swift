import Foundation

/// The CPU time that a control group grants, as containers and batch systems set it.
public enum CPUQuota {
  /// The quota of this process in cores; nil where there is none.
  public static var current: Double? {
    cores(groups: text("/proc/self/cgroup") ?? "", read: text)
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  /// The smallest quota of a process's control groups and those above them.
  /// - Parameters:
  ///   - groups: the text of /proc/PID/cgroup: lines of `number:controllers:path`; version 2 has number 0 and no
  ///     controllers.
  ///   - read: the text of a file; nil where there is none.
  static func cores(groups: String, read: (_ path: String) -> String?) -> Double? {
    var found: [Double] = []
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3 else { continue }
      let controllers = parts[1].split(separator: ",")
      if parts[1].isEmpty {
        // Beside version 1, version 2 may stand in a folder of its own.
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
          found += folders(root, parts[2]).compactMap { read("\($0)/cpu.max").flatMap(version2) }
        }
      } else if controllers.contains("cpu") {
        for root in ["/sys/fs/cgroup/\(parts[1])", "/sys/fs/cgroup/cpu"] {
          found += folders(root, parts[2]).compactMap { folder in
            version1(quota: read("\(folder)/cpu.cfs_quota_us"), period: read("\(folder)/cpu.cfs_period_us"))
          }
        }
      }
    }
    return found.min()
  }

  /// A group's folder and those above it. Inside a container the path may be one of the host that does not exist here;
  /// its root does.
  private static func folders(_ root: String, _ path: String) -> [String] {
    var names = path.split(separator: "/")
    var result: [String] = []
    while !names.isEmpty {
      result.append("\(root)/\(names.joined(separator: "/"))")
      names.removeLast()
    }
    return result + [root]
  }

  /// `200000 100000` or `max 100000`: microseconds in a period of microseconds.
  private static func version2(_ text: String) -> Double? {
    let words = text.split { $0.isWhitespace }
    guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0 else {
      return nil
    }
    return quota / period
  }

  /// A quota of -1 is none.
  private static func version1(quota: String?, period: String?) -> Double? {
    func number(_ text: String?) -> Double? {
      text.flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
    guard let quota = number(quota), let period = number(period), quota > 0, period > 0 else { return nil }
    return quota / period
  }
}
