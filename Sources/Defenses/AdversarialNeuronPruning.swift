// Adversarial Neuron Pruning, ANP (Wu, Wang: Adversarial Neuron Pruning Purifies Backdoored Deep Models, NeurIPS 2021),
// section 4.2 and algorithm 1: neurons of a backdoor are those whose perturbation misleads soonest. Each channel of each
// BatchNorm gets a mask m in [0, 1] on its scale. In each step the scales and shifts are perturbed relatively, by at most
// epsilon, so that the loss on clean images grows: scale (m + delta), shift (1 + xi). The masks then descend
// alpha L(m) + (1 - alpha) L(m, delta, xi), and are clipped. In the end channels whose mask is at most the threshold get
// the scale 0.
//
// From the authors' code: batches of 128 drawn with replacement, augmented; statistics of the batch; the noise starts
// uniform in its range; sign steps of epsilon / steps; only the scale is pruned, the shift stays. Where paper and code
// differ, the paper is the default: the noise is kept inside +-epsilon (`project`; the code lets it grow to twice that).
// The threshold is a constant; choosing it by the attack's success on test data, as published scripts do, is not offered.

public import Backdoor
import Files
public import Support
package import Torch
package import TorchNN
package import Training
package import Vision

public struct AdversarialNeuronPruning: Defense {
  public static let id = "anp"
  public static let summary = "Prunes channels that are sensitive to perturbations of their BatchNorm."
  public static let paper = "Wu and Wang 2021, Adversarial Neuron Pruning (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public static let presets = [
    // The benchmark chooses its threshold by test data, which is not offered.
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/anp/config.yaml, without its threshold, chosen by test data",
      ["batch": 256, "learningRate": 0.01, "project": false])
  ]

  public struct Configuration: Configurable {
    public var iterations = 2000
    public var batch = 128
    public var learningRate = 0.2
    public var momentum = 0.9
    public var epsilon = 0.4
    public var steps = 1
    public var project = true
    public var alpha = 0.2
    public var threshold = 0.2
    public var batchStatistics = true
    public var crop = 4
    public var flip = true
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "iterations", "Steps of the masks.", unit: "steps", range: 0...10_000_000, source: "authors' code: 2,000"),
      Setting("batch", "Images in one step.", unit: "images", range: 2...65_536, source: "authors' code: 128"),
      Setting(
        "learningRate", "SGD's learning rate of the masks.", range: 0...100,
        source: "authors' code: .2; benchmarks: .01"),
      Setting("momentum", "SGD's momentum of the masks.", range: 0...0.9999, source: "authors' code: .9"),
      Setting(
        "epsilon", "Largest relative perturbation of scales and shifts.", unit: "fraction", range: 0...10,
        source: "authors' code: .4"),
      Setting(
        "steps", "Ascent steps of the perturbation, each of epsilon / steps.", unit: "steps", range: 0...1000,
        source: "authors' code: 1"),
      Setting(
        "project", "Keep the perturbation within epsilon; off, it may reach twice that.",
        source: "paper, equation 3; authors' code: off"),
      Setting(
        "alpha", "Weight of the unperturbed loss beside the perturbed one.", unit: "fraction", range: 0...1,
        source: "authors' code: .2"),
      Setting(
        "threshold", "Channels whose mask is at most this are pruned.", unit: "mask value", range: 0...1,
        source: "BackdoorBench's constant, by Wei et al. 2023, C.2, who take .4"),
      Setting(
        "batchStatistics", "Normalise by the batch while the masks learn; off, by the running statistics.",
        source: "authors' code: on"),
      Setting(
        "crop", "Zero padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64,
        source: "authors' code"),
      Setting("flip", "Random horizontal flip.", source: "authors' code"),
    ]
  }

  /// Steps between two checkpoints.
  static let roundSize = 100

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    [PlannedWork(Self.id, images: Double(configuration.iterations * configuration.batch), cost: 2)]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    let clean = try input.cleanSplit().to(context.device)
    let (result, working) = (try input.model().copied(), try input.model().copied())
    for model in [result, working] { model.to(context.device).to(.channelsLast).eval() }
    let layers = try BatchNormLayers.require(working, by: Self.id, for: "masks on its scales")
    let perturbed = MaskedBatchNorms(layers)
    // The masks alone learn.
    working.requiresGrad(false)
    let masks = NeuronMasks(layers)
    let optimizer = SGD(masks.parameters(), learningRate: c.learningRate, momentum: c.momentum)
    let rounds = (c.iterations + Self.roundSize - 1) / Self.roundSize
    let loop = EpochLoop(
      stage: Self.id, epochs: rounds, imagesPerEpoch: min(c.iterations, Self.roundSize) * c.batch, context: context,
      isMeasured: false)
    let augmentation = CropFlip(padding: c.crop, flip: c.flip)
    try loop.run(model: masks, optimizer: optimizer) { round, meter in
      working.train(c.batchStatistics).reseedDropout(context.seed("anp/dropout", round))
      let draws = context.generator("anp/draw", round)
      let (augment, noise) = (context.generator("anp/augment", round), context.generator("anp/noise", round))
      for _ in 0..<min(Self.roundSize, c.iterations - round * Self.roundSize) {
        let rows = draws.integers(0..<clean.count, [c.batch])
        let images = augmentation.gather(images: clean.images, indices: rows, augment)
        let losses = losses(
          of: working, perturbed, masks: masks.parameters(), images: images, labels: clean.labels[rows],
          noise: perturbed.noise(c.epsilon, noise), context: context)
        optimizer.step(minimizing: losses.total)
        noGrad { for mask in masks.parameters() { mask.clamp_(0, 1) } }
        try meter.step(
          images: c.batch, ["loss": losses.total, "naturalLoss": losses.natural, "robustLoss": losses.robust])
      }
    }
    prune(result, by: masks, context)
    return DefenseOutcome(model: result)
  }

  /// The perturbation of `noise` by its ascent, and the losses of the masks.
  package func losses(
    of model: Classifier, _ perturbed: MaskedBatchNorms, masks: [Tensor], images: Tensor, labels: Tensor,
    noise start: [Tensor], context: TrainingContext
  ) -> (total: Tensor, natural: Tensor, robust: Tensor) {
    let c = configuration
    func loss(_ noise: [Tensor]?, _ masks: [Tensor]) -> Tensor {
      perturbed.set(masks: masks, noise: noise)
      return context.compute { F.crossEntropy(model(images), labels) }
    }
    var noise = start
    for _ in 0..<(c.epsilon > 0 ? c.steps : 0) {
      noise = noise.map { $0.detach().requiresGrad_() }
      let up = gradients(of: loss(noise, masks.map { $0.detach() }), at: noise)
      noise = noGrad {
        zip(noise, up).map {
          let moved = $0.detach() + $1.sign() * (c.epsilon / Double(c.steps))
          return c.project ? moved.clamped(-c.epsilon, c.epsilon) : moved
        }
      }
    }
    let robust = c.epsilon > 0 ? loss(noise, masks) : Tensor(0, device: images.device)
    let natural = loss(nil, masks)
    return (natural * c.alpha + robust * (1 - c.alpha), natural, robust)
  }

  private func prune(_ model: Classifier, by masks: NeuronMasks, _ context: TrainingContext) {
    let layers = model.modules().compactMap { $0.module as? BatchNorm2d }
    let all = layers.reduce(0) { $0 + $1.weight.count }
    let pruned = noGrad {
      zip(layers, masks.parameters()).reduce(0) { sum, pair in
        let gone = pair.1 .<= configuration.threshold
        pair.0.weight.copy_(pair.0.weight.filled(where: gone, with: 0))
        return sum + gone.to(.int64).sum().intItem()
      }
    }
    context.progress.message(
      "anp: pruned \(pruned) of \(all) channels, those with a mask of \(configuration.threshold) or less")
  }
}

