// Implicit Backdoor Adversarial Unlearning, I-BAU (Zeng, Chen, Park, Mao, Jin, Jia: Adversarial Unlearning of Backdoors
// via Implicit Hypergradient, ICLR 2022), algorithm 1: the minimax problem min_w max_d L(w, d) over one perturbation d
// for all images. In each round the inner problem is climbed from 0; then each batch takes a step of Adam along the
// hypergradient, which knows that the perturbation depends on the weights.
//
// From the authors' code, where the paper is silent: evaluation mode; the inner problem is one pass of SGD with rate 10
// on -CE(f(x + d), f's own class of x) + .001 |d|^2; the inner map of the hypergradient is a step of .1 on the same loss
// with true labels on the round's first batch; in the outer loss 1% of a batch carry the perturbation; 5 rounds, 5
// fixed-point iterations, batches of 100, Adam 1e-3 (1e-4 in the benchmarks). The batches of a round, shuffled (not in
// their code), are the same for both problems; the benchmarks augment them once for all rounds, which is not here. Nothing is projected or clamped unless `radius` is given (the paper's ball).

public import Backdoor
import Files
public import Support
package import Torch
import TorchNN
package import Training
package import Vision

public struct ImplicitUnlearning: Defense {
  public static let id = "i-bau"
  public static let summary = "Unlearns a perturbation of all images along the hypergradient of a minimax problem."
  public static let paper = "Zeng et al. 2022, Adversarial Unlearning of Backdoors via Implicit Hypergradient (ICLR)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public static let presets = [
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/i-bau/config.yaml",
      ["batch": 256, "learningRate": 1e-4, "amsgrad": true])
  ]

  public struct Configuration: Configurable {
    public var rounds = 5
    public var batch = 100
    public var learningRate = 1e-3
    public var amsgrad = false
    public var iterations = 5
    public var innerRate = 10.0
    public var penalty = 0.001
    public var mapStep = 0.1
    public var portion = 0.01
    public var radius: Double? = nil
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "rounds", "Rounds of perturbing and unlearning.", unit: "rounds", range: 0...100_000, source: "authors' code: 5"
      ),
      Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "authors' code: 100"),
      Setting(
        "learningRate", "Adam's learning rate.", range: 0...100, source: "authors' code: 1e-3; benchmarks: 1e-4"),
      Setting("amsgrad", "Adam with amsgrad.", source: "authors' code: off; benchmarks: on"),
      Setting(
        "iterations", "Fixed-point iterations of the hypergradient.", unit: "iterations", range: 0...10_000,
        source: "authors' code: 5"),
      Setting("innerRate", "SGD's learning rate of the perturbation.", range: 0...100_000, source: "authors' code: 10"),
      Setting(
        "penalty", "Weight of the perturbation's squared L2 norm.", range: 0...1000, source: "authors' code: .001"),
      Setting(
        "mapStep", "Step of the inner map that the hypergradient is computed with.", range: 0...1000,
        source: "authors' code: .1"),
      Setting(
        "portion", "Share of a batch that carries the perturbation in unlearning, at least one image.",
        unit: "fraction", range: 0...1, source: "authors' code: 1%, rounded down"),
      Setting(
        "radius", "Largest L2 norm of the perturbation; empty means no limit.", unit: "pixels in [0,1]",
        range: 0...100_000, source: "authors' code: none"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    [PlannedWork(Self.id, images: Double(configuration.rounds * size.clean), cost: 10)]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    let clean = try input.cleanSplit().to(context.device)
    let model = try input.model().copied()
    model.to(context.device).to(.channelsLast).eval()
    let optimizer = Adam(model.parameters(), learningRate: c.learningRate, amsgrad: c.amsgrad)
    let ranges = Batches(count: clean.count, size: c.batch).ranges
    let loop = EpochLoop(stage: Self.id, epochs: c.rounds, imagesPerEpoch: clean.count, context: context)
    try loop.run(model: model, optimizer: optimizer) { round, meter in
      model.eval()
      let order = context.generator("i-bau/shuffle", round).permutation(clean.count)
      // Pixels of a batch when it is its turn: the clean set stays bytes.
      func pixels(_ range: Range<Int>) -> Tensor { clean.pixels(at: order[range]).contiguous(.channelsLast) }
      let d = model.withFrozenParameters { perturbation(of: model, ranges.lazy.map(pixels), context) }
      let marks = context.generator("i-bau/portion", round)
      let first = (images: pixels(ranges[0]), labels: clean.labels[order[ranges[0]]])
      for range in ranges {
        let (images, labels) = (pixels(range), clean.labels[order[range]])
        let marked = mark(images.dimension(0), marks)
        var loss = Tensor(0)
        let gradients = Hypergradient.compute(
          at: d, weights: model.parameters(), iterations: c.iterations, step: c.mapStep,
          inner: { innerLoss(model, first.images, first.labels, $0, context) },
          outer: { d in
            let outer = context.compute { F.crossEntropy(model(images + marked * d), labels) }
            loss = outer.detach()
            return outer
          })
        optimizer.step(gradients: gradients)
        try meter.step(images: labels.count, ["loss": loss])
      }
    }
    return DefenseOutcome(model: model, exhibits: [exhibit(model, clean, context)])
  }

  /// The loss that the perturbation descends: how well the model still tells these classes, and its size.
  package func innerLoss(
    _ model: Classifier, _ images: Tensor, _ classes: Tensor, _ d: Tensor, _ context: TrainingContext
  ) -> Tensor {
    let entropy = context.compute { F.crossEntropy(model(images + d), classes) }
    return (d * d).sum() * configuration.penalty - entropy
  }

  /// 1 x C x H x W: one pass of descent from 0, a step for each batch.
  package func perturbation(of model: Classifier, _ batches: some Sequence<Tensor>, _ context: TrainingContext)
    -> Tensor
  {
    var d = Tensor(0)
    for (number, images) in batches.enumerated() {
      if number == 0 { d = Tensor.zeros([1] + images.shape.dropFirst(), device: context.device) }
      d = d.detach().requiresGrad_()
      let own = noGrad { context.compute { model(images) }.argmax(1) }
      let down = gradient(of: innerLoss(model, images, own, d, context), at: d)
      d = noGrad { d.detach() - down * configuration.innerRate }
    }
    guard let radius = configuration.radius else { return d }
    return noGrad { d * min(1, radius / max(d.norm().item(), 1e-12)) }
  }

  /// N x 1 x 1 x 1: 1 for the images that carry the perturbation.
  private func mark(_ count: Int, _ generator: Generator) -> Tensor {
    let wanted = configuration.portion > 0 ? max(1, Int(configuration.portion * Double(count))) : 0
    let rows = generator.permutation(count)[0..<wanted]
    return Tensor.zeros([count], device: generator.device).scattered(0, rows, value: 1).reshaped(count, 1, 1, 1)
  }

  /// What the purified model would still be misled by.
  private func exhibit(_ model: Classifier, _ clean: ImageDataset, _ context: TrainingContext) -> Exhibit {
    let few = clean.prefix(8)
    let images = clean.prefix(configuration.batch)
    let d = model.withFrozenParameters {
      perturbation(of: model, [images.pixels(0..<images.count).contiguous(.channelsLast)], context)
    }
    return Exhibit(
      title: "One perturbation for all images", images: few.images,
      perturbations: d.expanded(few.images.shape).contiguous(), labels: few.labelArray())
  }
}
