import Synchronization

/// Where long work tells how far it is. Work begins, updates and ends; work inside work nests.
///
/// Updates are cheap enough for every batch: a reporter decides how often it shows one, and only then asks for the
/// note.
public protocol ProgressReporter: AnyObject, Sendable {
  /// Work starts.
  /// - Parameters:
  ///   - title: What is done, in a few words: `train`, `epoch 3 of 100`.
  ///   - total: How many units there are; 0 where it is not known.
  ///   - unit: What is counted, in the plural: `images`.
  func begin(_ title: String, total: Int, unit: String)
  /// The innermost work is at `done` units.
  func update(done: Int, note: @autoclosure () -> String)
  /// The innermost work is over.
  /// - Parameter summary: One line of results; where it is empty, a bar vanishes without a line of its own.
  func end(summary: String)
  /// A line for the user, apart from the work.
  func message(_ text: String)

  /// The stages that a command is going to do, in their order: what tells how long the whole of it takes. It replaces
  /// an earlier plan.
  func plan(_ works: [PlannedWork])
  /// A stage begins, which may be inside another one. See `WorkPlan`.
  func beginStage(_ name: String, images: Double, done: Double)
  /// The innermost stage went on by so many images.
  func advanceStage(images: Double)
  /// The innermost stage is over.
  func endStage()
}

extension ProgressReporter {
  public func plan(_ works: [PlannedWork]) {}
  public func beginStage(_ name: String, images: Double, done: Double) {}
  public func advanceStage(images: Double) {}
  public func endStage() {}
  /// The innermost work is at `done` units.
  public func update(done: Int) { update(done: done, note: "") }
  /// The innermost work is over, and there is nothing to say about it.
  public func end() { end(summary: "") }
}

/// Says nothing.
public final class SilentProgress: ProgressReporter {
  public init() {}
  public func begin(_ title: String, total: Int, unit: String) {}
  public func update(done: Int, note: @autoclosure () -> String) {}
  public func end(summary: String) {}
  public func message(_ text: String) {}
}

/// Tells several others.
public final class SharedProgress: ProgressReporter {
  private let others: [any ProgressReporter]
  public init(_ others: [any ProgressReporter]) { self.others = others }
  public func begin(_ title: String, total: Int, unit: String) {
    for other in others { other.begin(title, total: total, unit: unit) }
  }
  public func update(done: Int, note: @autoclosure () -> String) {
    for other in others { other.update(done: done, note: note()) }
  }
  public func end(summary: String) { for other in others { other.end(summary: summary) } }
  public func message(_ text: String) { for other in others { other.message(text) } }
  public func plan(_ works: [PlannedWork]) { for other in others { other.plan(works) } }
  public func beginStage(_ name: String, images: Double, done: Double) {
    for other in others { other.beginStage(name, images: images, done: done) }
  }
  public func advanceStage(images: Double) { for other in others { other.advanceStage(images: images) } }
  public func endStage() { for other in others { other.endStage() } }
}

/// Keeps what it is told, for tests.
public final class RecordingProgress: ProgressReporter {
  /// One call.
  public enum Event: Sendable, Hashable {
    case begin(title: String, total: Int, unit: String)
    case update(done: Int, note: String)
    case end(summary: String)
    case message(String)
  }

  private let storage = Mutex<[Event]>([])
  private let works = Mutex<(planned: [PlannedWork], begun: [PlannedWork])>(([], []))

  public init() {}

  /// The calls so far, in order.
  public var events: [Event] { storage.withLock { $0 } }
  /// The messages so far, in order.
  public var messages: [String] { events.compactMap { if case .message(let text) = $0 { text } else { nil } } }

  public func begin(_ title: String, total: Int, unit: String) { add(.begin(title: title, total: total, unit: unit)) }
  public func update(done: Int, note: @autoclosure () -> String) { add(.update(done: done, note: note())) }
  public func end(summary: String) { add(.end(summary: summary)) }
  public func message(_ text: String) { add(.message(text)) }

  /// The last plan.
  public var planned: [PlannedWork] { works.withLock { $0.planned } }
  /// The stages that began, in order.
  public var stages: [PlannedWork] { works.withLock { $0.begun } }

  public func plan(_ works: [PlannedWork]) { self.works.withLock { $0.planned = works } }
  public func beginStage(_ name: String, images: Double, done: Double) {
    works.withLock { $0.begun.append(PlannedWork(name, images: images)) }
  }

  private func add(_ event: Event) { storage.withLock { $0.append(event) } }
}

extension ProgressReporter where Self == SilentProgress {
  /// Says nothing.
  public static var silent: SilentProgress { SilentProgress() }
}

extension ProgressReporter where Self == TerminalProgress {
  /// A bar on standard error, or plain lines where that is not a terminal.
  public static var terminal: TerminalProgress { .standard }
}
