// Neural Cleanse, NC (Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor
// Attacks in Neural Networks, IEEE S&P 2019). For each class, the smallest trigger that sends clean images there is
// searched (section IV-B, equation 3): mask m and pattern p with x' = (1 - m) x + m p minimise cross entropy plus
// cost |m|_1. A class whose mask is much smaller than the others' is the target of a backdoor (IV-C). The model then
// unlearns: it is fine-tuned on clean images, some of which carry the trigger and their true labels (VI-C).
//
// From the authors' code: tanh for mask and pattern, which start uniform; Adam .1 (.5, .9); the cost begins at 0 until
// the trigger has worked in 5 epochs, is then 1e-3, doubles after 5 epochs of success and falls by 2^1.5 after 5 without;
// success is .99; batches of 32, up to 1,000 epochs, early stop after 25 epochs without a smaller mask. All classes are
// searched together. A class whose trigger never works keeps its last one.
//
// The verdict. The published rule calls a model backdoored whose smallest mask has an anomaly index above 2. With norms
// of clean models independent and normal, that is a third of all clean models with 10 classes, 64% with 43, 88% with
// 100 (of log-normal norms 13, 9 and 7%). Here the index is compared with simulated clean models of as many classes:
// the p-value is the share of them that reaches it, and a model is suspicious if that is at most `falseAlarms`.
//
// The index is that of the norms' logarithms, and clean models have log-normal norms (decided here): an index of 3.9
// at 10 classes, 3.5 from 43 on. The published index cannot exceed median / (1.4826 MAD), 1.3 on a BadNets model whose
// target has 4 pixels and whose other classes have 35 to 227. Norms are positive and their spread is one of factors.
// In simulation, with logarithms of deviation .4 and a target a tenth of the median, the logarithms' index finds 85%
// of 10-class models at 5% false alarms, the norms' index 10% under the normal null and 31% under the log-normal one.
// If norms were normal, with a deviation of .2 (.3) of their mean, 12% (19%) of clean 10-class models and 30% (53%) of
// 43-class models would be called suspicious: `index: norms` is for those who know them to be. `rule: published` is the
// rule of the paper. All count the small side alone. A model that is not suspicious comes back as it was.

public import Backdoor
import Files
public import Support
import Torch
import TorchNN
import Training
import Vision

public struct NeuralCleanse: Defense {
  public static let id = "nc"
  public static let summary = "Searches a small trigger for each class, judges the model by it, and unlearns it."
  public static let paper = "Wang et al. 2019, Neural Cleanse (IEEE S&P)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  /// When a model is suspicious.
  public enum Rule: String, Codable, Sendable, CaseIterable {
    /// Few clean models reach its index.
    case calibrated
    /// The index of its norms exceeds `threshold`.
    case published
  }

  /// What the calibrated rule takes the index of.
  public enum Scale: String, Codable, Sendable, CaseIterable {
    /// The norms' logarithms; clean models have log-normal norms.
    case logarithms
    /// The norms, as published; `null` says how clean models' are distributed.
    case norms
  }

