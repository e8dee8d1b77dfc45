import Evaluation
import Files
import Testing

@testable import Experiments
@testable import Reporting

struct VerdictTests {
  private func verdict(
    before: (accuracy: Double, rate: Double?)? = nil, after: (accuracy: Double, rate: Double?)? = nil,
    mistakes: Double? = 0.01, count: Int = 9_000, change: (inout RunRecord) -> Void = { _ in }
  ) -> Verdict {
    var record = ReportExample.record
    record.measurements = [("before", before), ("after", after)].compactMap { label, scores in
      scores.map {
        .init(
          label: label, accuracy: $0.accuracy, cleanCount: 10_000, attackSuccessRate: $0.rate,
          cleanTargetRate: $0.rate == nil ? nil : mistakes, triggeredCount: count)
      }
    }
    change(&record)
    return Verdict(record)
  }

  /// A filter's judgement alone is not taken for a model.
  @Test func aFilterWithoutItsModel() throws {
    let found = verdict(before: (0.9, 0.98)) {
      $0.configuration["defense"] = ["name": "spectral"]
      $0.findings = .init(
        detection: DetectionMetrics(
          rejected: [0, 1, 2], suspicion: nil, poisoned: [0, 1, 5, 6], covers: [], count: 10))
    }
    #expect(found.word == "Note" && found.sentence.contains("no model was trained"))
    #expect(verdict(before: (0.9, 0.98)) { $0.configuration["defense"] = "none" }.word == "Backdoored")
  }

  @Test(arguments: [
    // accuracy and attack success before, then after; 1% of the images go to the target without the trigger
    (
      0.9, 0.98, 0.9, 0.012, "good",
      "This trigger works no better than mistakes do: attack success fell from 98.0% to 1.2% (95%: 1.0–1.4; without the "
        + "trigger 1.0%); accuracy is unchanged. Measured in one run and with this trigger alone."
    ),
    (
      0.9, 0.98, 0.92, 0.0, "good",
      "This trigger works no better than mistakes do: attack success fell from 98.0% to 0.0% (95%: 0.0–0.0; without the "
        + "trigger 1.0%); accuracy rose by 2.0 points. Measured in one run and with this trigger alone."
    ),
    (
      0.9, 0.98, 0.88, 0.046, "warning",
      "The backdoor is weaker, but not gone: attack success fell from 98.0% to 4.6% (95%: 4.2–5.1; without the trigger "
        + "1.0%); accuracy cost 2.0 points."
    ),
    (
      0.9, 0.98, 0.9, 0.2, "bad",
      "The backdoor is not gone: attack success fell from 98.0% to 20.0% (95%: 19.2–20.8; without the trigger 1.0%); "
        + "accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.9, 1.0, "bad",
      "The backdoor is not gone: attack success rose from 98.0% to 100.0% (95%: 100.0–100.0; without the trigger 1.0%); "
        + "accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.9, 0.98, "bad",
      "The backdoor is not gone: attack success stayed at 98.0% (95%: 97.7–98.3; without the trigger 1.0%); accuracy is "
        + "unchanged."
    ),
    (
      0.9, 0.98, 0.7, 0.01, "warning",
      "This trigger works no better than mistakes do, but at a high price: attack success fell from 98.0% to 1.0% (95%: "
        + "0.8–1.2; without the trigger 1.0%); accuracy cost 20.0 points. Measured in one run and with this trigger alone."
    ),
    (
      0.9, 0.3, 0.9, 0.01, "warning",
      "The attack hardly worked to begin with, so the defense proves little: attack success fell from 30.0% to 1.0% (95%: "
        + "0.8–1.2; without the trigger 1.0%); accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.9, Double.nan, "warning",
      "The measurements hold NaN, so nothing can be said: attack success went from 98.0% to NaN; accuracy is unchanged."
    ),
    (
      0.115, 0.98, 0.11, 0.01, "warning",
      "The undefended model hardly does better than guessing, so nothing can be said about a backdoor: attack success fell "
        + "from 98.0% to 1.0% (95%: 0.8–1.2; without the trigger 1.0%); accuracy went from 11.5% to 11.0%, no more than "
        + "chance."
    ),
    (
      0.9, 0.98, 0.1, 0.0, "warning",
      "The defended model hardly does better than guessing, so its attack success says nothing: attack success fell from "
        + "98.0% to 0.0% (95%: 0.0–0.0; without the trigger 1.0%); accuracy cost 80.0 points."
    ),
  ])
  func defended(
    accuracyBefore: Double, rateBefore: Double, accuracyAfter: Double, rateAfter: Double, tone: String, sentence: String
  ) {
    let verdict = verdict(before: (accuracyBefore, rateBefore), after: (accuracyAfter, rateAfter))
    #expect(verdict.tone.rawValue == tone)
    #expect(verdict.sentence == sentence)
  }

