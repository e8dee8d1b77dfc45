// MESA, the max-entropy staircase approximator (Qiao, Yang, Li: Defending Neural Backdoors via Generative Distribution
// Modeling, NeurIPS 2019, arXiv:1910.04749): not one trigger is reconstructed, but the distribution of all that work. For
// thresholds beta_1 < ... < beta_n, generators G_i make small triggers from noise,
//
//   G_i = arg min  E_z[ max(0, beta_i - F(G_i(z))) ] - alpha h(G_i)
//
// F the probability of the class with the trigger at a random place of a clean image, h the triggers' entropy. Of G(z)
// that is the mutual information with z but for a constant; MINE (Belghazi et al. 2018) bounds it from below, by a network
// that learns along with G. The distribution is the mixture of all G_i, weighted by exp(h). The model unlearns it: it is
// fine-tuned on clean images, some of which carry triggers drawn from it and their true labels.
//
// From the authors' code: noise in [0, 1]^64, triggers of 3 x 3 pixels, alpha .1, MINE, the hinge of each image; the
// backdoor's class is found by making triggers for every class. Decided here, for few images on a CPU: thresholds .5, .7
// and .9; networks of two hidden layers of 64; Adam 1e-3, batches of 64, 20 passes over the clean images; fine-tuning as
// `ft` for 10 epochs, half of each batch with triggers. The class is found with the highest threshold alone, and the
// others follow for the classes that are found.
//
// The authors' code has other numbers (the preset `authors`) and another form, which is not here: generators of three
// hidden layers with BatchNorm and a part of the noise at each, noise of deviation .1 on the triggers of the search, one
// place for a whole batch, the two networks in turns with Adam's first beta .5, and MINE's corrected gradient.
//
// The verdict: of each class the share of other classes' clean images that its triggers mislead, as log odds. The anomaly
// index of a class is that of its log odds among all classes (median, 1.4826 MAD), 0 where the triggers mislead less than
// `works` of the images: a trigger that does not work is none. Clean models have independent normal log odds; the index is
// compared with simulated ones as Neural Cleanse's is.

public import Backdoor
import Files
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

