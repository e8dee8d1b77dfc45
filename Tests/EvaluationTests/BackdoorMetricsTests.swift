import Backdoor
import Evaluation
import Support
import TestSupport
import Testing
import Torch
import Training
import Vision

/// Sets the images' first byte, by which `FirstByte` classifies.
private struct Write: Trigger {
  let value: Int
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let out = images.clone()
    out.narrowed(2, 0..<1).narrowed(3, 0..<1).fill_(Double(value) / 255)
    return out
  }
}

/// Fills images with numbers that it draws.
private struct Draw: Trigger {
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { generator.uniform(images.shape) }
}

/// Ten test images of classes 0, 1, 2 (4 + 3 + 3), and predictions given by hand.
@Suite struct BackdoorMetricsTests {
  private static let labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
  private let test = ImageDataset(
    name: "test", images: Tensor.zeros([10, 1, 4, 4], dtype: .uint8), labels: Tensor(labels.map(Int64.init)),
    classNames: ["a", "b", "c"])
  private let clean = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0]  // 7 of 10

  private func measure(_ mappings: [LabelMapping], _ triggered: [[Int]]) -> BackdoorMetrics {
    let tasks = mappings.enumerated().map {
      BackdoorTask(name: "trigger \($0)", trigger: Write(value: $0 + 1), mapping: $1)
    }
    let evaluator = BackdoorEvaluator(test: test, tasks: tasks, seed: 1)
    return evaluator.measure(BackdoorEvaluator.Predictions(clean: clean, triggered: triggered))
  }

  /// Images of the target class do not count, however they are classified.
  @Test func allToOne() {
    let m = measure([.allToOne(target: 0)], [[0, 0, 0, 0, 0, 0, 1, 0, 2, 1]])
    #expect(m.accuracy == 0.7 && m.testCount == 10)
    #expect(m.triggeredCount == 6)
    #expect(m.attackSuccessRate == 3.0 / 6)
    #expect(m.robustAccuracy == 2.0 / 6)
    #expect(m.poisonAccuracy == 6.0 / 10)
    #expect(m.cleanTargetRate == 1.0 / 6, "the last image, without the trigger")
    #expect(m.targetedMisclassification == nil && m.perTask.isEmpty)
    let other = measure([.allToOne(target: 0)], [[2, 2, 2, 2, 0, 0, 1, 0, 2, 1]])
    #expect(other.attackSuccessRate == m.attackSuccessRate && other.robustAccuracy == m.robustAccuracy)
    #expect(other.poisonAccuracy == 2.0 / 10)
  }

  @Test func cleanLabelCountsAsAllToOne() {
    let found = [[0, 0, 0, 0, 0, 0, 1, 0, 2, 1]]
    #expect(measure([.cleanLabel(target: 0)], found) == measure([.allToOne(target: 0)], found))
  }

  /// y to y + 1: every image counts.
  @Test func allToAll() {
    let m = measure([.allToAll(shift: 1)], [[1, 1, 0, 0, 2, 1, 0, 0, 0, 2]])
    #expect(m.triggeredCount == 10)
    #expect(m.attackSuccessRate == 5.0 / 10)  // 1 1 | 2 | 0 0
    #expect(m.robustAccuracy == 4.0 / 10)  // 0 0 | 1 | 2
    #expect(m.poisonAccuracy == 4.0 / 10)
  }

  /// Source class 1 to 0: f(x) = 1 and f(trigger(x)) = 0.
  @Test func sourceToTarget() {
    let m = measure([.sourceToTarget(source: 1, target: 0)], [[0, 0, 0, 0, 0, 1, 0, 0, 0, 0]])
    #expect(m.triggeredCount == 3)
    #expect(m.attackSuccessRate == 2.0 / 3)
    #expect(m.robustAccuracy == 1.0 / 3)
    // The third image of the source class is misled by the trigger, but misclassified without it too.
    #expect(m.targetedMisclassification == 1.0 / 3)
  }

  /// Two triggers from one class: A counts over both, as attack success does.
  @Test func severalTriggersOfOneSource() {
    let first = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0], none = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    for (found, hits) in [([first, none], 2.0), ([none, first.map { $0 == 0 ? 2 : $0 }], 2)] {
      let m = measure([.sourceToTarget(source: 1, target: 0), .sourceToTarget(source: 1, target: 2)], found)
      #expect(m.triggeredCount == 6 && m.attackSuccessRate == hits / 6)
      #expect(m.targetedMisclassification == 1.0 / 6)
    }
  }

  @Test func severalTriggers() {
    let m = measure(
      [.allToOne(target: 0), .allToOne(target: 2)], [[0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [2, 2, 0, 0, 1, 1, 2, 2, 2, 0]])
    #expect(m.perTask == ["trigger 0": 5.0 / 6, "trigger 1": 3.0 / 7])
    #expect(m.triggeredCount == 13)
    #expect(m.attackSuccessRate == 8.0 / 13)
    #expect(m.robustAccuracy == 4.0 / 13)
    #expect(m.poisonAccuracy == 10.0 / 20)
  }

  @Test func withoutATrigger() {
    let m = measure([], [])
    #expect(
      m.accuracy == 0.7 && m.attackSuccessRate == nil && m.robustAccuracy == nil && m.poisonAccuracy == nil
        && m.triggeredCount == 0)
  }

  /// A test set of the target class alone has no attack success rate.
  @Test func nothingToCount() {
    let evaluator = BackdoorEvaluator(
      test: test.subset([0, 1, 2]),
      tasks: [BackdoorTask(name: "t", trigger: Write(value: 1), mapping: .allToOne(target: 0))], seed: 1)
    let m = evaluator.measure(BackdoorEvaluator.Predictions(clean: [0, 0, 0], triggered: [[0, 0, 0]]))
    #expect(m.attackSuccessRate == nil && m.robustAccuracy == nil && m.triggeredCount == 0 && m.poisonAccuracy == 1)
  }

  /// A classifier that reads the stamp: predictions come from the stamped images, and targets from the mapping.
  @Test func predictionsComeFromTheModel() {
    final class FirstByte: Classifier {
      init() { super.init(classes: 3, normalization: .none) }
      override func features(normalized x: Tensor) -> Features {
        let value = (x.narrowed(2, 0..<1).narrowed(3, 0..<1).flattened(1) * 255).round().to(.int64).squeezed(1)
        return Features(stages: [x], penultimate: value.oneHot(3).to(.float32))
      }
      override func logits(_ penultimate: Tensor) -> Tensor { penultimate }
    }
    let tasks = [BackdoorTask(name: "t", trigger: Write(value: 2), mapping: .allToOne(target: 2))]
    let evaluator = BackdoorEvaluator(test: test, tasks: tasks, seed: 1)
    let context = TrainingContext(precision: .float32)
    let predictions = evaluator.predictions(FirstByte(), context: context)
    #expect(predictions.clean == [Int](repeating: 0, count: 10))
    #expect(predictions.triggered == [[Int](repeating: 2, count: 10)])
    let m = evaluator.measure(FirstByte(), context: context)
    #expect(m.accuracy == 0.4 && m.attackSuccessRate == 1 && m.robustAccuracy == 0 && m.notFinite == nil)
    // Whatever class NaN would fall into, it is told.
    final class Nowhere: Classifier {
      init() { super.init(classes: 3, normalization: .none) }
      override func features(normalized x: Tensor) -> Features {
        let value = x.narrowed(2, 0..<1).narrowed(3, 0..<1).flattened(1) * .infinity
        return Features(stages: [x], penultimate: value.expanded([x.dimension(0), 3]))
      }
      override func logits(_ penultimate: Tensor) -> Tensor { penultimate }
    }
    #expect(evaluator.measure(Nowhere(), context: context).notFinite == 20, "0 and stamped images alike")
    #expect((0..<10).map { evaluator.target($0) } == [2, 2, 2, 2, 2, 2, 2, nil, nil, nil])
    let both = BackdoorEvaluator(
      test: test,
      tasks: tasks + [BackdoorTask(name: "u", trigger: Write(value: 1), mapping: .allToOne(target: 1))], seed: 1)
    #expect(both.predictions(FirstByte(), context: context).triggered.map { Set($0) } == [[2], [1]])
    #expect(test.images.max().intItem() == 0, "the test images stay clean")
  }

  /// A trigger that draws has the stream of its number.
  @Test func eachTriggerDrawsItsOwn() {
    let tasks = (0..<2).map { BackdoorTask(name: "\($0)", trigger: Draw(), mapping: .allToOne(target: $0)) }
    let evaluator = BackdoorEvaluator(test: test, tasks: tasks, seed: 8)
    for number in 0..<2 {
      let generator = Generator(seed: (8 as Seed)("evaluate/stamp", number))
      expectSame(evaluator.triggered(number).images, Draw().stamp(test.images, generator))
    }
    #expect((evaluator.triggered(0).images .!= evaluator.triggered(1).images).any().intItem() == 1)
  }

  /// Triggers that were put on elsewhere: what counts is said for each image.
  @Test func storedTriggers() {
    var targets = [Int?](repeating: nil, count: 10)
    for position in [4, 7, 9] { targets[position] = 0 }
    let images = Write(value: 2).stamp(test.images, Generator(seed: 1))
    let stored = TriggeredTest(name: "s", mapping: nil, images: images, targets: targets)
    let evaluator = BackdoorEvaluator(test: test, triggered: [stored])
    #expect(evaluator.hasTrigger && evaluator.taskCount == 1 && evaluator.target(7) == 0 && evaluator.target(0) == nil)
    expectSame(evaluator.triggered().images, images)
    let m = evaluator.measure(
      BackdoorEvaluator.Predictions(clean: clean, triggered: [[1, 1, 1, 1, 0, 1, 1, 2, 1, 0]]))
    #expect(m.triggeredCount == 3 && m.attackSuccessRate == 2.0 / 3 && m.robustAccuracy == 1.0 / 3)
    #expect(m.cleanTargetRate == 1.0 / 3, "the last image")
    #expect(m.poisonAccuracy == nil, "not all images have the trigger")
    let all = TriggeredTest(
      name: "s", mapping: .allToAll(shift: 1), images: images, targets: [Int?](repeating: 1, count: 10))
    let whole = BackdoorEvaluator(test: test, triggered: [all])
      .measure(BackdoorEvaluator.Predictions(clean: clean, triggered: [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]))
    #expect(whole.poisonAccuracy == 4.0 / 10)
  }
}
