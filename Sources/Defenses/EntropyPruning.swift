// Entropy-based pruning, EP (Zheng, Tang, Li, Liu: Pre-activation Distributions Expose Backdoor Neurons, NeurIPS 2022),
// section 4.2: on poisoned training data the pre-activations of a neuron that carries the backdoor are a mixture of two
// distributions, and once they are standardised their entropy is low. For each BatchNorm, the entropy of each channel's
// largest input over the image is estimated by a histogram; channels whose entropy lies more than u standard deviations
// below the mean of their layer are pruned, which sets their scale and shift to zero. It needs no clean data.
//
// From the authors' code: the standard deviation of n - 1, all layers looked at in the unpruned network, in evaluation
// mode, on one batch of 500 images of the training set. Its bins are .01 wide, so narrow that most hold one image or none;
// BackdoorBench's, whose numbers Wei et al. compare with, are .1 wide. Decided here: bins cover the whole range, both ends
// included (both codes leave values on a border and the last bin out); a channel that never varies is neither counted nor
// pruned, since its entropy says nothing.

public import Backdoor
import Files
public import Support
public import Torch
package import TorchNN
package import Training
package import Vision

public struct EntropyPruning: Defense {
  public static let id = "ep"
  public static let summary = "Prunes channels whose pre-activations on the training set have low entropy."
  public static let paper = "Zheng et al. 2022, Pre-activation Distributions Expose Backdoor Neurons (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .poisonedTrain]

  public static let presets = [
    SettingsPreset("authors", "the authors' code, defense.py", ["binWidth": 0.01])
  ]

  public struct Configuration: Configurable {
    public var deviations = 3.0
    public var images = 500
    public var binWidth = 0.1
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "deviations", "Standard deviations that a channel's entropy must lie below its layer's mean to be pruned (u).",
        range: 0...100, source: "authors' code: 3"),
      Setting(
        "images", "Training images that the distributions are estimated on.", unit: "images", range: 2...10_000_000,
        source: "authors' code: one batch of 500; benchmarks: of 256"),
      Setting(
        "binWidth", "Width of the histogram's bins.", unit: "standard deviations", range: 0.001...100,
        source: "benchmarks: .1; authors' code: .01"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let context = input.training
    let train = try input.poisonedTrain()
    let model = try input.model().copied()
    model.to(context.device).to(.channelsLast).eval()
    try BatchNormLayers.require(model, by: Self.id, for: "entropies of its inputs")
    guard train.count >= 2 else {
      throw DefenseError.invalid("ep estimates distributions over the training images, and there is \(train.count).")
    }
    let chosen = train.sample(count: configuration.images, seed: input.seed, stream: "ep/images")
    let sample = train.subset(chosen).to(context.device)
    let maxima = Self.largestInputs(of: model, on: sample, context)
    var (pruned, all) = (0, 0)
    for (layer, values) in maxima {
      let channels = Self.suspicious(
        Self.entropies(values, binWidth: configuration.binWidth), deviations: configuration.deviations)
      noGrad {
        for channel in channels {
          layer.weight[channel].zero_()
          layer.bias[channel].zero_()
        }
      }
      pruned += channels.count
      all += layer.weight.count
    }
    context.progress.message("ep: pruned \(pruned) of \(all) channels, judged on \(chosen.count) training images")
    return DefenseOutcome(model: model)
  }

  /// Of each BatchNorm in the order of the calls, the largest value of each channel over each image: C x N.
  package static func largestInputs(
    of model: Classifier, on data: ImageDataset, _ context: TrainingContext
  ) -> [(layer: BatchNorm2d, values: Tensor)] {
    var layers: [BatchNorm2d] = []
    var values: [ObjectIdentifier: [Tensor]] = [:]
    for range in Batches(count: data.count, size: Batches.evaluationSize).ranges {
      // In float32: bins of a tenth of a deviation are finer than bfloat16 is.
      let pixels = data.pixels(range).contiguous(.channelsLast)
      let trace = noGrad { LayerTrace.recording { _ = model(pixels) }.trace }
      for call in trace.calls {
        guard let layer = call.layer as? BatchNorm2d else { continue }
        if values[ObjectIdentifier(layer)] == nil { layers.append(layer) }
        values[ObjectIdentifier(layer), default: []].append(call.input.to(.float32).max([2, 3]))
      }
    }
    return layers.map { ($0, Tensor.concatenated(values[ObjectIdentifier($0)] ?? []).transposed(0, 1)) }
  }

  /// The entropy in nats of each row's standardised values, by a histogram whose bins begin at the smallest value of all
  /// rows. Rows that do not vary get NaN.
  /// - Parameter values: float C x N.
  public static func entropies(_ values: Tensor, binWidth: Double) -> [Double] {
    noGrad {
      let values = values.to(.float64)
      let deviation = values.standardDeviation([1], keep: true)
      let varies = (deviation .> 0).flattened().array(Bool.self)
      let standard = Tensor.where(
        deviation .> 0, (values - values.mean([1], keep: true)) / deviation, Tensor.zeros(like: values))
      let bins = ((standard - standard.min().item()) / binWidth).floor().to(.int64)
      let (count, rows, size) = (bins.max().intItem() + 1, values.dimension(0), values.dimension(1))
      let places = bins + Tensor.arange(rows, device: values.device).unsqueezed(1) * Double(count)
      let shares =
        places.to(.int64).flattened().bincount(minimumLength: rows * count).reshaped(rows, count).to(.float64)
        / Double(size)
      let terms = Tensor.where(shares .> 0, -shares * shares.clamped(min: 1e-300).log(), Tensor.zeros(like: shares))
      return zip(terms.sum([1]).array(Double.self), varies).map { $1 ? $0 : .nan }
    }
  }

  /// The channels whose entropy lies more than so many standard deviations (n - 1) below the mean.
  public static func suspicious(_ entropies: [Double], deviations: Double) -> [Int] {
    let known = entropies.filter { !$0.isNaN }
    guard known.count > 1 else { return [] }
    let mean = known.reduce(0, +) / Double(known.count)
    let variance = known.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(known.count - 1)
    return entropies.indices.filter { entropies[$0] < mean - deviations * variance.squareRoot() }
  }
}