/// One mask for each BatchNorm, which starts at 1.
package final class NeuronMasks: Module {
  final class Mask: Module {
    @Parameter var mask: Tensor
    init(_ layer: BatchNorm2d) { mask = Tensor.ones(like: layer.weight.detach()) }
  }
  let layers: [Mask]
  package init(_ layers: [BatchNorm2d]) { self.layers = layers.map(Mask.init) }
}

/// BatchNorm layers of a model that computes with other scales and shifts than it has learned.
package struct MaskedBatchNorms {
  private let layers: [BatchNorm2d]
  private let weights: [Tensor]
  private let biases: [Tensor]

  package init(_ layers: [BatchNorm2d]) {
    self.layers = layers
    weights = layers.map { $0.weight.detach().clone() }
    biases = layers.map { $0.bias.detach().clone() }
  }

  /// Scales become w (m + delta) and shifts b (1 + xi).
  /// - Parameter noise: delta and xi of each layer in turn; nil for none.
  func set(masks: [Tensor], noise: [Tensor]?) {
    for (index, layer) in layers.enumerated() {
      let delta = noise.map { masks[index] + $0[2 * index] } ?? masks[index]
      layer.weight = weights[index] * delta
      layer.bias = noise.map { biases[index] * (1 + $0[2 * index + 1]) } ?? biases[index]
    }
  }

  /// Uniform in +-epsilon: delta and xi of each layer in turn.
  package func noise(_ epsilon: Double, _ generator: Generator) -> [Tensor] {
    weights.flatMap {
      [generator.uniform($0.shape, -epsilon, epsilon), generator.uniform($0.shape, -epsilon, epsilon)]
    }
  }
}
