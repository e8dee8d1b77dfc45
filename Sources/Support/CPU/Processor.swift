import Foundation

/// The machine's processor, as Linux describes it.
public enum Processor {
  /// Its model name, e.g. "AMD EPYC"; "unknown" where the system does not say.
  public static var name: String { field("model name", of: information) ?? "unknown" }

  /// The name with family, model and stepping. Virtual machines of different hardware may share a name.
  public static var identity: String { identity(of: information) }

  private static var information: String { (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "" }

  /// - Parameter information: the text of /proc/cpuinfo.
  static func identity(of information: String) -> String {
    let name = field("model name", of: information) ?? "unknown"
    let numbers = ["cpu family", "model", "stepping"].compactMap { key in
      field(key, of: information).map { "\(key) \($0)" }
    }
    return numbers.isEmpty ? name : "\(name) (\(numbers.joined(separator: ", ")))"
  }

  /// The first processor's value of `key`.
  static func field(_ key: String, of information: String) -> String? {
    for line in information.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
      if parts.count == 2, parts[0] == key { return parts[1] }
    }
    return nil
  }
}
