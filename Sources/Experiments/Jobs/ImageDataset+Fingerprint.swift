import Foundation
import Support
import Torch
import Vision

extension ImageDataset {
  /// A hash of the images and labels: which images these are, wherever they lie.
  var fingerprint: String {
    func digest(_ tensor: Tensor) -> String {
      tensor.withBytes { bytes in
        guard let base = bytes.baseAddress else { return "" }
        return Digest.sha256Hex(
          Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
      }
    }
    return String(Digest.sha256Hex("\(images.shape) \(classNames) \(digest(images)) \(digest(labels))").prefix(16))
  }
}
