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
      guard before.attackSuccessRate != nil, after.attackSuccessRate != nil else {
        return Verdict(
          tone: .neutral, word: "Note",
          sentence:
            "No attack was measured, so this says nothing about a backdoor; \(cost(from: before, to: after)) by the defense."
        )
      }
      return defended(record, from: before, to: after)
    }
    if let after = record.after { return trained(record, after) }
    if record.isDefended, record.findings?.detection != nil {
      return Verdict(
        tone: .neutral, word: "Note",
        sentence: "The run ends with the filter's judgement: no model was trained on what it kept.")
    }
    if let before = record.before { return attacked(record, before) }
    if let model = record.measurements.last { return trained(record, model) }
    return Verdict(tone: .neutral, word: "Note", sentence: "Nothing was measured.")
  }

  private typealias Measurement = RunRecord.Measurement

  /// A defense with an undefended model to compare with.
  private static func defended(_ record: RunRecord, from before: Measurement, to after: Measurement) -> Verdict {
    let facts = "\(attack(from: before, to: after)); \(cost(from: before, to: after))"
    func caution(_ text: String) -> Verdict {
      Verdict(tone: .warning, word: "Caution", sentence: "\(text): \(facts).")
    }
    let (rateBefore, rateAfter) = (before.attackSuccessRate ?? .nan, after.attackSuccessRate ?? .nan)
    if rateBefore.isNaN || rateAfter.isNaN || after.accuracy.isNaN {
      return caution("The measurements hold NaN, so nothing can be said")
    }
    if isNearChance(record, before) {
      return caution("The undefended model hardly does better than guessing, so nothing can be said about a backdoor")
    }
    if isNearChance(record, after) {
      return caution("The defended model hardly does better than guessing, so its attack success says nothing")
    }
    if rateBefore < 0.5 { return caution("The attack hardly worked to begin with, so the defense proves little") }
    if reachesMistakes(record, after) {
      let isCostly = before.accuracy - after.accuracy > costlyAbove
      let isSure = hasEnoughImages(after)
      return Verdict(
        tone: isCostly || !isSure ? .warning : .good, word: isCostly || !isSure ? "Caution" : "Cured",
        sentence: claim + (isCostly ? ", but at a high price" : isSure ? "" : unsure)
          + ": \(facts). \(limits)")
    }
    if !differ(before, after) || rateAfter >= presentFrom {
      return Verdict(tone: .bad, word: "Backdoored", sentence: "The backdoor is not gone: \(facts).")
    }
    return caution("The backdoor is weaker, but not gone")
  }

  /// A model that was trained with a defense, or one of unknown history.
  private static func trained(_ record: RunRecord, _ model: Measurement) -> Verdict {
    let accuracy = "clean accuracy is \(NumberText.percent(model.accuracy))"
    guard let rate = model.attackSuccessRate else {
      return Verdict(
        tone: .neutral, word: "Note",
        sentence: "No attack was measured, so this says nothing about a backdoor; \(accuracy).")
    }
    let facts = "attack success is \(NumberText.percent(rate))\(details(model)), \(accuracy)"
    func caution(_ text: String) -> Verdict {
      Verdict(tone: .warning, word: "Caution", sentence: "\(text): \(facts).")
    }
    if rate.isNaN || model.accuracy.isNaN { return caution("The measurements hold NaN, so nothing can be said") }
    if isNearChance(record, model) {
      return caution("The model hardly does better than guessing, so nothing can be said about a backdoor")
    }
    if reachesMistakes(record, model) {
      let isSure = hasEnoughImages(model)
      return Verdict(
        tone: isSure ? .good : .warning, word: isSure ? "Clean" : "Caution",
        sentence: claim + (isSure ? "" : unsure) + ": \(facts). \(limits)")
    }
    if rate < presentFrom { return caution("The model has a weak backdoor") }
    return Verdict(tone: .bad, word: "Backdoored", sentence: "The model has a backdoor: \(facts).")
  }

  /// An attack without a defense.
  private static func attacked(_ record: RunRecord, _ model: Measurement) -> Verdict {
    guard let rate = model.attackSuccessRate else { return trained(record, model) }
    if rate < 0.5, !isNearChance(record, model) {
      return Verdict(
        tone: .warning, word: "Caution",
        sentence: """
          The attack hardly worked: attack success is \(NumberText.percent(rate)), \
          clean accuracy is \(NumberText.percent(model.accuracy)). No defense was applied.
          """)
    }
    var verdict = trained(record, model)
    verdict.sentence += " No defense was applied."
    return verdict
  }

  // MARK: What may be claimed

  private static let claim = "This trigger works no better than mistakes do"
  private static let unsure = ", as far as so few images tell"

  /// Measured on fewer images, the interval of a share is so wide that it reaches far by itself.
  private static func hasEnoughImages(_ model: Measurement) -> Bool {
    model.triggeredCount.map { $0 >= RunFlags.fewImages } ?? true
  }

  /// What a good verdict does not say.
  private static let limits = "Measured in one run and with this trigger alone."

  /// Whether the attack success rate is above the rate at which the same images go to the target without the trigger by
  /// no more than chance; both are measured on these images. Older records lack it: mistakes then count as spread evenly
  /// over the classes.
  private static func reachesMistakes(_ record: RunRecord, _ model: Measurement) -> Bool {
    guard let rate = model.attackSuccessRate else { return false }
    let classes = record.dataset?.classNames.count ?? 0
    let mistakes = model.cleanTargetRate ?? (classes > 1 ? (1 - model.accuracy) / Double(classes - 1) : 0)
    return rate <= mistakes || !WilsonInterval.differ((rate, model.triggeredCount), (mistakes, model.triggeredCount))
  }

  private static func isNearChance(_ record: RunRecord, _ model: Measurement) -> Bool {
    RunFlags.isNearChance(model, classes: record.dataset?.classNames.count ?? 0)
  }

  private static func differ(_ before: Measurement, _ after: Measurement) -> Bool {
    WilsonInterval.differ(
      (before.attackSuccessRate ?? .nan, before.triggeredCount), (after.attackSuccessRate ?? .nan, after.triggeredCount)
    )
  }

  // MARK: The numbers in words

  private static func attack(from before: Measurement, to after: Measurement) -> String {
    let (old, new) = (NumberText.percent(before.attackSuccessRate), NumberText.percent(after.attackSuccessRate))
    let details = details(after)
    if new == "NaN" { return "attack success went from \(old) to NaN" }
    if new == old { return "attack success stayed at \(new)\(details)" }
    guard differ(before, after) else {
      return "attack success went from \(old) to \(new)\(details), no more than chance"
    }
    let fell = (after.attackSuccessRate ?? 0) < (before.attackSuccessRate ?? 0)
    return "attack success \(fell ? "fell" : "rose") from \(old) to \(new)\(details)"
  }

  /// " (95%: 0.7–1.1; without the trigger 0.8%)".
  private static func details(_ model: Measurement) -> String {
    let interval = model.attackSuccessRate.flatMap { rate in
      model.triggeredCount.flatMap { NumberText.interval(rate, count: $0) }
    }
    let parts = [
      interval.map { "95%: \($0)" }, model.cleanTargetRate.map { "without the trigger \(NumberText.percent($0))" },
    ].compactMap { $0 }
    return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
  }

  private static func cost(from before: Measurement, to after: Measurement) -> String {
    let text = NumberText.points(from: before.accuracy, to: after.accuracy)
    guard WilsonInterval.differ((before.accuracy, before.cleanCount), (after.accuracy, after.cleanCount)) else {
      return text == "0.0"
        ? "accuracy is unchanged"
        : "accuracy went from \(NumberText.percent(before.accuracy)) to \(NumberText.percent(after.accuracy)), no more than "
          + "chance"
    }
    switch text {
    case "0.0": return "accuracy is unchanged"
    case _ where text.hasPrefix("−"): return "accuracy cost \(text.dropFirst()) points"
    case _ where text.hasPrefix("+"): return "accuracy rose by \(text.dropFirst()) points"
    default: return "accuracy is not a number"
    }
  }
}