public struct MaxEntropyStaircase: Defense {
  public static let id = "mesa"
  public static let summary = "Learns each class's distribution of small triggers, judges by it, and unlearns it."
  public static let paper = "Qiao et al. 2019, MESA: Defending Neural Backdoors via Generative Modeling (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public static let presets = [
    SettingsPreset(
      "authors", "the authors' code, main.py, CIFAR-10; its numbers, not the form of its networks",
      [
        "thresholds": [0.5, 0.8, 0.9], "width": 512, "epochs": 10, "batch": 128, "learningRate": 2e-4, "stamped": 0.01,
        "unlearning": ["batch": 128, "learningRate": 1e-3, "weightDecay": 0, "crop": 0, "flip": false],
      ])
  ]

  public struct Configuration: Configurable {
    public var thresholds = [0.5, 0.7, 0.9]
    public var alpha = 0.1
    public var size = 3
    public var noise = 64
    public var width = 64
    public var epochs = 20
    public var batch = 64
    public var learningRate = 1e-3
    public var together = 16
    public var works = 0.5
    public var falseAlarms = 0.05
    public var simulations = 20_000
    public var stamped = 0.5
    public var unlearning = {
      var settings = FineTuning.Configuration()
      settings.epochs = 10
      return settings
    }()
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "thresholds", "Probabilities of the class that triggers have to reach, one generator each.", unit: "fraction",
        range: 0...1, source: "decided here; authors' code: .5, .8, .9"),
      Setting("alpha", "Weight of the triggers' entropy.", range: 0...1000, source: "authors' code: .1"),
      Setting("size", "Side of a trigger.", unit: "pixels", range: 1...1024, source: "authors' code: 3"),
      Setting("noise", "Numbers that a trigger is made from.", range: 1...65_536, source: "authors' code: 64"),
      Setting(
        "width", "Features of the networks' hidden layers.", unit: "features", range: 1...65_536,
        source: "decided here; authors' code: 512"),
      Setting(
        "epochs", "Passes over the clean images.", unit: "epochs", range: 0...100_000,
        source: "decided here; authors' code: 10"),
      Setting(
        "batch", "Images in one step.", unit: "images", range: 1...65_536, source: "decided here; authors' code: 128"),
      Setting(
        "learningRate", "Adam's, for generators and statistics networks.", range: 0...100,
        source: "decided here; authors' code: 2e-4"),
      Setting(
        "together", "Generators in one forward pass: speed and memory alone.", unit: "generators", range: 1...100_000,
        source: "decided here"),
      Setting(
        "works", "Share of other classes' images that triggers have to mislead.", unit: "fraction", range: 0...1,
        source: "decided here"),
      Setting(
        "falseAlarms", "Share of clean models that may be called suspicious.", unit: "fraction", range: 0...1,
        source: "decided here"),
      Setting(
        "simulations", "Clean models that are simulated.", unit: "models", range: 100...10_000_000,
        source: "decided here"),
      Setting(
        "stamped", "Share of each batch that carries triggers in unlearning.", unit: "fraction", range: 0...1,
        source: "decided here; authors' code: .01"),
      Setting(
        "unlearning", "Fine-tuning of a suspicious model.",
        source: "decided here; authors' code: 10 epochs of SGD 1e-3",
        nested: FineTuning.Configuration.self
      ),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    // As of Neural Cleanse.
    let images = Double(configuration.epochs * size.clean)
    return [PlannedWork("mesa-search", images: images, cost: Double(size.classes))]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    let clean = try input.cleanSplit().to(context.device)
    let model = try input.model().copied()
    try check(model, clean)
    model.to(context.device).to(.channelsLast).eval()

    let highest = c.thresholds.max() ?? 1
    let found = try Staircase(configuration: c, stage: "mesa-search").run(
      (0..<model.classes).map { Staircase.Step(label: $0, threshold: highest) }, model, clean, context)
    let rates = found.map { success(of: $0, model, clean, context) }
    let (verdict, flagged) = judge(rates.map(\.share), counts: rates.map(\.count))
    let label = flagged.first ?? verdict.label ?? 0
    let name = model.classNames?[label] ?? clean.classNames[label]
    context.progress.message(
      "mesa: \(verdict.isSuspicious ? "suspicious" : "not suspicious"): triggers for class \(name) mislead "
        + "\(formatPercent(rates[label].share)) of the other classes' images; \(verdict.statistic) "
        + "\(formatRounded(verdict.value)), which \(formatPercent(verdict.pValue)) of clean models reach; suspicious from "
        + "\(formatRounded(verdict.threshold)) on")
    let exhibit = exhibit(clean, found[label].triggers, name, context)
    guard verdict.isSuspicious else {
      context.progress.message("mesa: the model is returned as it was")
      return DefenseOutcome(model: model, exhibits: [exhibit], verdict: verdict)
    }
    let others = flagged.flatMap { label in
      c.thresholds.filter { $0 != highest }.map { Staircase.Step(label: label, threshold: $0) }
    }
    let lower = try Staircase(configuration: c, stage: "mesa-levels").run(others, model, clean, context)
    try unlearn(model, clean, flagged.map { found[$0] } + lower, context)
    return DefenseOutcome(model: model, exhibits: [exhibit], verdict: verdict)
  }

  private func check(_ model: Classifier, _ clean: ImageDataset) throws {
    let c = configuration
    try AnomalyIndex.check(classes: model.classes, for: Self.id)
    guard Set(clean.labelArray()).count > 1 else {
      throw DefenseError.invalid("defense mesa: all clean images are of one class. Give it images of several.")
    }
    guard !c.thresholds.isEmpty, Set(c.thresholds).count == c.thresholds.count else {
      throw DefenseError.invalid("defense.thresholds: name at least one threshold, and each once.")
    }
    guard c.size <= min(clean.height, clean.width) else {
      throw DefenseError.invalid(
        "defense.size \(c.size): a trigger does not fit images of \(clean.height)x\(clean.width) pixels.")
    }
  }

  /// The share of the other classes' images that triggers of a class mislead, each with one of its own.
  private func success(
    of found: Staircase.Found, _ model: Classifier, _ clean: ImageDataset, _ context: TrainingContext
  ) -> (share: Double, count: Int) {
    let labels = clean.labelArray()
    let others = clean.subset(labels.indices.filter { labels[$0] != found.step.label })
    let random = context.generator("mesa/success", found.step.label)
    var hits: [Tensor] = []
    for range in Batches(count: others.count, size: Batches.evaluationSize).ranges {
      let images = stamped(others.pixels(range), [found], random)
      let predicted = noGrad { context.compute { model(images) }.argmax(1) }
      hits.append(noGrad { (predicted .== Double(found.step.label)).to(.int64).sum() })
    }
    return (Double(noGrad { Tensor.stacked(hits).sum().intItem() }) / Double(others.count), others.count)
  }

  /// The verdict on these shares of misled images, and the classes that are flagged, the most misled first.
  func judge(_ shares: [Double], counts: [Int]) -> (verdict: ModelVerdict, flagged: [Int]) {
    let c = configuration
    // Half an image more on either side: no share is 0 or 1.
    let odds = zip(shares, counts).map { share, count in
      let hits = share * Double(count)
      return -log((hits + 0.5) / (Double(count) - hits + 0.5))
    }
    let indices = zip(AnomalyIndex.indices(of: odds), shares).map { $1 >= c.works ? max($0, 0) : 0 }
    let order = shares.indices.sorted { (-shares[$0], $0) < (-shares[$1], $1) }
    let clean = AnomalyIndex.Simulation(classes: shares.count, null: .normal, models: c.simulations)
    let threshold = clean.index(reachedBy: c.falseAlarms)
    let largest = indices.max() ?? 0
    return (
      ModelVerdict(
        isSuspicious: largest >= threshold, statistic: "anomaly index of the log odds", value: largest,
        threshold: threshold, pValue: clean.share(reaching: largest),
        null: "log odds of \(shares.count) classes are independent and normal", label: order[0],
        classScores: ("share of other classes' images that its triggers mislead", shares)),
      order.filter { largest >= threshold && indices[$0] >= threshold }
    )
  }

  /// Pixel images with triggers of the mixture at random places. Generators of a class have weights exp(information);
  /// classes share the images evenly.
  func stamped(_ pixels: Tensor, _ mixture: [Staircase.Found], _ random: Generator) -> Tensor {
    noGrad {
      let (count, side) = (pixels.dimension(0), configuration.size)
      let weights = Self.weights(mixture.map { ($0.step.label, $0.information) })
      let noise = random.uniform([count, configuration.noise]).to(pixels.device)
      let picks = Self.picks(random.uniform([count]).to(pixels.device), weights)
      let places = PlacedTriggers.draw(
        count, side: side, height: pixels.dimension(2), width: pixels.dimension(3), random)
      let made = Tensor.stacked(mixture.map { $0.triggers.triggers(noise) })
      let chosen = made.indexed([picks, Tensor.arange(count, device: pixels.device)])
      return PlacedTriggers.stamp(
        chosen.reshaped(count, pixels.dimension(1), side, side), on: pixels, rows: places.rows.to(pixels.device),
        columns: places.columns.to(pixels.device)
      ).contiguous(.channelsLast)
    }
  }

  /// How often each generator is drawn, where those of a class add up to 1.
  static func weights(_ generators: [(label: Int, information: Double)]) -> [Double] {
    generators.map { own in
      let largest = generators.filter { $0.label == own.label }.map(\.information).max() ?? 0
      let whole = generators.filter { $0.label == own.label }.reduce(0) { $0 + exp($1.information - largest) }
      return exp(own.information - largest) / whole
    }
  }

  /// The positions that numbers in [0, 1) fall on, where each position has a part of the line as long as its weight.
  /// - Parameter numbers: floating point, N.
  /// - Returns: int64, N.
  static func picks(_ numbers: Tensor, _ weights: [Double]) -> Tensor {
    let total = weights.reduce(0, +)
    var sum = 0.0
    let starts = weights.dropLast().map { weight in
      sum += weight
      return sum / total
    }
    let bounds = Tensor(starts).to(numbers.device)
    return (numbers.to(.float64).unsqueezed(1) .>= bounds.unsqueezed(0)).to(.int64).sum([1])
  }

  /// Images of a batch that carry triggers, at least one.
  func stampedCount(of batch: Int) -> Int {
    configuration.stamped > 0 ? max(1, Int((configuration.stamped * Double(batch)).rounded())) : 0
  }

  private func unlearn(
    _ model: Classifier, _ clean: ImageDataset, _ mixture: [Staircase.Found], _ context: TrainingContext
  ) throws {
    let recipe = configuration.unlearning.recipe
    try Trainer(recipe, stage: Self.id).train(model, on: clean, context: context) { batch in
      let count = stampedCount(of: batch.labels.count)
      let triggered = stamped(batch.images[0..<count], mixture, batch.generator("triggers"))
      let images = Tensor.concatenated([triggered, batch.images[count..<batch.labels.count]])
      return recipe.crossEntropy(model, batch, images: images.contiguous(.channelsLast), context: context)
    }
  }

  private func exhibit(
    _ clean: ImageDataset, _ triggers: TriggerDistribution, _ name: String, _ context: TrainingContext
  ) -> Exhibit {
    let few = clean.prefix(8)
    let pixels = few.pixels(0..<few.count)
    let found = Staircase.Found(step: .init(label: 0, threshold: 0), triggers: triggers, information: 0)
    let images = stamped(pixels, [found], context.generator("mesa/exhibit"))
    return Exhibit(
      title: "Triggers drawn for class \(name)", images: few.images,
      perturbations: noGrad { images - pixels }.contiguous(), labels: few.labelArray())
  }
}
