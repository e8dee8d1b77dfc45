import Files
import Foundation

/// The NVIDIA GPUs that programs may use, by the names that CUDA_VISIBLE_DEVICES takes. Looked up without CUDA, which
/// would take memory on a device.
public enum GPUs {
  public static let visible: [String] = {
    if let named = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"] {
      // CUDA takes what stands before an impossible one, -1 by convention.
      return Array(named.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.prefix { $0 != "-1" })
    }
    let names = (try? FileSystem.list("/dev")) ?? []
    // CUDA numbers what it finds from 0, whatever the files of a container are called.
    return (0..<names.count { $0.hasPrefix("nvidia") && Int($0.dropFirst(6)) != nil }).map(String.init)
  }()
}
