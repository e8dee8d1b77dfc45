import CTorch

public typealias Shape = [Int]

/// An array of numbers on a device, as PyTorch's `torch.Tensor`.
///
/// A reference: copies of the variable share storage, and the handle is freed when the last one goes. Not `Sendable`:
/// use a tensor on the thread that made it. Mistakes in tensor math (shapes, dtypes, devices) trap with the operation
/// and the shapes.
public final class Tensor {
  let handle: CTTensor

  init(owning handle: CTTensor) { self.handle = handle }
  deinit { ct_release(handle) }

  public var rank: Int { Int(ct_dim(handle)) }
  public var shape: Shape {
    let rank = self.rank
    return [Int](unsafeUninitializedCapacity: rank) { buffer, count in
      if let base = buffer.baseAddress {
        base.withMemoryRebound(to: Int64.self, capacity: rank) { ct_sizes(handle, $0) }
      }
      count = rank
    }
  }
  public var count: Int { Int(ct_numel(handle)) }
  public var dtype: DType {
    guard let dtype = DType(rawValue: ct_dtype(handle)) else {
      fatalError("a tensor of LibTorch's scalar type \(ct_dtype(handle))")
    }
    return dtype
  }
  public var device: Device { ct_device_type(handle) == 1 ? .cuda(Int(ct_device_index(handle))) : .cpu }
  public func dimension(_ index: Int) -> Int {
    let shape = self.shape
    return shape[index < 0 ? shape.count + index : index]
  }

  /// `float32 [128, 3, 32, 32]`
  public var summary: String { "\(dtype) \(shape)" + (device == .cpu ? "" : " on \(device)") }

  /// True if the elements lie in row-major order without gaps.
  public var isContiguous: Bool { ct_is_contiguous(handle, MemoryFormat.contiguous.rawValue) }
  public func isContiguous(_ format: MemoryFormat) -> Bool { ct_is_contiguous(handle, format.rawValue) }
}

/// How the elements of an N x C x H x W tensor lie in memory.
public enum MemoryFormat: Int32, Sendable {
  /// N, C, H, W: row-major.
  case contiguous = 0
  /// N, H, W, C: what convolution kernels read fastest on CPUs with oneDNN and on GPUs.
  case channelsLast = 1
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    guard count <= 64 else { return "Tensor(\(summary))" }
    return "Tensor(\(summary), \(to(.float64).array(Double.self)))"
  }
}

/// Handles of a list of tensors, for calls that take several.
func handles(_ tensors: [Tensor]) -> [CTTensor?] { tensors.map(\.handle) }

extension Array where Element == Int {
  /// LibTorch's sizes are 64-bit integers, as `Int` is on every platform that this package supports.
  @inline(__always)
  func withSizes<R>(_ body: (UnsafePointer<Int64>, Int64) -> R) -> R {
    withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, buffer.count > 0 else {
        var none: Int64 = 0
        return body(&none, 0)
      }
      return base.withMemoryRebound(to: Int64.self, capacity: buffer.count) { body($0, Int64(buffer.count)) }
    }
  }
}
