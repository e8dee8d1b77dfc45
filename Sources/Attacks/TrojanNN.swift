// TrojanNN (Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang, Trojaning Attack on Neural Networks, NDSS 2018): a patch that excites
// one neuron of a trained network far beyond what images do, so that little has to be learned to tie it to the target.
//
//   neuron   the one of the penultimate layer whose weights in the next layer have the largest sum of |w|
//   trigger  x <- x - step d (v - f_n(x))^2 / dx * M  on a gray image with noise, M the patch   (algorithm 1)
//   poison   images of the training set under the patch, with the target's label
//
// until the neuron n reaches the value v or the steps are over; the best x is kept. The paper takes the network from its
// owner and retrains it, on images that it makes up, since it has none. This attacker poisons data: it trains a network
// of its own for the trigger, and the defender's learns from the poisoned set [decided here; the benchmarks do the same].
//
// The published patch is a square of 7% of the image, 70% transparent, in the lower right. As in the authors' code, the
// length of a step does not depend on the gradient's: the patch's values change by so much on average; the image begins
// as noise of deviation 8/255 around 175/255; the patch keeps a distance of 20/224 of the image's side to the edges, so
// that small crops leave it whole. Their smoothing of the patch between steps (total variation) is left out. The value v
// is not stated for all networks (107 in the paper's example, from 0): here it is 10 times the largest activation that
// training images cause [decided here].

public import Backdoor
import Files
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

public struct TrojanNN: Attack {
  public static let id = "trojannn"
  public static let summary = "A patch optimised to excite a neuron of the attacker's network."
  public static let paper = "Liu et al. 2018, Trojaning Attack on Neural Networks (NDSS)"
  public static let learns = true

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var area = 0.07
    public var opacity = 0.3
    public var place = BadNets.Place.bottomRight
    public var margin: Int? = nil
    public var neurons = 1
    public var gain = 10.0
    public var steps = 970
    public var step = 4.0 / 255
    public var surrogate = Recipe()
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("benchmarks: .1") + [
        Setting(
          "area", "Share of the image that the square patch covers.", unit: "fraction", range: 0...1,
          source: "Liu et al.: .07"),
        Setting(
          "opacity", "Weight of the patch on images, in training and at test time.", unit: "fraction", range: 0...1,
          source: "Liu et al.: 70% transparent; 0, 30 and 50% too"),
        Setting(
          "place", "Where the patch sits.", choices: BadNets.Place.allCases.map(\.rawValue),
          source: "Liu et al.: lower right"),
        Setting(
          "margin", "Distance of the patch from the image's edge; null for 20/224 of the shorter side.", unit: "pixels",
          range: 0...1024, source: "authors' code: 20 at 224 x 224"),
        Setting(
          "neurons", "Neurons that the patch excites together.", unit: "neurons", range: 1...65_536,
          source: "Liu et al.: 1"),
        Setting(
          "gain", "Value that they are to reach, as a multiple of their largest activation on training images.",
          range: 0...1e6, source: "decided here: 10"),
        Setting("steps", "Steps at most.", unit: "steps", range: 0...1_000_000, source: "authors' code: 970"),
        Setting(
          "step", "Mean change of the patch's values in the first step; it falls to 0 along a line.",
          unit: "pixels in [0,1]", range: 0...1, source: "authors' code: 1/255 to 11/255 over the whole image"),
        Setting("surrogate", "How the attacker's network is trained.", nested: Recipe.self),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  private static let (triggerKey, neuronsKey, valuesKey) = ("trigger", "neurons", "activations")

  /// Where the patch sits.
  struct Square: Equatable {
    let row: Int
    let column: Int
    let side: Int
  }

  /// - Throws: `BackdoorError` where it does not fit.
  func square(in shape: ImageShape, seed: Seed) throws -> Square {
    let c = configuration
    let side = max(1, Int((c.area * Double(shape.height * shape.width)).squareRoot()))
    let margin = c.margin ?? Int((Double(min(shape.height, shape.width)) * 20 / 224).rounded())
    guard side + margin <= min(shape.height, shape.width) else {
      throw BackdoorError.invalid(
        "attack.area \(c.area): a patch of side \(side) at a distance of \(margin) from the edge does not fit images of "
          + "\(shape.height)x\(shape.width) pixels. Lower attack.area or attack.margin.")
    }
    if c.place == .random { try BadNets.checkDrawnPlace(side: side, margin: margin, in: shape) }
    var random = seed.generator("trojannn/place")
    let (row, column) = c.place.origin(side: side, margin: margin, in: shape) { random.integer(below: $0) }
    return Square(row: row, column: column, side: side)
  }

  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    _ = try square(in: train.shape, seed: seed)
    try checkSources(in: train, mapping: configuration.labelMapping, seed: seed)
  }

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    try checkLearning(on: context.train, seed: context.seed)
    let square = try square(in: data.shape, seed: context.seed)
    try Self.check(neurons: c.neurons, inputs: context.makeModel("init").featureCount(for: data))
    let model = try context.surrogate(c.surrogate, for: Self.id)
    let activations = model.penultimateFeatures(of: data, context: training)
    let neurons = try Self.neurons(of: model, inputs: activations.dimension(1), count: c.neurons)
    let largest = noGrad { activations.indexed([nil, neurons]).max([0]).to(.float32) }
    // Some networks end without ReLU: upwards from a negative value, too.
    let target = noGrad { largest + largest.abs() * (c.gain - 1) }

