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
  /// How the file that it was read from is laid out, where that is not Antidote's own way: `save` writes the same.
  public var layout: ModelLayout?
  /// What is done to pixels before the network sees them. It travels with model files.
  public var normalization: Normalization {
    didSet {
      spec?.shape.normalization = normalization
      (constants, factors) = (nil, nil)
    }
  }
  private var constants: Constant?
  private var factors: Constant?

  public init(classes: Int, normalization: Normalization) {
    self.classes = classes
    self.normalization = normalization
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

  /// `(x - mean) / std` as one multiplication and one addition, then the order of channels.
  private func normalize(_ pixels: Tensor) -> Tensor {
    var x = pixels
    if !normalization.mean.isEmpty {
      let (scale, shift) = scaleAndShift(on: pixels.device)
      x = pixels * scale + shift
    }
    return normalization.channelOrder == .bgr ? x.flipped(1) : x
  }
  private func scaleAndShift(on device: Device) -> (Tensor, Tensor) {
    if let factors, let constants, factors.value.device == device { return (factors.value, constants.value) }
    let mean = normalization.mean, deviation = normalization.standardDeviation
    let shape = [1, mean.count, 1, 1]
    let scale = Tensor(deviation.map { 1 / $0 }, shape: shape).to(device)
    let shift = Tensor(zip(mean, deviation).map { -$0 / $1 }, shape: shape).to(device)
    factors = Constant(scale)
    constants = Constant(shift)
    return (scale, shift)
  }
}
