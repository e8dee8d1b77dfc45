public import Backdoor
public import Support
public import Torch
public import Training
public import Vision

/// How a model does on clean and on triggered test images. Rates are fractions.
public struct BackdoorMetrics: Sendable, Codable, Hashable {
  /// Share of clean test images classified correctly (ACC).
  public var accuracy: Double
  public var testCount: Int
  /// Share of triggered images classified as the target (ASR), over test images that the attack aims at and whose true
  /// label is not the target already; under all-to-all over all.
  public var attackSuccessRate: Double?
  /// Share of the same images classified as their true label (R-ACC).
  public var robustAccuracy: Double?
  /// Share of the same images classified as the target without the trigger: the attack success rate of mistakes that
  /// have nothing to do with it.
  public var cleanTargetRate: Double?
  public var triggeredCount: Int
  /// Share of all triggered test images, the target class included, classified as their true label; nil where images of
  /// the target class were given no trigger.
  public var poisonAccuracy: Double?
  /// Source to target only: share of the source class with f(x) = source and f(trigger(x)) = target.
  public var targetedMisclassification: Double?
  /// Attack success rate of each trigger, where a model has several.
  public var perTask: [String: Double]
  /// Images, clean and triggered, to which the model gives logits that are NaN or infinite; nil where there are none. All
  /// other numbers then mean little.
  public var notFinite: Int? = nil
}

/// Test images that were given a trigger elsewhere, by a function that is not at hand.
public struct TriggeredTest {
  public let name: String
  /// Which label the trigger leads to; nil where it is none of the usual mappings.
  public let mapping: LabelMapping?
  /// uint8, as the test images and in their order; those that were given no trigger are as they were.
  public let images: Tensor
  /// What the attack wants of each test image; nil of those that were given no trigger.
  public let targets: [Int?]

  public init(name: String, mapping: LabelMapping?, images: Tensor, targets: [Int?]) {
    require(
      images.dimension(0) == targets.count, "TriggeredTest: \(targets.count) targets of \(images.summary)")
    self.name = name
    self.mapping = mapping
    self.images = images
    self.targets = targets
  }
}

/// Measures models against one attack. Triggered test images are made once and kept.
public final class BackdoorEvaluator {
  public let test: ImageDataset
  private let labels: [Int]
  /// Without a function where triggers were put on elsewhere.
  let triggers: [(name: String, mapping: LabelMapping?, function: (any Trigger)?)]
  private let stamped: [ImageDataset]
  private let targets: [[Int?]]
  /// Whether every test image was given each trigger, those of the target class too.
  private let allAreTriggered: Bool

  /// - Parameter tasks: empty measures accuracy alone.
  public init(test: ImageDataset, tasks: [BackdoorTask], seed: Seed) {
    self.test = test
    triggers = tasks.map { ($0.name, $0.mapping, $0.trigger) }
    allAreTriggered = true
    labels = test.labelArray()
    let labels = labels
    targets = tasks.map { task in
      labels.map {
        task.mapping.counts($0, classes: test.classes) ? task.mapping.target(of: $0, classes: test.classes) : nil
      }
    }
    stamped = tasks.enumerated().map { number, task in
      let generator = Generator(seed: seed("evaluate/stamp", number), device: test.device)
      return ImageDataset(
        name: test.name, images: task.trigger.stamp(test.images, generator), labels: test.labels,
        classNames: test.classNames)
    }
  }

  /// - Parameter triggered: test images with triggers that were made elsewhere.
  public init(test: ImageDataset, triggered: [TriggeredTest]) {
    self.test = test
    triggers = triggered.map { ($0.name, $0.mapping, nil) }
    allAreTriggered = triggered.allSatisfy { !$0.targets.contains(nil) }
    labels = test.labelArray()
    targets = triggered.map(\.targets)
    stamped = triggered.map {
      require(
        $0.images.shape == test.images.shape, "BackdoorEvaluator: \($0.images.summary) for \(test.images.summary)")
      return ImageDataset(
        name: test.name, images: $0.images.to(test.device), labels: test.labels, classNames: test.classNames)
    }
  }