    let noise = Generator(seed: context.seed("trojannn/start"))
    let start = ((noise.normal([1, data.channels, data.height, data.width]) * 8 + 175) / 255).clamped(0, 1)
    let found = try search(
      model, from: start.to(training.device), square, neurons, target: target, training)
    let (rows, columns) = (square.row..<(square.row + square.side), square.column..<(square.column + square.side))
    return [
      Self.triggerKey: found.image[0].narrowed(1, rows).narrowed(2, columns).to(.cpu).contiguous(),
      Self.neuronsKey: neurons.to(.cpu),
      Self.valuesKey: Tensor.stacked([largest, found.activations]).to(.cpu).contiguous(),
    ]
  }

  /// Before a network is trained, too.
  private static func check(neurons count: Int, inputs: Int) throws(BackdoorError) {
    guard count <= inputs else {
      throw .invalid("attack.neurons \(count): the network's last layer has \(inputs) inputs. Lower it.")
    }
  }

  /// The inputs of the last linear layer whose weights have the largest sums of |w|, int64, the largest first.
  static func neurons(of model: Classifier, inputs: Int, count: Int) throws -> Tensor {
    try check(neurons: count, inputs: inputs)
    return noGrad {
      // The layer is linear: what it makes of unit vectors, less what it makes of nothing, is its weight.
      let unit = Tensor.eye(inputs, device: model.device)
      let weights = model.logits(unit) - model.logits(unit * 0)
      return weights.to(.float32).abs().sum([1]).argsort(0, descending: true)[0..<count]
    }
  }

  /// Algorithm 1.
  /// - Parameters:
  ///   - start: 1 x C x H x W in [0, 1].
  ///   - target: what each neuron is to reach.
  /// - Returns: the image of the least cost, and the neurons' activations there.
  func search(
    _ model: Classifier, from start: Tensor, _ square: Square, _ neurons: Tensor, target: Tensor,
    _ training: TrainingContext
  ) throws -> (image: Tensor, activations: Tensor) {
    let (c, stage) = (configuration, "attack-trigger")
    let mask = Tensor.zeros(start.shape, device: start.device)
    let (rows, columns) = (square.row..<(square.row + square.side), square.column..<(square.column + square.side))
    mask.narrowed(2, rows).narrowed(3, columns).fill_(1)
    let area = mask.sum()
    var image = start
    var best = (cost: Double.infinity, image: start, activations: target)
    training.progress.begin(StageTitle.title(of: stage), total: c.steps, unit: "steps")
    for number in 0...c.steps {
      try Interruption.check()
      let (loss, activations, slope) = Self.costAndSlope(model, image, neurons, target: target)
      let inside = noGrad { slope * mask }
      // One wait for the device in a step.
      let numbers = noGrad {
        let isReached = (activations .>= target).all()
        return Tensor.stacked([loss, inside.abs().sum() / area, isReached.to(.float32)]).array(Float.self).map(
          Double.init)
      }
      let (cost, mean, isReached) = (numbers[0], numbers[1], numbers[2] == 1)
      if cost < best.cost { best = (cost, image, activations) }
      guard cost.isFinite, mean.isFinite else {
        throw BackdoorError.invalid(
          "\(Self.id): the neurons' activations are not finite after \(number) steps. The attacker's network or its "
            + "gain is too large: train it with a smaller attack.surrogate.learningRate, or lower attack.gain.")
      }
      if number == c.steps || isReached { break }
      // No way leads on where the neuron is off and nothing at the patch turns it on.
      if mean == 0 {
        training.progress.message("\(stage): nothing at the patch moves the neurons any more, after \(number) steps")
        break
      }
      image = noGrad {
        let length = c.step * (1 - Double(number) / Double(c.steps))
        return (image - inside * (length / mean)).clamped(0, 1)
      }
      training.progress.update(done: number + 1, note: "")
    }
    let reached = best.activations.array(Float.self).map { formatRounded(Double($0)) }.joined(separator: ", ")
    training.progress.end(summary: "the neurons reach \(reached)")
    return (best.image, best.activations)
  }

  /// The sum of (v - f_n)^2 over the neurons (float32, shape []), their activations, and the gradient with respect to
  /// the image.
  static func costAndSlope(_ model: Classifier, _ image: Tensor, _ neurons: Tensor, target: Tensor) -> (
    cost: Tensor, activations: Tensor, slope: Tensor
  ) {
    model.withFrozenParameters {
      withGrad {
        let x = image.detach().contiguous(.channelsLast).requiresGrad_()
        let activations = model.features(x).penultimate.to(.float32)[0][neurons]
        let cost = (target - activations).square().sum()
        return (cost.detach(), activations.detach(), gradient(of: cost, at: x).contiguous())
      }
    }
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    for key in [Self.triggerKey, Self.neuronsKey] where learned[key] == nil {
      throw BackdoorError.notLearned(attack: Self.id, key: key)
    }
    let square = try square(in: shape, seed: seed)
    guard let pattern = learned[Self.triggerKey], let neurons = learned[Self.neuronsKey], neurons.dtype == .int64,
      pattern.dtype == .float32, pattern.shape == [shape.channels, square.side, square.side]
    else {
      throw BackdoorError.invalid(
        "\(Self.id): the trigger \(learned[Self.triggerKey]?.summary ?? "") does not fit images \(shape).")
    }
    let patch = CornerPatches.One(row: square.row, column: square.column, pixels: pattern.array(Float.self))
    return [
      BackdoorTask(
        name: Self.name(neurons),
        trigger: CornerPatches(
          patches: [patch], opacities: [configuration.opacity], side: square.side, shape: shape, showsAll: true),
        mapping: configuration.labelMapping)
    ]
  }

  public func summary(learned: [String: Tensor]) -> String {
    let carried = "carry a \(Self.name(learned[Self.neuronsKey]))"
    guard let values = learned[Self.valuesKey], values.shape == [2, configuration.neurons] else { return carried }
    func text(_ row: Int) -> String {
      values[row].array(Float.self).map { formatRounded(Double($0)) }.joined(separator: ", ")
    }
    return carried + ", which it takes to \(text(1)) on gray; training images reach \(text(0))"
  }

  private static func name(_ neurons: Tensor?) -> String {
    "patch for neuron \((neurons?.array(Int64.self) ?? []).map(String.init).joined(separator: ", "))"
  }
}
