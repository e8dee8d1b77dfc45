public import Support
public import Torch
public import Training

/// The device, CPU threads and precision of a computation: what `auto` stands for, found out once at the start.
///
/// Equal threads, precision, CPU and LibTorch give equal bits; one and two threads train different models, both right.
/// So a run or job that goes on takes the threads and the precision that it began with.
public struct ComputePlan: Sendable {
  /// What an earlier process of the same run or job computed with.
  public struct Earlier: Codable, Hashable, Sendable {
    public var threads: Int
    /// Not `auto`.
    public var precision: Precision
    /// nil where nobody wrote it down.
    public var device: String?

    public init(threads: Int, precision: Precision, device: String? = nil) {
      self.threads = threads
      self.precision = precision
      self.device = device
    }
  }

  public let device: Device
  /// Another one that the computation began on.
  public let deviceBefore: String?
  public let threads: Int
  /// Why so many, in words.
  public let threadsReason: String
  /// Not `auto`.
  public let precision: Precision
  /// Why this one, in words.
  public let precisionReason: String

  /// - Parameters:
  ///   - earlier: from the record of a run that goes on; nil for a new one.
  ///   - most: the most threads that `auto` takes.
  ///   - availability: looks at the machine; asked only where `auto` has to be decided.
  ///   - probe: times both arithmetics.
  /// - Throws: `TorchError` for a device that is missing.
  public init(
    _ settings: GeneralSettings, goingOnFrom earlier: Earlier? = nil, most: Int = Runtime.defaultThreadCount,
    availability: () -> CPUAvailability = { .measured() }, probe: PrecisionProbe = .standard
  ) throws {
    let device = try Device(named: settings.device)
    self.device = device
    deviceBefore = earlier?.device.flatMap { $0 == device.description ? nil : $0 }
    (threads, threadsReason) = Self.threads(settings.threads, earlier, most: most, availability)
    Runtime.threadCount = threads
    (precision, precisionReason) = Self.precision(settings.precision, earlier, on: device, probe)
  }

  private static func threads(
    _ choice: ThreadChoice, _ earlier: Earlier?, most: Int, _ availability: () -> CPUAvailability
  ) -> (Int, String) {
    switch (choice, earlier?.threads) {
    case (.count(let count), let before?) where count != before:
      return (count, "as asked, after \(before) before: the result is another than that of an undisturbed run")
    case (.count(let count), _): return (count, "as asked")
    case (.auto, let before?): return (before, "as it began")
    case (.auto, nil):
      let free = availability()
      guard most < free.threads else { return (free.threads, free.description) }
      return (most, "\(free.description); OMP_NUM_THREADS or the number of physical cores allows \(most)")
    }
  }

  private static func precision(
    _ choice: Precision, _ earlier: Earlier?, on device: Device, _ probe: PrecisionProbe
  ) -> (Precision, String) {
    if choice != .auto { return (choice, "as asked") }
    if let earlier { return (earlier.precision, "as it began") }
    return Precision.automatic(on: device, probe: probe)
  }

  /// The context of such a computation.
  public func context(seed: Seed, progress: any ProgressReporter) -> TrainingContext {
    TrainingContext(device: device, precision: precision, seed: seed, progress: progress)
  }

  /// One line for the user.
  public var description: String {
    "computing on \(device)"
      + (deviceBefore.map { ", after \($0) before: the result is another than that of an undisturbed run," } ?? "")
      + " with \(threads) thread\(threads == 1 ? "" : "s") (\(threadsReason)) in "
      + "\(precision.rawValue) (\(precisionReason))"
  }
}

extension ComputePlan.Earlier {
  /// What a context and the process compute with.
  init(_ context: TrainingContext) {
    self.init(
      threads: Runtime.threadCount, precision: context.autocastType == nil ? .float32 : .bfloat16,
      device: context.device.description)
  }

  /// What a run's record says.
  init(_ environment: RunRecord.Environment) {
    self.init(
      threads: environment.threads, precision: environment.precision.hasPrefix("bfloat16") ? .bfloat16 : .float32,
      device: environment.device)
  }
}
