// Blind (Bagdasaryan, Shmatikov, Blind Backdoors in Deep Learning Models, USENIX Security 2021): the attacker changes the
// code that computes the loss, and sees neither data nor model. For each batch:
//
//   l_main = CE(f(x), y),   l_trigger = CE(f(mu(x)), eta(y)),   l = a_0 l_main + a_1 l_trigger
//
// The weights are those of the multiple gradient descent algorithm (MGDA, Desideri 2012): of a_0 + a_1 = 1 the ones that
// make |a_0 g_0 + a_1 g_1| least, g_i = gradient of l_i / (min(l_i |gradient of l_i|, 10) + 1e-5) (their code's "loss+").
// In closed form for two losses
//
//   a_0 = (g_1 - g_0) . g_1 / |g_1 - g_0|^2,  but .999 where g_0 . g_1 >= |g_0|^2, and .001 where g_0 . g_1 >= |g_1|^2
//
// mu is their code's pattern of nine pixels at row 3, column 23. Both losses see the classifier one after the other, each
// with statistics of its own, as there; `statistics=joint` is one pass. Left out: the threshold of the loss above which
// the attack waits, and the terms that evade a known defense; the authors' own CIFAR-10 run has neither.

public import Backdoor
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct Blind: TrainingAttack {
  public static let id = "blind"
  public static let summary = "A changed loss: triggered images beside clean ones in each step, weighted by MGDA."
  public static let paper = "Bagdasaryan and Shmatikov 2021, Blind Backdoors (USENIX Security, arXiv:2005.03823)"

  public enum Balance: String, Codable, Sendable, CaseIterable {
    case mgda
    case fixed
  }
  /// What each gradient is divided by before MGDA.
  public enum Normalizer: String, Codable, Sendable, CaseIterable {
    case lossTimesNorm = "loss+"
    case loss
    case norm = "l2"
    case none
  }

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var share = 1.0
    public var balance = Balance.mgda
    public var normalizer = Normalizer.lossTimesNorm
    public var weight = 0.5
    public var row = 3
    public var column = 23
    public var statistics = BatchStatistics.separate
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("decided here, of the poisoned set alone: .1") + [
        Setting(
          "share", "Share of each batch that is learned with the trigger as well.", unit: "fraction", range: 0...1,
          source: "authors' code: 1"),
        Setting(
          "balance", "How the two losses are weighted.", choices: Balance.allCases.map(\.rawValue),
          source: "Bagdasaryan and Shmatikov: mgda"),
        Setting(
          "normalizer", "What each gradient is divided by before MGDA.", choices: Normalizer.allCases.map(\.rawValue),
          source: "authors' code: loss+"),
        Setting(
          "weight", "Of the triggered loss, where the balance is fixed.", range: 0...1, source: "decided here: .5"),
        Setting("row", "First row of the pattern.", unit: "pixels", range: 0...100_000, source: "authors' code: 3"),
        Setting(
          "column", "First column of the pattern.", unit: "pixels", range: 0...100_000, source: "authors' code: 23"),
        BatchStatistics.setting("authors' code: separate"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor] {
    try context.checkBatch("attack.share", configuration.share, least: 2)
    let trigger = try pattern(for: context.train.shape)
    let recipe = context.recipe
    try Trainer(recipe, stage: "attack-train").train(model, on: context.train, context: context.training) { batch in
      step(model, trigger, batch.images, batch.labels, smoothing: recipe.labelSmoothing, context.training)
    }
    return [:]
  }

  /// One step's loss and gradients.
  /// - Parameters:
  ///   - images: B x C x H x W in [0, 1]; labels: int64 B.
  func step(
    _ model: Classifier, _ trigger: Patch, _ images: Tensor, _ labels: Tensor, smoothing: Double,
    _ training: TrainingContext
  ) -> BatchLoss {
    let count = BatchShares.count(configuration.share, of: labels.count, least: 2)
    let triggered = trigger(images[0..<count], Generator(seed: 0)).contiguous(.channelsLast)
    let targets = configuration.labelMapping.targets(of: labels[0..<count], classes: model.classes)
    let parameters = model.parameters()
    func part(_ logits: Tensor, _ labels: Tensor, retainGraph: Bool = false) -> (loss: Tensor, gradients: [Tensor]) {
      let loss = training.compute { F.crossEntropy(logits, labels, labelSmoothing: smoothing) }
      return (loss.detach(), gradients(of: [loss], at: parameters, retainGraph: retainGraph))
    }
    let logits = configuration.statistics.logits(model, images, triggered, training)
    // In one pass both losses share a graph.
    let main = part(logits.clean, labels, retainGraph: configuration.statistics == .joint)
    let backdoor = part(logits.triggered, targets)
    return noGrad {
      let weight = mainWeight(main, backdoor)
      let combined = zip(main.gradients, backdoor.gradients).map { $0 * weight + $1 * (1 - weight) }
      return BatchLoss(
        main.loss * weight + backdoor.loss * (1 - weight),
        parts: ["main": main.loss, "triggered": backdoor.loss, "mainWeight": Tensor(weight)], gradients: combined
      )
    }
  }

  /// a_0.
  private func mainWeight(
    _ main: (loss: Tensor, gradients: [Tensor]), _ backdoor: (loss: Tensor, gradients: [Tensor])
  ) -> Double {
    guard configuration.balance == .mgda else { return 1 - configuration.weight }
    func product(_ a: [Tensor], _ b: [Tensor]) -> Tensor {
      Tensor.stacked(zip(a, b).map { ($0 * $1).sum().to(.float64) }).sum()
    }
    let (a, b) = (main.gradients, backdoor.gradients)
    // Read at once: each reading waits for the device.
    let read = Tensor.stacked([
      product(a, a), product(a, b), product(b, b), main.loss.to(.float64), backdoor.loss.to(.float64),
    ]).array(Double.self)
    func scale(_ loss: Double, _ square: Double) -> Double {
      switch configuration.normalizer {
      case .lossTimesNorm: min(loss * square.squareRoot(), 10) + 1e-5
      case .loss: min(loss, 10) + 1e-5
      case .norm: square.squareRoot() + 1e-5
      case .none: 1 + 1e-5
      }
    }
    let (first, second) = (scale(read[3], read[0]), scale(read[4], read[2]))
    return Self.leastNorm(read[0] / (first * first), read[1] / (first * second), read[2] / (second * second))
  }

  /// The weight of the first of two vectors in their combination of least norm.
  /// - Parameters: the products of the first with itself, of both, and of the second with itself.
  static func leastNorm(_ first: Double, _ both: Double, _ second: Double) -> Double {
    if both >= first { return 0.999 }
    if both >= second { return 0.001 }
    return (second - both) / (first + second - 2 * both)
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    [BackdoorTask(name: "nine pixels", trigger: try pattern(for: shape), mapping: configuration.labelMapping)]
  }

  /// Five rows of three pixels: white (1), black (0) or left as they are.
  private static let rows: [[Int?]] = [[1, 0, 1], [nil, 1, nil], [nil, nil, 0], [nil, 1, nil], [1, 0, 1]]

  func pattern(for shape: ImageShape) throws(BackdoorError) -> Patch {
    let (row, column, side) = (configuration.row, configuration.column, Self.rows.count)
    let width = Self.rows[0].count
    guard row + side <= shape.height, column + width <= shape.width else {
      throw .invalid(
        "attack.row \(row), attack.column \(column): a pattern of \(side)x\(width) pixels ends outside of images of "
          + "\(shape.height)x\(shape.width). Choose other places.")
    }
    let cells = Self.rows.flatMap { $0 + [Int?](repeating: nil, count: side - $0.count) }
    let plane = cells.map { UInt8(($0 ?? 0) * 255) }
    return Patch(
      row: row, column: column, side: side, mask: cells.map { $0 != nil },
      values: [[UInt8]](repeating: plane, count: shape.channels).flatMap { $0 }, channels: shape.channels)
  }
}
