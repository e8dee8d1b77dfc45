public import Torch
public import TorchNN

/// What a classifier finds on its way to the logits, all from one forward pass.
public struct Features {
  /// Outputs of the residual stages (or the blocks that take their place), from the input on: N x C x H x W each.
  public var stages: [Tensor]
  /// The activations that the last linear layer reads: N x D.
  public var penultimate: Tensor

  public init(stages: [Tensor], penultimate: Tensor) {
    self.stages = stages
    self.penultimate = penultimate
  }
}

/// An image classifier that takes pixels in [0, 1]: the normaliser is its first layer and stays out of the state dict,
/// so that keys equal those of the PyTorch original.
open class Classifier: Module, Layer {
  /// Classes that the last layer tells apart.
  public let classes: Int
  /// How to build this architecture again; a model without it cannot be copied or described in files.
  public var spec: ModelSpec?
  /// The names of the classes in the order of the logits, where they are known. They travel with model files.
  public var classNames: [String]?
  /// What is done to images before the normaliser, as a guard; nil is nothing. It travels with model files.
  public var shrinkPad: ShrinkPad?
  private let mean: [Float]
  private let deviation: [Float]
  private var constants: Constant?
  private var factors: Constant?

  public init(classes: Int, normalization: Normalization) {
    self.classes = classes
    mean = normalization.mean
    deviation = normalization.standardDeviation
  }

  /// Everything before the last linear layer, on normalised images. Subclasses override it.
  open func features(normalized x: Tensor) -> Features {
    fatalError("\(type(of: self)) must override features(normalized:)")
  }
  /// A new model built with the arguments of this one, whose weights do not matter. By its `spec`; subclasses with
  /// arguments that a spec does not hold override it.
  /// - Throws: `ModelFileError` without a `spec`.
  open func rebuilt() throws -> Classifier {
    guard let spec else {
      throw ModelFileError(
        description: "\(type(of: self)) has no ModelSpec, so it cannot be copied. Set `spec` in its initialiser, or "
          + "override `rebuilt`.")
    }
    return try spec.make(Generator(seed: 0))
  }
  /// The last linear layer: N x D to N x K logits. Subclasses override it.
  open func logits(_ penultimate: Tensor) -> Tensor { fatalError("\(type(of: self)) must override logits(_:)") }

  /// Puts group normalisation in the place of batch normalisation, in all layers. The model's file says so.
  public func normalizeGroups(_ groups: Int) {
    for case let norm as BatchNorm2d in modules().map(\.module) { norm.groups = groups }
    spec?.shape.groups = groups
  }

  /// Logits (N x K, float32) of pixel images (N x C x H x W, [0, 1]).
  public final func callAsFunction(_ pixels: Tensor) -> Tensor { logits(features(pixels).penultimate).to(.float32) }
  /// Stage outputs and penultimate activations of pixel images.
  public final func features(_ pixels: Tensor) -> Features {
    features(normalized: normalize(shrinkPad.map { $0(pixels) } ?? pixels))
  }
  /// Logits with the features that they came from, in one pass.
  public final func logitsAndFeatures(_ pixels: Tensor) -> (logits: Tensor, features: Features) {
    let features = features(pixels)
    return (logits(features.penultimate).to(.float32), features)
  }

  /// `(x - mean) / std` as one multiplication and one addition.
  private func normalize(_ pixels: Tensor) -> Tensor {
    guard !mean.isEmpty else { return pixels }
    let (scale, shift) = scaleAndShift(on: pixels.device)
    return pixels * scale + shift
  }
  private func scaleAndShift(on device: Device) -> (Tensor, Tensor) {
    if let factors, let constants, factors.value.device == device { return (factors.value, constants.value) }
    let shape = [1, mean.count, 1, 1]
    let scale = Tensor(deviation.map { 1 / $0 }, shape: shape).to(device)
    let shift = Tensor(zip(mean, deviation).map { -$0 / $1 }, shape: shape).to(device)
    factors = Constant(scale)
    constants = Constant(shift)
    return (scale, shift)
  }
}

/// Channel means and standard deviations of a data set's pixels in [0, 1]; empty means none.
public struct Normalization: Sendable, Codable, Hashable {
  public var mean: [Float]
  public var standardDeviation: [Float]

  public init(mean: [Float], standardDeviation: [Float]) {
    require(mean.count == standardDeviation.count, "as many means as standard deviations")
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  public static let none = Normalization(mean: [], standardDeviation: [])
  /// The values that most benchmark code uses.
  public static let cifar10 = Normalization(mean: [0.4914, 0.4822, 0.4465], standardDeviation: [0.247, 0.243, 0.261])
  public static let cifar100 = Normalization(
    mean: [0.5071, 0.4865, 0.4409], standardDeviation: [0.2673, 0.2564, 0.2762])
  public static let tinyImageNet = Normalization(
    mean: [0.4802, 0.4481, 0.3975], standardDeviation: [0.2302, 0.2265, 0.2262])
  public static let imageNet = Normalization(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])
  public static let mnist = Normalization(mean: [0.5], standardDeviation: [0.5])
  public static let half = Normalization(mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5])
}
