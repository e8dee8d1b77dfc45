public import Torch

/// The arithmetic of forward and backward passes. Weights and optimizer state are float32 in any case.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// bfloat16 on GPUs; on CPUs the faster one, which `PrecisionProbe` finds out; float32 on CPUs without instructions
  /// for bfloat16.
  case auto
  case float32
  case bfloat16

  /// What `auto` stands for on a device, and why in words.
  public static func automatic(
    on device: Device, probe: PrecisionProbe = .standard
  ) -> (precision: Precision, reason: String) {
    if device.isCUDA { return (.bfloat16, "the device is a GPU") }
    guard let times = probe.times() else { return (.float32, "this CPU has no instructions for bfloat16") }
    return (times.choice, times.reason)
  }

  /// The dtype for `autocast`; nil means float32 throughout.
  public func autocastType(on device: Device) -> DType? {
    switch self {
    case .auto: Self.automatic(on: device).precision.autocastType(on: device)
    case .float32: nil
    case .bfloat16: .bfloat16
    }
  }
}