  public static let presets = [
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/nc/cifar10.yaml",
      [
        "epochs": 80, "batch": 256, "zeroStart": false, "stopThreshold": 0.99, "success": 0.98, "rule": "published",
        "unlearning": ["epochs": 100],
      ])
  ]

  public struct Configuration: Configurable {
    public var epochs = 1000
    public var batch = 32
    public var learningRate = 0.1
    public var initialCost = 1e-3
    public var zeroStart = true
    public var multiplier = 2.0
    public var patience = 5
    public var success = 0.99
    public var stopPatience = 25
    public var stopThreshold = 1.0
    public var together = 16
    public var rule = Rule.calibrated
    public var falseAlarms = 0.05
    public var index = Scale.logarithms
    public var null = AnomalyIndex.Null.normal
    public var simulations = 20_000
    public var threshold = 2.0
    public var stamped = 0.2
    public var unlearning = {
      var settings = FineTuning.Configuration()
      settings.epochs = 1
      return settings
    }()
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "epochs", "Passes over the clean images in the search, at most.", unit: "epochs", range: 0...100_000,
        source: "authors' code: 1,000; benchmarks: 80"),
      Setting("batch", "Images in one step of the search.", unit: "images", range: 1...65_536, source: "authors' code"),
      Setting("learningRate", "Adam's learning rate of the search.", range: 0...100, source: "authors' code"),
      Setting("initialCost", "First weight of the mask's norm.", range: 0...1000, source: "authors' code"),
      Setting(
        "zeroStart", "Begin without weight until the trigger has worked.", source: "authors' code: on; benchmarks: off"),
      Setting(
        "multiplier", "Factor of the weight's rises; it falls by its power 1.5.", range: 1...100,
        source: "authors' code"),
      Setting(
        "patience", "Epochs of success, or of failure, before the weight changes.", unit: "epochs", range: 1...10_000,
        source: "authors' code"),
      Setting(
        "success", "Share of the images that the trigger has to mislead.", unit: "fraction", range: 0...1,
        source: "paper, section IV-B: 99%"),
      Setting(
        "stopPatience",
        "Epochs without a smaller mask after which a class is finished, once its trigger worked and its weight has risen and "
          + "fallen.", unit: "epochs",
        range: 1...100_000, source: "authors' code: 25"),
      Setting(
        "stopThreshold", "Share of the smallest norm so far that a mask must be under to count as smaller.",
        unit: "fraction", range: 0...1, source: "authors' code: 1; benchmarks: .99"),
      Setting(
        "together", "Classes in one forward pass: speed and memory alone.", unit: "classes", range: 1...100_000,
        source: "decided here"),
      Setting(
        "rule", "Compare the index with clean models of as many classes, or with a number.",
        choices: Rule.allCases.map(\.rawValue), source: "decided here; paper, section IV-C: published"),
      Setting(
        "falseAlarms", "Of the calibrated rule: share of clean models that may be called suspicious.",
        unit: "fraction", range: 0...1, source: "decided here"),
      Setting(
        "index", "Of the calibrated rule: the anomaly index of the norms' logarithms or of the norms.",
        choices: Scale.allCases.map(\.rawValue), source: "decided here; paper, section IV-C: norms"),
      Setting(
        "null", "Of the norms' index: how the norms of a clean model's classes are distributed.",
        choices: AnomalyIndex.Null.allCases.map(\.rawValue), source: "decided here; paper, section IV-C: normal"),
      Setting(
        "simulations", "Of the calibrated rule: clean models that are simulated.", unit: "models",
        range: 100...10_000_000, source: "decided here"),
      Setting(
        "threshold", "Of the published rule: an index above it is suspicious.", range: 0...1000,
        source: "paper, section IV-C: 2"),
      Setting(
        "stamped", "Share of the clean images that carry the trigger in unlearning.", unit: "fraction", range: 0...1,
        source: "paper, section VI-C: 20%"),
      Setting(
        "unlearning", "Fine-tuning of a suspicious model.", source: "paper, section VI-C: 1 epoch; benchmarks: 100",
        nested: FineTuning.Configuration.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    // Each image of the search passes once for each class. What a suspicious model has to unlearn is not known before.
    let images = Double(configuration.epochs * size.clean)
    return [PlannedWork(TriggerSearch.stage, images: images, cost: Double(size.classes))]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    let clean = try input.cleanSplit().to(context.device)
    let model = try input.model().copied()
    try AnomalyIndex.check(classes: model.classes, for: Self.id)
    guard Set(clean.labelArray()).count > 1 else {
      throw DefenseError.invalid("defense nc: all clean images are of one class. Give it images of several.")
    }
    model.to(context.device).to(.channelsLast).eval()
    let search = TriggerSearch(
      rule: c.costRule, epochs: c.epochs, batch: c.batch, learningRate: c.learningRate, together: c.together)
    let found = try search.run(model, clean, context)
    let judgement = judge(found.map(\.norm))
    guard let smallest = judgement.order.first else { return DefenseOutcome(model: model) }
    var verdict = judgement.verdict
    verdict.trigger = found[smallest].trigger
    let name = model.classNames?[smallest] ?? clean.classNames[smallest]
    context.progress.message(
      "nc: \(verdict.isSuspicious ? "suspicious" : "not suspicious"): \(verdict.statistic) "
        + "\(formatRounded(verdict.value)) of class \(name) (mask of \(formatRounded(found[smallest].norm)) pixels"
        + "\(found[smallest].worked ? "" : ", which does not work")); "
        + "\(formatPercent(verdict.pValue, digits: 2)) of clean models reach it if \(verdict.null); suspicious from "
        + "\(formatRounded(verdict.threshold)) on")
    let exhibit = exhibit(clean, found[smallest].trigger, name)
    if verdict.isSuspicious {
      let triggers = judgement.flagged.map { found[$0].trigger }
      try unlearn(model, clean, triggers, input)
    } else {
      context.progress.message("nc: the model is returned as it was")
    }
    return DefenseOutcome(model: model, exhibits: [exhibit], verdict: verdict)
  }

  /// The verdict on these L1 norms of the classes' masks, the classes that are flagged, and all classes, smallest norm
  /// first.
  func judge(_ norms: [Double]) -> (verdict: ModelVerdict, flagged: [Int], order: [Int]) {
    let c = configuration
    let logarithms = c.rule == .calibrated && c.index == .logarithms
    let indices = logarithms ? AnomalyIndex.logarithmicIndices(of: norms) : AnomalyIndex.indices(of: norms)
    let order = norms.indices.sorted { (norms[$0], $0) < (norms[$1], $1) }
    let largest = indices[order[0]]
    let clean = AnomalyIndex.Simulation(
      classes: norms.count, null: logarithms ? .normal : c.null, models: c.simulations)
    let threshold = c.rule == .published ? c.threshold.nextUp : clean.index(reachedBy: c.falseAlarms)
    let pValue = clean.share(reaching: largest)
    let flagged = order.filter { indices[$0] >= threshold }
    let null = logarithms ? AnomalyIndex.Null.logNormal : c.null
    return (
      ModelVerdict(
        isSuspicious: largest >= threshold,
        statistic: logarithms ? "anomaly index of the logarithms" : "anomaly index", value: largest,
        threshold: threshold, pValue: pValue,
        null: "norms of \(norms.count) classes are independent and \(null.rawValue)", label: order[0],
        classScores: ("L1 norm of the mask, in pixels", norms)),
      flagged, order
    )
  }

  /// Fine-tunes on the clean images, some of which carry triggers.
  private func unlearn(
    _ model: Classifier, _ clean: ImageDataset, _ triggers: [ReconstructedTrigger], _ input: DefenseInput
  ) throws {
    let data = stamped(clean, triggers, input.seed)
    try Trainer(configuration.unlearning.recipe, stage: Self.id).train(model, on: data, context: input.training)
  }

  /// The images and their labels, `configuration.stamped` of the images, drawn once, with one of the triggers in turn.
  func stamped(_ clean: ImageDataset, _ triggers: [ReconstructedTrigger], _ seed: Seed) -> ImageDataset {
    let chosen = clean.sample(configuration.stamped, seed: seed, stream: "nc/stamped")
    let images = clean.images.clone()
    for (place, position) in chosen.enumerated() {
      let stamped = triggers[place % triggers.count].stamp(clean.pixels(position..<(position + 1)))
      images[position].copy_(stamped[0].quantized())
    }
    return ImageDataset(name: clean.name, images: images, labels: clean.labels, classNames: clean.classNames)
  }

  private func exhibit(_ clean: ImageDataset, _ trigger: ReconstructedTrigger, _ name: String) -> Exhibit {
    let few = clean.prefix(8)
    let pixels = few.pixels(0..<few.count)
    return Exhibit(
      title: "Trigger found for class \(name)", images: few.images,
      perturbations: noGrad { trigger.stamp(pixels) - pixels }.contiguous(), labels: few.labelArray())
  }
}

extension NeuralCleanse.Configuration {
  var costRule: CostSchedule.Rule {
    var rule = CostSchedule.Rule()
    (rule.initial, rule.zeroStart, rule.patience, rule.multiplier) = (initialCost, zeroStart, patience, multiplier)
    (rule.success, rule.stopPatience, rule.stopThreshold) = (success, stopPatience, stopThreshold)
    return rule
  }
}
