import Backdoor
import Defenses
import Evaluation
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct RiskEvaluatorTests {
  private let data = ImageDataset.tiny(count: 24)
  private let context = TrainingContext(precision: .float32)

  private func evaluator(_ reference: Classifier, radius: Double, targets: [Int?]? = nil) -> RiskEvaluator {
    var adversary = SharedAdversarialUnlearning.Configuration()
    adversary.radius = radius
    adversary.stepSize = radius
    return RiskEvaluator(
      images: data, triggered: data, targets: targets ?? data.labelArray().map { $0 == 0 ? nil : 0 },
      reference: reference,
      adversary: adversary, context: context)
  }

  /// Without a perturbation the risks are plain errors.
  @Test func radiusZero() throws {
    let (model, reference) = (try Classifier.tiny(for: data, seed: 1), try Classifier.tiny(for: data, seed: 2))
    let labels = data.labelArray()
    func classes(_ model: Classifier) -> [Int] {
      noGrad { model.logits(of: data, context: context).argmax(1) }.array(Int64.self).map(Int.init)
    }
    let (own, other) = (classes(model), classes(reference))
    let before = reference.snapshot()
    let found = evaluator(reference, radius: 0).measure(model, context: context)
    expectSame(reference.snapshot(), before, "batch statistics stay, whatever the reference's mode")
    #expect(reference.isTraining)
    let aimed = labels.indices.filter { labels[$0] != 0 }
    #expect(found.adversarial == Double(aimed.count { own[$0] != labels[$0] }) / Double(aimed.count))
    #expect(
      found.shared == Double(labels.indices.count { own[$0] != labels[$0] && own[$0] == other[$0] })
        / Double(labels.count))
    #expect(found.backdoor == Double(aimed.count { own[$0] == 0 }) / Double(aimed.count))
  }

  /// A model shares every adversarial example with itself; larger balls hold more; the model's mode and weights stay.
  @Test func modelAgainstItself() throws {
    let model = try Classifier.tiny(for: data)
    model.train()
    let before = model.snapshot()
    let found = evaluator(model, radius: 0.2).measure(model, context: context)
    let (shared, sub, adversarial) = (
      try #require(found.shared), try #require(found.sub), try #require(found.adversarial)
    )
    #expect(shared > 0 && sub <= adversarial)
    #expect(model.isTraining)
    expectSame(model.snapshot(), before)
    #expect(evaluator(model, radius: 0.2).measure(model, context: context) == found, "measuring draws nothing")
  }
}
