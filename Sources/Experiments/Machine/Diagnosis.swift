import Files
import Foundation
import Support
import Torch
import Training
import Vision

/// What this machine offers to Antidote, and what to do about what is missing: `antidote doctor`.
public struct Diagnosis: Codable, Sendable {
  public enum Verdict: String, Codable, Sendable { case good, note, problem }

  /// One thing that was looked at.
  public struct Finding: Codable, Sendable {
    public var name: String
    public var verdict: Verdict
    public var value: String
    /// What to do; nil where nothing needs to be done.
    public var advice: String?
  }

  public var findings: [Finding] = []
  /// False if something keeps the program from working.
  public var canRun: Bool { !findings.contains { $0.verdict == .problem } }

  /// Looks at everything; takes about a second.
  /// - Parameters:
  ///   - folder: where results would be written.
  ///   - data: a folder with a data set; nil looks at none.
  ///   - plotly: the path of plotly.min.js, if one is known.
  public init(folder: String = ".", data: String? = nil, plotly: String? = nil) {
    note("antidote", "\(Machine.version), Swift \(Machine.swift)")
    note("system", Machine.operatingSystem)
    note("libtorch", "\(Runtime.version) in \(Runtime.libraryPath)")
    note("build", Self.build)
    note("processor", "\(Processor.name), \(Runtime.cpuCapability) kernels")
    checkThreads()
    checkDevices()
    checkMemory()
    checkDisk(folder)
    if let plotly {
      note("plotly", plotly)
    } else {
      note(
        "plotly", "not found: reports show static curves", .note,
        "pip install plotly, and name its plotly.min.js in ANTIDOTE_PLOTLY.")
    }
    if let data { check(data: data) }
    checkSpeed()
  }

  /// Adds what a layer above knows of this machine.
  public mutating func add(_ name: String, _ value: String) {
    findings.insert(
      Finding(name: name, verdict: .good, value: value), at: findings.firstIndex { $0.name == "plotly" } ?? 0)
  }

  private mutating func note(_ name: String, _ value: String, _ verdict: Verdict = .good, _ advice: String? = nil) {
    findings.append(
      Finding(name: name, verdict: advice == nil ? verdict : max(verdict, .note), value: value, advice: advice))
  }
  private mutating func note(_ name: String, _ value: String, advice: String?) { note(name, value, .good, advice) }

  /// The build's own words that matter here: compiler options are left out.
  private static var build: String {
    let text = Runtime.buildConfiguration
    let parts = [("oneDNN", "MKLDNN"), ("MKL", "MKL"), ("OpenMP", "OPENMP"), ("CUDA", "CUDA")].map { name, option in
      "\(name) \(text.contains("USE_\(option)=ON") || text.contains("USE_\(option)=1") ? "yes" : "no")"
    }
    return parts.joined(separator: ", ")
  }

  private mutating func checkDevices() {
    let count = Runtime.cudaDeviceCount
    if count > 0 {
      note("devices", "cpu, " + (0..<count).map { "cuda:\($0)" }.joined(separator: ", "))
    } else {
      note(
        "devices", "cpu (no CUDA device found)", .note,
        "With an NVIDIA GPU: point LIBTORCH at a CUDA build and run make setup again.")
    }
  }

  private mutating func checkMemory() {
    let available = Self.availableMemory
    let text = "\(formatBytes(Machine.memory))" + (available.map { ", \(formatBytes($0)) available" } ?? "")
    let isLow = (available ?? Machine.memory) < 1 << 30
    note("memory", text, advice: isLow ? "Close other programs, or use a smaller width and batch." : nil)
  }

  private static var availableMemory: Int? {
    let info = (try? FileSystem.readText("/proc/meminfo")) ?? ""
    let line = info.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private mutating func checkDisk(_ folder: String) {
    let place = AbsolutePath.of(folder)
    guard access(folder, W_OK) == 0 else {
      note("disk", "\(place) cannot be written", .note, "Change to a folder of your own, or give --out.")
      return
    }
    guard let free = try? FileSystem.freeSpace(folder) else {
      note("disk", "\(place): free space unknown", .note, nil)
      return
    }
    let isLow = free < 1 << 30
    note(
      "disk", "\(formatBytes(free)) free in \(place)",
      advice: isLow ? "Free some space: a run keeps models and checkpoints." : nil)
  }

  private mutating func check(data path: String) {
    let kinds = DatasetRecognition.kinds(at: path)
    guard let first = kinds.first else {
      let known = DatasetKind.all.filter { $0.id != "generated" }.map { "  \($0.id): \($0.layout)" }.joined(
        separator: "\n")
      let isThere = FileSystem.exists(path)
      note(
        "data", "\(path): \(isThere ? "no data set recognised" : "no such folder")", .problem,
        "Known layouts:\n\(known)")
      return
    }
    var settings = DatasetSettings()
    settings.name = first
    settings.path = path
    let name = kinds.joined(separator: " or ")
    // Reading every image of a large folder would take long; binary files are read in a moment.
    guard ["cifar10", "cifar100", "mnist", "fashion-mnist", "tensors"].contains(first) else {
      note("data", "\(path): \(name)")
      return
    }
    do {
      let test = try ImageDataset.load(settings, .test)
      note(
        "data",
        "\(path): \(name), \(formatCount(test.count)) test images, \(test.height)x\(test.width), \(test.classes) "
          + "classes"
      )
    } catch {
      note("data", "\(path): \(name), but it cannot be read", .problem, "\(error)")
    }
  }

  private mutating func checkThreads() {
    let free = CPUAvailability.measured(seconds: 0.3)
    let most = Runtime.defaultThreadCount
    let threads = min(free.threads, most)
    let quota = free.quota.map { String(format: "%.1f cores", $0) } ?? "none"
    let text = """
      auto takes \(threads): \(free.cores) cores, \(free.allowed.count) allowed by affinity, CPU quota \(quota), \
      \(String(format: "%.1f", free.free)) free, at most \(most) by OMP_NUM_THREADS or physical cores
      """
    let isBusy = free.free + 0.5 < Double(free.allowed.count)
    note("threads", text, .good, isBusy ? "Other processes use the cores: what runs beside them is slower." : nil)
  }

  private mutating func checkSpeed() {
    let times = PrecisionProbe.standard.times()
    if let times {
      let text =
        times.choice == .float32
        ? String(format: " (bfloat16 is %.2f times as fast)", times.ratio) : " (\(times.reason))"
      note("bfloat16", "in hardware: auto uses \(times.choice.rawValue) here\(text)")
    } else {
      note(
        "bfloat16", "not in hardware: auto uses float32 here", .note,
        "A GPU, or a CPU with AVX512-BF16 or AMX, trains faster.")
    }
    let now = ConvolutionSpeed.measured()
    let (full, half) = (
      ConvolutionSpeed.operations / now.float32 / 1e9, ConvolutionSpeed.operations / now.bfloat16 / 1e9
    )
    note(
      "speed",
      String(
        format:
          "%.0f GFLOP/s in float32, %.0f in bfloat16 (3x3 convolution, forward and backward, one thread, now: other work slows it)",
        full,
        half))
  }
}

extension Diagnosis.Verdict: Comparable {
  private var rank: Int { self == .good ? 0 : self == .note ? 1 : 2 }
  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}
