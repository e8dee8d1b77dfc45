import Files
import Foundation

/// The NVIDIA GPUs that programs may use, by the names that CUDA_VISIBLE_DEVICES takes. Looked up without CUDA, which
/// would take memory on a device.
public enum GPUs {
  public static let visible: [String] = {
    if let named = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"] {
      return named.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    let names = (try? FileSystem.list("/dev")) ?? []
    return names.compactMap { $0.hasPrefix("nvidia") ? Int($0.dropFirst(6)) : nil }.sorted().map(String.init)
  }()
}
