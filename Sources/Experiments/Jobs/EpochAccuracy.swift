import Evaluation
import Files
import Support
import Training
import Vision

extension TrainingContext {
  /// Tells after epochs how the model does on test data.
  /// - Parameters:
  ///   - every: epochs between two measurements; 0 measures none.
  ///   - evaluator: nil where there is no test data.
  func reportEpochs(every: Int, _ evaluator: BackdoorEvaluator?) {
    guard let evaluator, every > 0 else { return }
    onEpoch = { [unowned self] report in
      guard report.isMeasured, report.epoch % every == 0 || report.epoch == report.epochs, let model = report.model as? Classifier else {
        return
      }
      let metrics = evaluator.measure(model, context: self)
      let attack = metrics.attackSuccessRate.map { ", attack success \(formatPercent($0))" } ?? ""
      progress.message("\(report.stage) \(report.epoch)/\(report.epochs): accuracy \(formatPercent(metrics.accuracy))\(attack)")
    }
  }
}
