public import Torch

/// The arithmetic of forward and backward passes. Weights and optimizer state are float32 in any case.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// On CPUs the faster one, which `PrecisionProbe` finds out; float32 on CPUs without instructions for bfloat16, and on
  /// GPUs: networks for small images are bound there by the number of kernels, to which casts add (an H200 trains
  /// PreAct-ResNet18 of width 64 in bfloat16 at .90 of its speed in float32, whose convolutions are TF32).
  case auto
  case float32
  case bfloat16

  /// What `auto` stands for on a device, and why in words.
  public static func automatic(
    on device: Device, probe: PrecisionProbe = .standard
  ) -> (precision: Precision, reason: String) {
    if device.isCUDA { return (.float32, "with TF32 convolutions: the device is a GPU") }
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
