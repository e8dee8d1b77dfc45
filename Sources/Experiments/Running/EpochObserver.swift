import Files
import Evaluation
import Support
import Training
import Vision

/// Measures a model on test data after epochs, tells how it does, and writes the values of all epochs to a run's
/// `metrics.jsonl`.
struct EpochObserver {
  /// Epochs between two measurements; 0 measures none.
  var every: Int
  /// nil where there is nothing to measure on.
  var measurer: ModelMeasurer?
  /// Positions of the poisoned samples in the training set; empty where there are none.
  var poisoned: Set<Int> = []
  /// nil writes nothing.
  var log: MetricsLog?

  /// Observes the epochs of this context's trainings from now on, in place of whoever did before.
  func observe(_ context: TrainingContext) {
    context.onStart = log.map { log in { stage, finished in try log.drop(after: finished, of: stage) } }
    context.onEpoch = { [unowned context] report in
      let values = try measured(report, context)
      try log?.append(MetricsEntry(stage: report.stage, epoch: report.epoch, values: values))
    }
  }

  private func measured(_ report: EpochReport, _ context: TrainingContext) throws -> [String: Double] {
    var values = Dictionary(
      report.values.map { ($0.key == "loss" ? MetricName.trainLoss : $0.key, $0.value) }, uniquingKeysWith: { $1 })
    if let selected = report.selected, !selected.isEmpty, !poisoned.isEmpty {
      values[MetricName.poisonShareLearned] = Double(selected.count(where: poisoned.contains)) / Double(selected.count)
    }
    let isDue = every > 0 && (report.epoch % every == 0 || report.epoch == report.epochs)
    guard isDue, report.isMeasured, let measurer, let model = report.model as? Classifier else { return values }
    let (metrics, risks) = try measurer.measure(model, context)
    let scores = RunRecord.Measurement(report.stage, metrics, risks)
    for (name, share) in scores.shares { values[name] = share }
    let others = [("attack success", scores.attackSuccessRate), ("shared risk", scores.sharedAdversarialRisk)]
    let line = others.compactMap { name, share in share.map { ", \(name) \(formatPercent($0))" } }.joined()
    context.progress.message(
      "\(StageTitle.title(of: report.stage)) \(report.epoch)/\(report.epochs): "
        + "accuracy \(formatPercent(scores.accuracy))\(line)"
    )
    return values
  }
}
