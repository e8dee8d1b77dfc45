import Backdoor
import Defenses
import Testing
import Torch
import TorchNN
import Training
import Vision

/// A small network that notes each forward pass and whether its weights would get gradients in it.
private final class Watched: Classifier {
  let conv: Conv2d
  let linear: Linear
  private(set) var passes: [(frozen: Bool, training: Bool)] = []

  init(_ seed: UInt64) {
    let generator = Generator(seed: seed)
    conv = Conv2d(3, 4, kernel: 3, padding: 1, generator)
    linear = Linear(4, 4, generator)
    super.init(classes: 4, normalization: .none)
  }
  override func features(normalized x: Tensor) -> Features {
    passes.append((parameters().allSatisfy { !$0.requiresGrad }, isTraining))
    let h = conv(x).relu()
    return Features(stages: [h], penultimate: F.adaptiveAvgPool2d(h, 1, 1).flattened(1))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}

/// What a batch costs: nothing is computed twice, and the inner problem computes no weight gradients.
@Suite struct SAUCostTests {
  private let context = TrainingContext(precision: .float32)
  private let images = Generator(seed: 3).uniform([6, 3, 8, 8])
  private let labels = Tensor([0, 1, 2, 3, 0, 1] as [Int64])

  @Test(arguments: SharedAdversary.Objective.allCases, SharedAdversarialUnlearning.Outer.allCases)
  func passes(_ inner: SharedAdversary.Objective, _ outer: SharedAdversarialUnlearning.Outer) {
    let (student, reference) = (Watched(1), Watched(2))
    student.eval()
    reference.eval()
    let classes = noGrad { reference(images).argmax(1) }
    var configuration = SharedAdversarialUnlearning.Configuration()
    configuration.steps = 3
    configuration.radius = 0.01  // Too small for all samples to be shared early.
    configuration.inner = inner
    configuration.outer = outer
    _ = AdversarialUnlearning(configuration, stage: "test").losses(
      .init(images: images, labels: labels, referenceClasses: classes), student: student, reference: reference,
      context: context,
      generator: Generator(seed: 0))
    // The clean pass, three steps, the pass on the perturbed images.
    #expect(student.passes.map(\.frozen) == [false, true, true, true, false])
    // The clean classes came from outside; the three steps if it takes part; where it is misled.
    let expected = 1 + (inner == .shared ? 3 : 0) + (outer == .shared ? 1 : 0)
    #expect(reference.passes.count == expected)
    #expect(student.passes.allSatisfy { !$0.training })
  }

  @Test func innerProblemLeavesWeightsAlone() {
    let (student, reference) = (Watched(1), Watched(2))
    reference.conv.weight.requiresGrad_(false)
    let before = (student.parameters() + reference.parameters()).map(\.requiresGrad)
    _ = SharedAdversarialUnlearning.Configuration().perturb(
      images, labels: labels, student: student, reference: reference, clean: (labels, labels), context: context,
      generator: Generator(seed: 0))
    #expect((student.parameters() + reference.parameters()).allSatisfy { $0.grad == nil })
    #expect((student.parameters() + reference.parameters()).map(\.requiresGrad) == before)
  }
}
