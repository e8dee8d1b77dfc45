// Fine-Pruning, FP (Liu, Dolan-Gavitt, Garg: Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural
// Networks, RAID 2018), section 3: clean images leave the neurons of a backdoor dormant. The channels of the last
// convolutional stage are pruned in the order of their mean activation on clean images, the least active first, as long
// as the accuracy holds; then the network is fine-tuned on the clean images.
//
// Where the paper is silent: the accuracy is that on clean images held out from the ranking, and pruning stops before it
// falls below (1 - tolerance) of the unpruned one (the tolerance of the benchmarks); the last stage is the one whose
// output the pooled features are made of; a channel is pruned where it is read, so that what the stage itself passes
// between its blocks stays, as in the benchmarks. BackdoorBench measures the accuracy on test data; here test data choose
// nothing.
//
// The pruned weights are zero in the state dict, and every step of fine-tuning keeps them so.

public import Backdoor
import Files
public import Support
package import Torch
import TorchNN
public import Training
public import Vision

public struct FinePruning: Defense {
  public static let id = "fp"
  public static let summary = "Prunes channels that clean images leave dormant, then fine-tunes."
  public static let paper = "Liu et al. 2018, Fine-Pruning (RAID)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public struct Configuration: Configurable {
    public var tolerance = 0.1
    public var step = 0.01
    public var share: Double? = nil
    public var validation = 0.2
    public var finetune = FineTuning.Configuration()
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "tolerance", "Share of the held-out accuracy that pruning may cost.", unit: "fraction", range: 0...1,
        source: "benchmarks: 10%"),
      Setting(
        "step", "Channels pruned between two looks at the accuracy, as a share of the stage's.", unit: "fraction",
        range: 0...0.5, source: "benchmarks: 1%"),
      Setting(
        "share", "Share of the channels to prune whatever the accuracy; empty prunes by the accuracy.",
        unit: "fraction", range: 0...1, source: "decided here"),
      Setting(
        "validation", "Share of the clean images that the accuracy is measured on and the ranking is not made from.",
        unit: "fraction", range: 0...0.9, source: "decided here"),
      Setting("finetune", "Fine-tuning of the pruned network.", nested: FineTuning.Configuration.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    [PlannedWork(Self.id, images: Double(configuration.finetune.epochs * size.clean))]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let context = input.training
    let clean = try input.cleanSplit().to(context.device)
    let model = try input.model().copied()
    model.to(context.device).to(.channelsLast).eval()
    let readers = try ChannelReaders(of: model, images: clean.pixels(0..<min(2, clean.count)))
    let pruned = try prune(model, readers, clean, input)
    try Trainer(configuration.finetune.recipe, stage: Self.id).train(
      model, on: clean, context: context, afterStep: readers.eraser(of: pruned)
    ) { configuration.finetune.recipe.crossEntropy(model, $0, context: context) }
    return DefenseOutcome(model: model)
  }

  /// Zeroes the readers of the channels that go, and says which.
  private func prune(
    _ model: Classifier, _ readers: ChannelReaders, _ clean: ImageDataset, _ input: DefenseInput
  ) throws -> [Int] {
    let (context, c) = (input.training, configuration)
    guard clean.count >= 2 else {
      throw DefenseError.invalid("fp ranks channels on some clean images and measures on others: give it more than 1.")
    }
    let held = clean.sample(
      count: min(max(Int((c.validation * Double(clean.count)).rounded()), 1), clean.count - 1), seed: input.seed,
      stream: "fp/validation")
    let ranked = Self.ranking(of: model, on: clean.subset(clean.complement(of: held)), context)
    if let share = c.share {
      let pruned = Array(ranked.prefix(Int((share * Double(ranked.count)).rounded())))
      readers.eraser(of: pruned)()
      context.progress.message("fp: pruned \(pruned.count) of \(ranked.count) channels of the last stage")
      return pruned
    }
    let accuracy = accuracies(of: model, readers, on: clean.subset(held), context)
    let first = accuracy()
    let size = max(1, Int((c.step * Double(ranked.count)).rounded()))
    let whole = model.stateDict().copied()
    var (count, last) = (0, first)
    while count + size < ranked.count {
      readers.eraser(of: Array(ranked[count..<(count + size)]))()
      let now = accuracy()
      guard now >= (1 - c.tolerance) * first else { break }
      last = now
      count += size
    }
    try model.load(whole)
    readers.eraser(of: Array(ranked.prefix(count)))()
    context.progress.message(
      "fp: pruned \(count) of \(ranked.count) channels of the last stage; accuracy on \(held.count) clean images that "
        + "were held out: \(formatPercent(first)) before, \(formatPercent(last)) after")
    return Array(ranked.prefix(count))
  }

  /// The channels of the last stage, the one of least mean activation first; the lower number first among equals.
  public static func ranking(of model: Classifier, on data: ImageDataset, _ context: TrainingContext) -> [Int] {
    meanActivations(of: model, on: data, context).argsort().array(Int64.self).map(Int.init)
  }

  /// Of each channel of the last stage over images and places, float64.
  package static func meanActivations(of model: Classifier, on data: ImageDataset, _ context: TrainingContext) -> Tensor
  {
    let sums = noGrad {
      Batches(count: data.count, size: Batches.evaluationSize).ranges.map { range -> Tensor in
        let pixels = data.pixels(range).to(context.device).contiguous(.channelsLast)
        let stage = context.compute { model.features(pixels) }.stages.last
        return stage.map { $0.to(.float64).mean([2, 3]).sum([0]) } ?? Tensor.zeros([0], dtype: .float64)
      }
    }
    return Tensor.stacked(sums).sum([0]) / Double(data.count)
  }

  /// A measurement of the model's accuracy as it is when it is called. Where pruning changes the last layer alone, what
  /// that layer reads is computed once.
  private func accuracies(
    of model: Classifier, _ readers: ChannelReaders, on data: ImageDataset, _ context: TrainingContext
  ) -> () -> Double {
    func share(_ logits: Tensor) -> Double {
      (logits.to(.float32).argmax(1) .== data.labels).to(.float64).mean().item()
    }
    guard readers.areHead(of: model, features: model.featureCount(for: data)) else {
      return { share(model.logits(of: data, context: context)) }
    }
    let features = model.penultimateFeatures(of: data, context: context)
    return { noGrad { share(context.compute { model.logits(features) }) } }
  }
}
