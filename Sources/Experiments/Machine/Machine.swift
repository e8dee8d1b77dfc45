import Files
import Foundation
import Support
import Torch
import Training

/// Facts about this program and machine, for records and `antidote doctor`.
public enum Machine {
  public static let version = "0.1.0"

  public static var swift: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }

  /// E.g. "Debian GNU/Linux 12 (bookworm)".
  public static var operatingSystem: String {
    let release = (try? FileSystem.readText("/etc/os-release")) ?? ""
    let line = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
    return line.map { $0.dropFirst(12).trimmingCharacters(in: ["\""]) }
      ?? ProcessInfo.processInfo.operatingSystemVersionString
  }

  /// Installed memory in bytes.
  public static var memory: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

  /// The most memory that this process has held, in bytes.
  public static var peakMemory: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  public static func environment(_ plan: ComputePlan) -> RunRecord.Environment {
    RunRecord.Environment(
      antidote: version, libtorch: Runtime.version, swift: swift, os: operatingSystem, cpu: Processor.name,
      threads: plan.threads,
      threadsReason: plan.threadsReason, device: plan.device.description,
      precision: plan.precision == .bfloat16 ? "bfloat16 autocast" : "float32", precisionReason: plan.precisionReason,
      memory: memory)
  }
}
