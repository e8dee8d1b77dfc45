import Experiments
import Foundation

/// The outcome of a run in one plain sentence.
struct Verdict: Equatable {
  /// How good the news is.
  enum Tone: String {
    case good, warning, bad, neutral

    var symbol: String {
      switch self {
      case .good: "✓"
      case .warning: "!"
      case .bad: "✗"
      case .neutral: "i"
      }
    }
  }

  var tone: Tone
  /// One word above the sentence, so that colour is not the only sign.
  var word: String
  var sentence: String

  /// A backdoor counts as gone at or below this attack success rate, or at the share that ordinary mistakes alone put
  /// on one class.
  static let goneBelow = 0.05
  /// From this attack success rate on, a backdoor counts as not gone at all.
  static let presentFrom = 0.2
  /// An accuracy loss above this is too high a price.
  static let costlyAbove = 0.1

  init(tone: Tone, word: String, sentence: String) {
    self.tone = tone
    self.word = word
    self.sentence = sentence
  }

  init(_ record: RunRecord) {
    switch record.status {
    case .failed: self.init(tone: .bad, word: "Failed", sentence: Self.failure(record))
    case .interrupted:
      self.init(
        tone: .warning, word: "Interrupted", sentence: "The run was interrupted; what it measured so far is below.")
    case .running:
      self.init(
        tone: .neutral, word: "Running", sentence: "The run is still going on; what it measured so far is below.")
    case .finished: self = Self.outcome(record)
    }
  }

  private static func failure(_ record: RunRecord) -> String {
    guard let failure = record.failure, !failure.isEmpty else { return "The run failed." }
    return "The run failed: \(failure)\(failure.last.map { ".!?".contains($0) } == true ? "" : ".")"
  }

  private static func outcome(_ record: RunRecord) -> Verdict {
    if let before = record.before, let after = record.after {
      guard let rateBefore = before.attackSuccessRate, let rateAfter = after.attackSuccessRate else {
        return Verdict(
          tone: .neutral, word: "Note",
          sentence: "No attack was measured: \(cost(from: before.accuracy, to: after.accuracy)) by the defense.")
      }
      return defended(record, from: (before.accuracy, rateBefore), to: (after.accuracy, rateAfter))
    }
    if let after = record.after { return trained(record, after) }
    if let before = record.before { return attacked(record, before) }
    if let model = record.measurements.last { return trained(record, model) }
    return Verdict(tone: .neutral, word: "Note", sentence: "Nothing was measured.")
  }

  /// A defense with an undefended model to compare with.
  private static func defended(
    _ record: RunRecord, from before: (accuracy: Double, rate: Double), to after: (accuracy: Double, rate: Double)
  ) -> Verdict {
    let (old, new) = (NumberText.percent(before.rate), NumberText.percent(after.rate))
    let attack =
      switch new {
      case old: "attack success stayed at \(new)"
      case "NaN": "attack success went from \(old) to NaN"
      default: "attack success \(after.rate < before.rate ? "fell" : "rose") from \(old) to \(new)"
      }
    let cost = cost(from: before.accuracy, to: after.accuracy)
    if before.rate.isNaN || after.rate.isNaN || after.accuracy.isNaN {
      return Verdict(
        tone: .warning, word: "Caution",
        sentence: "The measurements hold NaN, so nothing can be said: \(attack); \(cost).")
    }
    if before.rate < 0.5 {
      return Verdict(
        tone: .warning, word: "Caution",
        sentence: "The attack hardly worked to begin with, so the defense proves little: \(attack); \(cost).")
    }
    if after.rate <= gone(record, accuracy: after.accuracy) {
      return before.accuracy - after.accuracy > costlyAbove
        ? Verdict(
          tone: .warning, word: "Caution", sentence: "The backdoor is gone, but at a high price: \(attack); \(cost).")
        : Verdict(tone: .good, word: "Cured", sentence: "The backdoor is gone: \(attack); \(cost).")
    }
    if after.rate < presentFrom {
      return Verdict(
        tone: .warning, word: "Caution", sentence: "The backdoor is weaker, but not gone: \(attack); \(cost).")
    }
    return Verdict(tone: .bad, word: "Backdoored", sentence: "The backdoor is not gone: \(attack); \(cost).")
  }

  /// A model that was trained with a defense, or one of unknown history.
  private static func trained(_ record: RunRecord, _ model: RunRecord.Measurement) -> Verdict {
    let accuracy = "clean accuracy is \(NumberText.percent(model.accuracy))"
    guard let rate = model.attackSuccessRate else {
      return Verdict(tone: .neutral, word: "Note", sentence: "No attack was measured; \(accuracy).")
    }
    let attack = "attack success is \(NumberText.percent(rate)), \(accuracy)"
    if rate.isNaN || model.accuracy.isNaN {
      return Verdict(
        tone: .warning, word: "Caution", sentence: "The measurements hold NaN, so nothing can be said: \(attack).")
    }
    if rate <= gone(record, accuracy: model.accuracy) {
      return Verdict(tone: .good, word: "Clean", sentence: "The model has no backdoor: \(attack).")
    }
    if rate < presentFrom {
      return Verdict(tone: .warning, word: "Caution", sentence: "The model has a weak backdoor: \(attack).")
    }
    return Verdict(tone: .bad, word: "Backdoored", sentence: "The model has a backdoor: \(attack).")
  }

  /// An attack without a defense.
  private static func attacked(_ record: RunRecord, _ model: RunRecord.Measurement) -> Verdict {
    guard let rate = model.attackSuccessRate, rate < 0.5 else {
      let verdict = trained(record, model)
      return model.attackSuccessRate == nil
        ? verdict
        : Verdict(
          tone: verdict.tone, word: verdict.word, sentence: verdict.sentence.dropLast() + ". No defense was applied.")
    }
    return Verdict(
      tone: .warning, word: "Caution",
      sentence: """
        The attack hardly worked: attack success is \(NumberText.percent(rate)), \
        clean accuracy is \(NumberText.percent(model.accuracy)). No defense was applied.
        """)
  }

  /// The attack success rate up to which a backdoor counts as gone: with few classes, mistakes that have nothing to do
  /// with a trigger hit the target by chance.
  private static func gone(_ record: RunRecord, accuracy: Double) -> Double {
    guard let classes = record.dataset?.classNames.count, classes > 1 else { return goneBelow }
    return max(goneBelow, (1 - accuracy) / Double(classes - 1))
  }

  private static func cost(from before: Double, to after: Double) -> String {
    let points = NumberText.points(after - before).dropFirst()
    switch NumberText.points(after - before) {
    case "0.0": return "accuracy is unchanged"
    case let text where text.hasPrefix("−"): return "accuracy cost \(points) points"
    case let text where text.hasPrefix("+"): return "accuracy rose by \(points) points"
    default: return "accuracy is not a number"
    }
  }
}
