import CTorch

/// Where a tensor lives and is computed.
public enum Device: Sendable, Hashable, CustomStringConvertible {
  case cpu
  case cuda(Int)

  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    }
  }

  var type: Int32 { self == .cpu ? 0 : 1 }
  var index: Int32 {
    if case .cuda(let index) = self { return Int32(index) }
    return -1
  }

  /// True for a CUDA device.
  public var isCUDA: Bool { self != .cpu }

  /// The device that a name asks for: `auto` (CUDA when LibTorch at hand has it and a GPU answers, else the CPU),
  /// `cpu`, `cuda`, `cuda:N`.
  /// - Throws: `TorchError` for an unknown name or a GPU that is not there.
  public init(named name: String) throws(TorchError) {
    switch name {
    case "auto": self = Runtime.cudaDeviceCount > 0 ? .cuda(0) : .cpu
    case "cpu": self = .cpu
    default:
      guard name == "cuda" || name.hasPrefix("cuda:"), let index = name == "cuda" ? 0 : Int(name.dropFirst(5)),
        index >= 0
      else {
        throw TorchError("device '\(name)': unknown. Use auto, cpu, cuda or cuda:N.")
      }
      let count = Runtime.cudaDeviceCount
      guard index < count else {
        throw TorchError(
          count == 0
            ? "device '\(name)': this LibTorch (\(Runtime.version)) finds no CUDA device. Use --device cpu, or set "
              + "LIBTORCH to a CUDA build."
            : "device '\(name)': only \(count) CUDA device(s) found. Use cuda:0 to cuda:\(count - 1).")
      }
      self = .cuda(index)
    }
  }
}

/// Facts and switches of the LibTorch at hand.
public enum Runtime {
  public static var version: String { String(cString: ct_version()) }
  /// LibTorch's own description of how it was built.
  public static var buildConfiguration: String { String(cString: ct_build_configuration()) }
  public static var libraryPath: String { String(cString: ct_library_path()) }
  public static var cudaDeviceCount: Int { Int(ct_cuda_device_count()) }
  /// The vector instructions that LibTorch's own kernels use, e.g. `AVX512`.
  public static var cpuCapability: String { String(cString: ct_cpu_capability()) }
  /// True where bfloat16 products run in hardware (AVX512-BF16 or AMX). Whether they are faster than float32 is another
  /// matter.
  public static var cpuHasFastBFloat16: Bool { ct_cpu_has_avx512_bf16() || ct_cpu_has_amx_bf16() }
  /// Threads that one operation may use. Equal threads, CPU and LibTorch give equal bits; one and two threads add
  /// numbers in different orders, so that they train different models, both right.
  public static var threadCount: Int {
    get { Int(ct_num_threads()) }
    set {
      _ = defaultThreadCount
      ct_set_num_threads(Int32(newValue))
    }
  }
  /// LibTorch's own choice before anybody changed it: OMP_NUM_THREADS, else one for each physical core.
  public static let defaultThreadCount = Int(ct_num_threads())
  /// Treats denormal numbers as zero, which CPUs compute faster.
  public static func flushDenormals(_ on: Bool) { ct_set_denormals_flushed(on) }
  /// Waits until all queued GPU work is finished; nothing to do on a CPU.
  public static func synchronize() { done(ct_cuda_synchronize()) }
  /// Keeps large blocks that are freed for the next step of a loop, in place of giving them back to the system and
  /// clearing new pages. For programs that train or evaluate; call it first. Without effect where the allocator is not
  /// glibc's or is set by its environment variables.
  public static func keepFreedMemory() { ct_keep_freed_memory() }
}
