import Backdoor
import Evaluation
import Support
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Experiments

/// Answers with its only weight, and counts how often it is asked.
private final class Constant: Classifier {
  @Parameter var answer: Tensor
  var questions = 0

  init(_ answer: Double) {
    self.answer = Tensor.full([1], answer)
    super.init(classes: 3, normalization: .none)
  }
  override func features(normalized x: Tensor) -> Features {
    questions += 1
    return Features(
      stages: [x], penultimate: answer.round().to(.int64).expanded([x.dimension(0)]).oneHot(3).to(.float32))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { penultimate }
}

@Suite struct ModelMeasurerTests {
  private let context = TrainingContext(precision: .float32)
  private let measurer = ModelMeasurer(
    BackdoorEvaluator(
      test: ImageDataset(
        name: "test", images: Tensor.zeros([4, 1, 4, 4], dtype: .uint8), labels: Tensor([0, 1, 1, 2].map(Int64.init)),
        classNames: ["a", "b", "c"]), tasks: [], seed: 1))

  @Test func aModelThatHasNotChangedIsMeasuredOnce() throws {
    let model = Constant(1)
    let first = try measurer.measure(model, context).metrics
    #expect(first.accuracy == 0.5 && model.questions == 1)
    #expect(try measurer.measure(model, context).metrics == first && model.questions == 1)
    noGrad { model.answer.fill_(2) }
    #expect(try measurer.measure(model, context).metrics.accuracy == 0.25 && model.questions == 2)
  }

  @Test func anotherModelIsMeasuredAnew() throws {
    let (model, other) = (Constant(1), Constant(1))
    _ = try measurer.measure(model, context)
    _ = try measurer.measure(other, context)
    #expect(other.questions == 1)
    _ = try measurer.measure(model, context)
    #expect(model.questions == 2)
  }
}
