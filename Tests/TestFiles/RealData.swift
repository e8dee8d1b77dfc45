import Foundation
public import Testing

/// Where the real data sets lie, for tests that are skipped without them: in the folder that ANTIDOTE_DATA names, else
/// in `../shared/data` beside the repository.
public enum RealData {
  /// A folder with CIFAR-10 in its binary layout; nil where there is none.
  public static let cifar10 = folder("cifar-10-batches-bin", holding: "data_batch_1.bin")
  /// A folder with Fashion-MNIST; nil where there is none.
  public static let fashionMNIST = folder("fashion-mnist")

  /// Why a test is skipped.
  public static let absent: Comment =
    "needs real images: set ANTIDOTE_DATA to the folder that holds cifar-10-batches-bin and fashion-mnist"

  private static func folder(_ name: String, holding file: String = "") -> String? {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let named = ProcessInfo.processInfo.environment["ANTIDOTE_DATA"]
    let candidates = [named, "../shared/data"].compactMap { $0 }
      .map { URL(fileURLWithPath: $0, relativeTo: repository).appendingPathComponent(name).standardizedFileURL.path }
    return candidates.first { FileManager.default.fileExists(atPath: "\($0)/\(file)") }
  }
}
