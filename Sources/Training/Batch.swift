public import Torch
public import Vision

/// One step's images and labels, as `Trainer` hands them to a method.
public final class Batch {
  /// Positions of the images in the training set, int64 B.
  public let indices: Tensor
  /// int64 B.
  public let labels: Tensor
  /// From 0.
  public let epoch: Int
  /// Augmented pixels, float32 B x C x H x W in [0, 1], channels_last.
  ///
  /// Made at the first use: a method that learns from features, which it computed before, does without them.
  public private(set) lazy var images = augmentation.gather(images: source, indices: indices, generator("augment"))

  private let source: Tensor
  private let augmentation: CropFlip
  private let streams: EpochStreams

  init(_ indices: Tensor, of data: ImageDataset, augmentation: CropFlip, streams: EpochStreams) {
    self.indices = indices
    labels = data.labels[indices]
    epoch = streams.epoch
    source = data.images
    self.augmentation = augmentation
    self.streams = streams
  }

  /// A random stream of the epoch by its name, for the method's own draws; the epoch's batches draw from it one after
  /// another. `shuffle` and `augment` are taken.
  public func generator(_ name: String) -> Generator { streams[name] }
}

/// What a step learns.
public struct BatchLoss {
  /// The loss to make smaller, a float32 scalar.
  public let value: Tensor
  /// Rows of the batch that the step learns from (int64), where the method chose them; nil means all.
  public let rows: Tensor?
  /// Further scalars to report beside the loss, means over the batch.
  public let parts: KeyValuePairs<String, Tensor>
  /// The gradients to step along, one for each of the optimizer's parameters, for a method that computes them itself;
  /// nil takes those of `value`.
  public let gradients: [Tensor]?

  public init(
    _ value: Tensor, rows: Tensor? = nil, parts: KeyValuePairs<String, Tensor> = [:], gradients: [Tensor]? = nil
  ) {
    self.value = value
    self.rows = rows
    self.parts = parts
    self.gradients = gradients
  }
}

/// The random streams of one epoch, each begun once.
final class EpochStreams {
  let epoch: Int
  private let prefix: String
  private let context: TrainingContext
  private var begun: [String: Generator] = [:]

  init(_ prefix: String, epoch: Int, context: TrainingContext) {
    self.prefix = prefix
    self.epoch = epoch
    self.context = context
  }

  subscript(_ name: String) -> Generator {
    if let generator = begun[name] { return generator }
    let generator = context.generator("\(prefix)/\(name)", epoch)
    begun[name] = generator
    return generator
  }
}