  /// What counts is where clean images go: not a fixed share.
  @Test func mistakesDecideWhatIsCured() {
    #expect(verdict(before: (0.9, 0.98), after: (0.9, 0.09), mistakes: 0.09).tone == .good)
    #expect(verdict(before: (0.9, 0.98), after: (0.9, 0.02), mistakes: 0.001).tone == .warning)
    // One image in 1,800 without the trigger and six with it are no difference.
    #expect(verdict(before: (0.9, 0.98), after: (0.9, 6.0 / 1800), mistakes: 1.0 / 1800, count: 1800).tone == .good)
    #expect(verdict(before: (0.9, 0.98), after: (0.9, 36.0 / 1800), mistakes: 1.0 / 1800, count: 1800).tone == .warning)
    // Older records: mistakes as spread over the classes, 10% of accuracy over one or nine others.
    let two = verdict(before: (0.9, 0.98), after: (0.9, 0.09), mistakes: nil) {
      $0.dataset?.classNames = ["no", "yes"]
    }
    #expect(two.tone == .good && !two.sentence.contains("without the trigger"))
    #expect(verdict(before: (0.9, 0.98), after: (0.9, 0.09), mistakes: nil).tone == .warning)
  }

  @Test func fewImagesCureNothing() {
    let few = verdict(before: (0.9, 0.98), after: (0.9, 0.02), count: 100)
    #expect(few.tone == .warning && few.word == "Caution" && few.sentence.contains("as far as so few images tell"))
  }

  /// A difference within the intervals is neither better nor worse.
  @Test func smallDifferencesAreNoChange() {
    let same = verdict(before: (0.9, 0.98), after: (0.896, 0.978))
    #expect(
      same.sentence
        == "The backdoor is not gone: attack success went from 98.0% to 97.8% (95%: 97.5–98.1; without the trigger 1.0%), no "
        + "more than chance; accuracy went from 90.0% to 89.6%, no more than chance.")
    var record = ReportExample.record
    record.measurements[1].accuracy = 0.93
    let rows = ScoreTable(record).scores
    #expect(rows[0].change == "−0.2" && rows[0].trend == "same" && rows[1].trend == "better")
  }

  @Test func differencesAreThoseOfTheShownDigits() {
    let found = verdict(before: (0.9666, 0.98), after: (0.9444, 0.01))
    #expect(found.sentence.contains("accuracy cost 2.3 points"), "96.7 and 94.4")
  }

  @Test func oneModelAlone() {
    #expect(
      verdict(before: (0.93, 0.981)).sentence
        == "The model has a backdoor: attack success is 98.1% (95%: 97.8–98.4; without the trigger 1.0%), clean accuracy is "
        + "93.0%. No defense was applied.")
    #expect(verdict(before: (0.93, 0.3)).sentence.hasPrefix("The attack hardly worked: attack success is 30.0%"))
    #expect(
      verdict(after: (0.93, 0.01)).sentence
        == "This trigger works no better than mistakes do: attack success is 1.0% (95%: 0.8–1.2; without the trigger 1.0%), "
        + "clean accuracy is 93.0%. Measured in one run and with this trigger alone.")
    #expect(verdict(after: (0.93, 0.9)).tone == .bad)
    #expect(verdict(before: (0.1, 0.9)).tone == .warning, "near chance")
    #expect(
      verdict(after: (0.93, nil)).sentence
        == "No attack was measured, so this says nothing about a backdoor; clean accuracy is 93.0%.")
    #expect(verdict().sentence == "Nothing was measured.")
  }

  @Test func anUnfinishedRunClaimsNothing() {
    for status in [RunRecord.Status.running, .interrupted, .failed] {
      let verdict = verdict(before: (0.9, 0.98), after: (0.9, 0.0)) { $0.status = status }
      #expect(verdict.tone != .good && !verdict.sentence.contains("no better"))
    }
  }
}
