import Files
import Foundation
import Support
import Synchronization
import Torch

/// Finds out whether this CPU trains faster in float32 or in bfloat16.
///
/// Instructions do not tell: with AVX512-BF16 some processors compute in bfloat16 twice as fast as in float32, others
/// (Intel's without AMX) at .6 of that speed. So both are timed on a 3x3 convolution, forward and backward, which takes
/// some tens of milliseconds. The result is kept for the processor and the LibTorch version: in memory, and in a file
/// of the user's cache folder. A file that is damaged or cannot be written is passed over.
public struct PrecisionProbe: Sendable {
  /// Seconds of one step in each arithmetic.
  public struct Times: Codable, Hashable, Sendable {
    public var float32: Double
    public var bfloat16: Double

    public init(float32: Double, bfloat16: Double) {
      self.float32 = float32
      self.bfloat16 = bfloat16
    }

    /// The faster one.
    public var choice: Precision { bfloat16 < float32 ? .bfloat16 : .float32 }
    /// The speed of bfloat16 in units of float32's.
    public var ratio: Double { float32 / bfloat16 }
    /// E.g. "1.6 times as fast as bfloat16 here".
    public var reason: String {
      choice == .bfloat16
        ? String(format: "%.1f times as fast as float32 here", ratio)
        : String(format: "%.1f times as fast as bfloat16 here", 1 / ratio)
    }

    var isPlausible: Bool { float32.isFinite && bfloat16.isFinite && float32 > 0 && bfloat16 > 0 }
  }

  /// The file that keeps results; nil keeps them in memory alone.
  var file: String?
  /// Whether there are instructions for bfloat16; without them nothing is timed.
  var hasBFloat16: Bool
  /// What the result depends on, in words.
  var machine: @Sendable () -> String
  var measure: @Sendable () -> Times
  private let memory = Memory()

  public static let standard = PrecisionProbe(
    file: CacheFolder.path.map { $0 + "/precision.json" }, hasBFloat16: Runtime.cpuHasFastBFloat16,
    machine: { thisMachine },
    measure: { ConvolutionSpeed.measured() })

  init(
    file: String?, hasBFloat16: Bool, machine: @escaping @Sendable () -> String,
    measure: @escaping @Sendable () -> Times
  ) {
    self.file = file
    self.hasBFloat16 = hasBFloat16
    self.machine = machine
    self.measure = measure
  }

  /// A probe whose result is known, for tests.
  public init(_ times: Times?) {
    self.init(
      file: nil, hasBFloat16: times != nil, machine: { "" }, measure: { times ?? Times(float32: 1, bfloat16: 1) })
  }

  /// The times on this machine; nil where the CPU has no instructions for bfloat16.
  public func times() -> Times? {
    guard hasBFloat16 else { return nil }
    let machine = machine()
    return memory.known.withLock { known in
      if let times = known[machine] { return times }
      let times = stored()[machine] ?? measureAndStore(machine)
      known[machine] = times
      return times
    }
  }

  private func measureAndStore(_ machine: String) -> Times {
    let times = measure()
    guard let file, times.isPlausible else { return times }
    var all = stored()
    all[machine] = times
    guard let text = try? JSONValue(encoding: all).prettyJSON else { return times }
    // A folder that cannot be written costs some milliseconds each time, no more.
    try? FileSystem.createFolder(Path.parent(file))
    try? AtomicFile.write(text + "\n", to: file)
    return times
  }

  private func stored() -> [String: Times] {
    guard let file, let data = try? FileSystem.read(file), let tree = try? JSONValue(json: data, source: file),
      let all = try? tree.decode([String: Times].self)
    else { return [:] }
    return all.filter { $0.value.isPlausible }
  }

  private static var thisMachine: String {
    "\(Processor.identity), LibTorch \(Runtime.version)"
  }

  private final class Memory: Sendable {
    let known = Mutex<[String: Times]>([:])
  }
}

/// The speed of a convolution on the CPU: what most of training is.
public enum ConvolutionSpeed {
  private static let (batch, channels, side) = (8, 64, 16)

  /// Operations of one step: forward, input gradient and weight gradient, two operations a multiplication with
  /// addition.
  public static let operations = 3.0 * 2 * Double(batch * side * side * channels * channels * 9)

  /// Times 3x3 convolutions of 64 channels at 16x16, channels last, forward and backward, in both arithmetics in turns,
  /// and takes the best of each: other processes only make a step slower. On one thread, which finds moments of its own
  /// also on a busy machine; several would wait for each other in every step, and their times would say nothing about
  /// the arithmetic.
  public static func measured() -> PrecisionProbe.Times {
    let threads = Runtime.threadCount
    Runtime.threadCount = 1
    defer { Runtime.threadCount = threads }
    let arithmetics: [DType] = [.float32, .bfloat16]
    let steps = arithmetics.map(step)
    for step in steps { for _ in 0..<2 { step() } }
    var best = [Double](repeating: .infinity, count: 2)
    let clock = ContinuousClock()
    let start = clock.now
    for round in 0..<10 {
      for (index, step) in steps.enumerated() { best[index] = min(best[index], clock.measure(step) / .seconds(1)) }
      if round >= 3, start.duration(to: clock.now) > .milliseconds(60) { break }
    }
    return PrecisionProbe.Times(float32: best[0], bfloat16: best[1])
  }

  /// As in a network: images come in the arithmetic of the layer before, weights are float32.
  private static func step(_ dtype: DType) -> () -> Void {
    let generator = Generator(seed: 0)
    func uniform(_ shape: [Int], _ bound: Double) -> Tensor {
      generator.uniform(shape, -bound, bound).contiguous(.channelsLast)
    }
    let images = uniform([batch, channels, side, side], 1).to(dtype).requiresGrad_()
    let weight = uniform([channels, channels, 3, 3], 0.05).requiresGrad_()
    let seed = uniform([batch, channels, side, side], 1).to(dtype)
    return {
      withGrad {
        autocast(dtype == .float32 ? nil : dtype) { F.conv2d(images, weight, padding: 1) }.backward(gradient: seed)
      }
      images.grad = nil
      weight.grad = nil
    }
  }
}
