import Evaluation
import Experiments
import Files
import Support

/// The scores of a run's models, side by side: the content of the large table, of the terminal table and of Markdown
/// rows.
struct ScoreTable {
  /// A score of one model.
  struct Cell {
    /// E.g. "98.1%".
    var value: String
    /// What the value rests on, e.g. "8,829 of 9,000" and "95%: 97.8–98.4".
    var details: [String]
  }

  /// One score of all models.
  struct Row {
    var abbreviation: String
    var name: String
    var explanation: String
    var cells: [Cell]
    /// From before to after in percentage points; `nil` unless both are there.
    var change: String?
    /// Whether the change is for the better: "better", "worse" or, where it is within the intervals, "same".
    var trend: String
  }

  var columns: [String]
  /// ACC, ASR, R-ACC and A; those that nobody measured are left out.
  var scores: [Row]
  /// The risks of the SAU paper; those that nobody measured are left out.
  var risks: [Row]
  /// The defense effectiveness rating, e.g. "0.983".
  var effectiveness: String?

  init(_ record: RunRecord) {
    typealias Measurement = RunRecord.Measurement
    columns = record.measurements.map { $0.label.prefix(1).uppercased() + $0.label.dropFirst() }

    func row(_ term: Glossary.Term, _ value: (Measurement) -> Double?, _ count: (Measurement) -> Int?) -> Row? {
      guard record.measurements.contains(where: { value($0) != nil }) else { return nil }
      let cells = record.measurements.map { model in
        Cell(value: NumberText.percent(value(model)), details: Self.details(value(model), count(model)))
      }
      var change: String?
      var trend = "same"
      if let before = record.before.flatMap(value), let after = record.after.flatMap(value) {
        let text = NumberText.points(from: before, to: after)
        change = text
        let counts = (record.before.flatMap(count), record.after.flatMap(count))
        if text.hasPrefix("+") || text.hasPrefix("−"), WilsonInterval.differ((before, counts.0), (after, counts.1)) {
          trend = text.hasPrefix("+") == term.higherIsBetter ? "better" : "worse"
        }
      }
      return Row(
        abbreviation: term.abbreviation, name: term.name, explanation: term.explanation, cells: cells, change: change,
        trend: trend)
    }

    scores = [
      row(Glossary.accuracy, { $0.accuracy }, { $0.cleanCount }),
      row(Glossary.attackSuccessRate, { $0.attackSuccessRate }, { $0.triggeredCount }),
      row(Glossary.cleanTargetRate, { $0.cleanTargetRate }, { $0.triggeredCount }),
      row(Glossary.robustAccuracy, { $0.robustAccuracy }, { $0.triggeredCount }),
      row(Glossary.targetedMisclassification, { $0.targetedMisclassification }, { $0.triggeredCount }),
    ].compactMap { $0 }
    risks = [
      row(Glossary.backdoorRisk, { $0.backdoorRisk }, { $0.riskAimedCount }),
      row(Glossary.adversarialRisk, { $0.adversarialRisk }, { $0.riskAimedCount }),
      row(Glossary.sharedAdversarialRisk, { $0.sharedAdversarialRisk }, { $0.riskCount }),
      row(Glossary.subAdversarialRisk, { $0.subAdversarialRisk }, { $0.riskAimedCount }),
      row(Glossary.universalRisk, { $0.universalRisk }, { $0.riskAimedCount }),
      row(Glossary.universalSubRisk, { $0.universalSubRisk }, { $0.riskAimedCount }),
      row(Glossary.targetedRisk, { $0.targetedRisk }, { $0.riskAimedCount }),
      row(Glossary.targetedSubRisk, { $0.targetedSubRisk }, { $0.riskAimedCount }),
    ].compactMap { $0 }
    effectiveness = record.effectiveness.map { NumberText.fixed($0, decimals: 3) }
  }

  private static func details(_ share: Double?, _ count: Int?) -> [String] {
    guard let share, share.isFinite, let count, count > 0 else { return [] }
    let hits = formatCount(Int(exactly: (min(max(share, 0), 1) * Double(count)).rounded()) ?? count)
    let interval = NumberText.interval(share, count: count).map { ["95%: \($0)"] } ?? []
    return ["\(hits) of \(formatCount(count))"] + interval
  }
}

extension RunRecord.EpochMeans {
  /// "Mean of the last 10 measured epochs: ACC 81.9%, ASR 1.2%, R-ACC 80.0%."
  var sentence: String {
    let values = [("ACC", accuracy), ("ASR", attackSuccessRate), ("R-ACC", robustAccuracy)].compactMap { name, value in
      value.map { "\(name) \(NumberText.percent($0))" }
    }
    return "Mean of the last \(epochs) measured epochs: \(values.joined(separator: ", "))."
  }
}

extension DetectionMetrics {
  /// "Kept 900 of 1,000 samples; rejected 98.0% of the poison and 2.0% of the clean samples."
  var sentence: String? {
    guard rejectedCount > 0 else { return nil }
    let kept = "Kept \(formatCount(keptCount)) of \(formatCount(keptCount + rejectedCount)) samples"
    guard let caught = truePositiveRate, let lost = falsePositiveRate else { return "\(kept)." }
    return
      "\(kept); rejected \(NumberText.percent(caught)) of the poison and \(NumberText.percent(lost)) of the clean "
      + "samples"
      + (precision.map { "; precision \(NumberText.fixed($0, decimals: 3))" } ?? "")
      + (areaUnderROC.map { ", AUC \(NumberText.fixed($0, decimals: 3))" } ?? "") + "."
  }
}