  /// The test images with the trigger of one task.
  public func triggered(_ task: Int = 0) -> ImageDataset { stamped[task] }
  /// What the attack wants of each test image; nil where it does not count.
  public func target(_ index: Int, task: Int = 0) -> Int? { targets[task][index] }
  public var hasTrigger: Bool { !triggers.isEmpty }
  /// What a task's trigger consists of, for some images of the test set; empty of one that was put on elsewhere.
  public func parts(_ task: Int = 0, at positions: [Int]) -> [TriggerPart] {
    triggers[task].function?.parts(of: test.subset(positions).images.unitPixels()) ?? []
  }
  /// Triggers of the attack.
  public var taskCount: Int { triggers.count }

  /// Predicted classes on the clean and on each task's triggered test images.
  public struct Predictions {
    public let clean: [Int]
    public let triggered: [[Int]]
    /// Images with logits that are NaN or infinite.
    public let notFinite: Int
    public init(clean: [Int], triggered: [[Int]], notFinite: Int = 0) {
      self.clean = clean
      self.triggered = triggered
      self.notFinite = notFinite
    }
  }

  public func predictions(_ model: Classifier, context: TrainingContext) -> Predictions {
    var notFinite = 0
    func classes(_ data: ImageDataset) -> [Int] {
      noGrad {
        let logits = model.logits(of: data, context: context)
        notFinite += logits.rowsNotFinite
        return logits.argmax(1).array(Int64.self).map(Int.init)
      }
    }
    return Predictions(clean: classes(test), triggered: stamped.map(classes), notFinite: notFinite)
  }

  public func measure(_ model: Classifier, context: TrainingContext) -> BackdoorMetrics {
    measure(predictions(model, context: context))
  }

  public func measure(_ predictions: Predictions) -> BackdoorMetrics {
    let correct = zip(predictions.clean, labels).count { $0 == $1 }
    var metrics = BackdoorMetrics(
      accuracy: share(correct, labels.count) ?? 0, testCount: labels.count, triggeredCount: 0, perTask: [:],
      notFinite: predictions.notFinite > 0 ? predictions.notFinite : nil)
    var (hits, robust, counted, correctPoison, mistaken) = (0, 0, 0, 0, 0)
    var (mislead, fromSource): (Int, Int) = (0, 0)
    for (number, task) in triggers.enumerated() {
      let found = predictions.triggered[number]
      let counting = labels.indices.filter { targets[number][$0] != nil }
      let mine = counting.count { found[$0] == targets[number][$0] }
      hits += mine
      mistaken += counting.count { predictions.clean[$0] == targets[number][$0] }
      robust += counting.count { found[$0] == labels[$0] }
      counted += counting.count
      correctPoison += labels.indices.count { found[$0] == labels[$0] }
      if triggers.count > 1, let rate = share(mine, counting.count) { metrics.perTask[task.name] = rate }
      if case .sourceToTarget(let source, let target)? = task.mapping {
        mislead += counting.count { predictions.clean[$0] == source && found[$0] == target }
        fromSource += counting.count
      }
    }
    metrics.attackSuccessRate = share(hits, counted)
    metrics.targetedMisclassification = share(mislead, fromSource)
    metrics.robustAccuracy = share(robust, counted)
    metrics.cleanTargetRate = share(mistaken, counted)
    if allAreTriggered { metrics.poisonAccuracy = share(correctPoison, labels.count * triggers.count) }
    metrics.triggeredCount = counted
    return metrics
  }
}

func share(_ part: Int, _ whole: Int) -> Double? { whole == 0 ? nil : Double(part) / Double(whole) }

extension Tensor {
  /// Of N x K numbers, how many rows hold one that is NaN or infinite.
  public var rowsNotFinite: Int { noGrad { Int((.!isFinite()).to(.int64).max(1).values.sum().array(Int64.self)[0]) } }
}
