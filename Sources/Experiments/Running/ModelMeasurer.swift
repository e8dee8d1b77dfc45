import Evaluation
import Support
import Torch
import TorchNN
import Training
import Vision

/// Measures models on test data. The model that was measured last is not measured again while its weights are the same:
/// the last epoch of a training and the trained model are one measurement.
final class ModelMeasurer {
  let evaluator: BackdoorEvaluator
  let risks: RiskEvaluator?
  private var last: (model: Classifier, state: [Tensor], metrics: BackdoorMetrics, risks: Risks?)?

  /// - Parameter risks: nil measures none.
  init(_ evaluator: BackdoorEvaluator, risks: RiskEvaluator? = nil) {
    self.evaluator = evaluator
    self.risks = risks
  }

  /// - Throws: `Interrupted`.
  func measure(_ model: Classifier, _ context: TrainingContext) throws -> (metrics: BackdoorMetrics, risks: Risks?) {
    let state = model.stateDict().entries.map(\.tensor)
    if let last, last.model === model, Self.areEqual(last.state, state) { return (last.metrics, last.risks) }
    let metrics = evaluator.measure(model, context: context)
    if let count = metrics.notFinite {
      context.progress.message(
        "warning: the model's outputs are NaN or infinite for \(count) images: its numbers mean nothing")
    }
    let risks = try risks?.measure(model, context: context)
    last = (model, noGrad { state.map { $0.clone() } }, metrics, risks)
    return (metrics, risks)
  }

  private static func areEqual(_ a: [Tensor], _ b: [Tensor]) -> Bool {
    a.count == b.count
      && noGrad {
        zip(a, b).allSatisfy { $0.shape == $1.shape && $0.device == $1.device && ($0 .== $1).all().item() != 0 }
      }
  }
}
