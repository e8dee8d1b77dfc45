public import Torch

/// The arithmetic of forward and backward passes. Weights and optimizer state are float32 in any case.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// bfloat16 where the hardware multiplies it fast (GPUs, CPUs with AVX512-BF16 or AMX), else float32.
  case auto
  case float32
  case bfloat16

  /// The dtype for `autocast`; nil means float32 throughout.
  public func autocastType(on device: Device) -> DType? {
    switch self {
    case .auto: device.isCUDA || Runtime.cpuHasFastBFloat16 ? .bfloat16 : nil
    case .float32: nil
    case .bfloat16: .bfloat16
    }
  }
}
