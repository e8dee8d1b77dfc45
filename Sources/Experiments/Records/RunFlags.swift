import Backdoor
import Defenses
import Evaluation
import Files
import Foundation
import Support

/// Looks for reasons to distrust a run.
public enum RunFlags {
  /// Shares that were measured on fewer images have intervals that reach far.
  public static let fewImages = 200

  /// The flags of a record, in the order of ``RunFlag/allCases``.
  ///
  /// - Parameters:
  ///   - record: A record with its measurements. Its `flags` are not looked at.
  ///   - metrics: The run's epochs, searched for values that are not finite.
  public static func raised(by record: RunRecord, metrics: [MetricsEntry] = []) -> [RaisedFlag] {
    [
      chanceAccuracy(record), weakAttack(record), notFinite(record, metrics), fewTestImages(record),
      accuracyLoss(record),
      notRecovered(record), oracle(record), filterRejectsMost(record), filterBelowChance(record),
    ].compactMap { $0 }
  }

  private static func chanceAccuracy(_ record: RunRecord) -> RaisedFlag? {
    guard let classes = record.dataset?.classNames.count, classes > 1 else { return nil }
    guard let model = record.measurements.first(where: { isNearChance($0, classes: classes) }) else { return nil }
    return RaisedFlag(
      .chanceAccuracy,
      "Clean accuracy \(model.label) is \(formatPercent(model.accuracy)); guessing gives "
        + "\(formatPercent(1 / Double(classes))).")
  }

  /// Whether a model's accuracy is at most 1.2 times chance, or within three standard errors of it: then nothing that it
  /// does with a trigger says anything.
  public static func isNearChance(_ model: RunRecord.Measurement, classes: Int) -> Bool {
    guard classes > 1, model.cleanCount > 0 else { return false }
    let chance = 1 / Double(classes)
    let standardError = (chance * (1 - chance) / Double(model.cleanCount)).squareRoot()
    return model.accuracy <= max(1.2 * chance, chance + 3 * standardError)
  }

  private static func weakAttack(_ record: RunRecord) -> RaisedFlag? {
    guard let rate = record.before?.attackSuccessRate, rate < 0.5 else { return nil }
    return RaisedFlag(
      .weakAttack, "The attack succeeds on \(formatPercent(rate)) of triggered images before any defense.")
  }

  private static func notFinite(_ record: RunRecord, _ metrics: [MetricsEntry]) -> RaisedFlag? {
    for entry in metrics {
      if let name = entry.values.keys.sorted().first(where: { entry.values[$0]?.isFinite == false }) {
        return RaisedFlag(
          .notFinite, "The value \(name) is not finite in epoch \(entry.epoch) of stage \(entry.stage).")
      }
    }
    for model in record.measurements {
      if let (name, _) = model.shares.first(where: { $0.value?.isFinite == false }) {
        return RaisedFlag(.notFinite, "The value \(name) is not finite for the model \(model.label).")
      }
    }
    return nil
  }

  private static func fewTestImages(_ record: RunRecord) -> RaisedFlag? {
    let counts = record.measurements.flatMap { model in
      [
        (model.cleanCount, "clean"), (model.triggeredCount ?? .max, "triggered"),
        (model.riskCount ?? .max, "perturbed"),
      ]
    }
    guard let (count, kind) = counts.min(by: { $0.0 < $1.0 }), count < fewImages else { return nil }
    return RaisedFlag(.fewTestImages, "Measured on \(count) \(kind) test image\(count == 1 ? "" : "s").")
  }

  private static func accuracyLoss(_ record: RunRecord) -> RaisedFlag? {
    guard let before = record.before, let after = record.after else { return nil }
    // A loss of ten points as people write it: 0.95 - 0.85 is a little more than 0.1 in binary.
    guard before.accuracy - after.accuracy > 0.1 + 1e-9 else { return nil }
    let points = formatPoints(from: after.accuracy, to: before.accuracy)
    return RaisedFlag(
      .accuracyLoss,
      "Clean accuracy fell by \(points) points, from \(formatPercent(before.accuracy)) to "
        + "\(formatPercent(after.accuracy))."
    )
  }

  private static func notRecovered(_ record: RunRecord) -> RaisedFlag? {
    guard let after = record.after, let robust = after.robustAccuracy, let rate = after.attackSuccessRate, rate < 0.5,
      after.accuracy - robust > 0.2 + 1e-9
    else { return nil }
    return RaisedFlag(
      .notRecovered,
      "Robust accuracy is \(formatPercent(robust)) after the defense, clean accuracy \(formatPercent(after.accuracy)).")
  }

  private static func oracle(_ record: RunRecord) -> RaisedFlag? {
    guard let name = record.defenseName, let kind = try? DefenseKind.named(name), kind.requires.contains(.truth) else {
      return nil
    }
    return RaisedFlag(.oracle, "The defense \(name) was told which training samples are poisoned.")
  }

  private static func filterRejectsMost(_ record: RunRecord) -> RaisedFlag? {
    guard let found = record.findings, let detection = found.detection, detection.rejectedCount > 0 else { return nil }
    let total = detection.keptCount + detection.rejectedCount
    let lost = found.lostClasses ?? []
    guard 2 * detection.rejectedCount > total || !lost.isEmpty else { return nil }
    let names = formatNames(lost)
    return RaisedFlag(
      .filterRejectsMost,
      "The defense rejected \(formatCount(detection.rejectedCount)) of \(formatCount(total)) samples"
        + (lost.isEmpty ? "." : ", among them all of \(names)."))
  }

  private static func filterBelowChance(_ record: RunRecord) -> RaisedFlag? {
    guard let area = record.findings?.detection?.areaUnderROC, area < 0.5 else { return nil }
    return RaisedFlag(
      .filterBelowChance,
      "The AUC of the suspicion is \(decimal(area, 3)): clean samples look more suspicious than poison.")
  }
}
