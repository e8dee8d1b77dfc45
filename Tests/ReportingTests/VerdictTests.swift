import Testing

@testable import Experiments
@testable import Reporting

struct VerdictTests {
  private func verdict(
    before: (accuracy: Double, rate: Double?)? = nil, after: (accuracy: Double, rate: Double?)? = nil,
    change: (inout RunRecord) -> Void = { _ in }
  ) -> Verdict {
    var record = ReportExample.record
    record.measurements = [("before", before), ("after", after)].compactMap { label, scores in
      scores.map {
        .init(
          label: label, accuracy: $0.accuracy, cleanCount: 10_000, attackSuccessRate: $0.rate, triggeredCount: 9_000)
      }
    }
    change(&record)
    return Verdict(record)
  }

  @Test(arguments: [
    // accuracy and attack success before, then after
    (
      0.9, 0.98, 0.9, 0.05, "good",
      "The backdoor is gone: attack success fell from 98.0% to 5.0%; accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.91, 0.0, "good",
      "The backdoor is gone: attack success fell from 98.0% to 0.0%; accuracy rose by 1.0 points."
    ),
    (
      0.9, 0.98, 0.89, 0.051, "warning",
      "The backdoor is weaker, but not gone: attack success fell from 98.0% to 5.1%; accuracy cost 1.0 points."
    ),
    (
      0.9, 0.98, 0.9, 0.2, "bad",
      "The backdoor is not gone: attack success fell from 98.0% to 20.0%; accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.9, 1.0, "bad",
      "The backdoor is not gone: attack success rose from 98.0% to 100.0%; accuracy is unchanged."
    ),
    (0.9, 0.98, 0.9, 0.98, "bad", "The backdoor is not gone: attack success stayed at 98.0%; accuracy is unchanged."),
    (
      0.9, 0.98, 0.7, 0.01, "warning",
      "The backdoor is gone, but at a high price: attack success fell from 98.0% to 1.0%; accuracy cost 20.0 points."
    ),
    (
      0.9, 0.3, 0.9, 0.01, "warning",
      "The attack hardly worked to begin with, so the defense proves little: attack success fell from 30.0% to 1.0%; "
        + "accuracy is unchanged."
    ),
    (
      0.9, 0.98, 0.9, Double.nan, "warning",
      "The measurements hold NaN, so nothing can be said: attack success went from 98.0% to NaN; accuracy is unchanged."
    ),
  ])
  func defended(
    accuracyBefore: Double, rateBefore: Double, accuracyAfter: Double, rateAfter: Double, tone: String, sentence: String
  ) {
    let verdict = verdict(before: (accuracyBefore, rateBefore), after: (accuracyAfter, rateAfter))
    #expect(verdict.tone.rawValue == tone)
    #expect(verdict.sentence == sentence)
  }

  @Test func withTwoClassesOrdinaryMistakesHitTheTarget() {
    let two = verdict(before: (0.9, 0.98), after: (0.9, 0.09)) { $0.dataset?.classNames = ["no", "yes"] }
    #expect(two.tone == .good)
    let ten = verdict(before: (0.9, 0.98), after: (0.9, 0.09))
    #expect(ten.tone == .warning)
  }

  @Test func oneModelAlone() {
    #expect(
      verdict(before: (0.93, 0.981)).sentence
        == "The model has a backdoor: attack success is 98.1%, clean accuracy is 93.0%. No defense was applied.")
    #expect(verdict(before: (0.93, 0.3)).sentence.hasPrefix("The attack hardly worked: attack success is 30.0%"))
    #expect(
      verdict(after: (0.93, 0.01)).sentence
        == "The model has no backdoor: attack success is 1.0%, clean accuracy is 93.0%.")
    #expect(verdict(after: (0.93, 0.9)).tone == .bad)
    #expect(verdict(after: (0.93, nil)).sentence == "No attack was measured; clean accuracy is 93.0%.")
    #expect(verdict().sentence == "Nothing was measured.")
  }

  @Test func anUnfinishedRunClaimsNothing() {
    for status in [RunRecord.Status.running, .interrupted, .failed] {
      let verdict = verdict(before: (0.9, 0.98), after: (0.9, 0.0)) { $0.status = status }
      #expect(verdict.tone != .good && !verdict.sentence.contains("gone"))
    }
  }
}
