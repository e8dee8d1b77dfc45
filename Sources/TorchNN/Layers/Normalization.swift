public import Torch

/// Batch normalisation over N, H and W of N x C x H x W; with `groups`, group normalisation of each image by itself.
public final class BatchNorm2d: Module, Layer {
  /// Groups of channels over which an image is normalised, in place of the batch: the same weights, and running
  /// statistics that nothing reads. nil is batch normalisation. Where they do not divide the channels, the largest
  /// number that divides both is taken.
  public var groups: Int?
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor
  @Buffer public var runningMean: Tensor
  @Buffer public var runningVar: Tensor
  @Buffer public var numBatchesTracked: Tensor
  public var momentum: Double
  public var eps: Double

  public init(_ channels: Int, momentum: Double = 0.1, eps: Double = 1e-5) {
    weight = Tensor.ones([channels])
    bias = Tensor.zeros([channels])
    runningMean = Tensor.zeros([channels])
    runningVar = Tensor.ones([channels])
    numBatchesTracked = Tensor.zeros([], dtype: .int64)
    self.momentum = momentum
    self.eps = eps
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    if let groups { return grouped(x, groups) }
    begin(x)
    let y = F.batchNorm(
      x, mean: runningMean, variance: runningVar, weight: weight, bias: bias, training: isTraining, momentum: momentum,
      eps: eps)
    return LayerTrace.noting(self, x, y)
  }

  /// With `relu`, `self(x).relu()` in fewer passes over the memory.
  public func callAsFunction(_ x: Tensor, relu: Bool) -> Tensor {
    guard relu else { return self(x) }
    if let groups { return grouped(x, groups).relu() }
    begin(x)
    let y = F.batchNormReLU(
      x, mean: runningMean, variance: runningVar, weight: weight, bias: bias, training: isTraining, momentum: momentum,
      eps: eps)
    return LayerTrace.noting(self, x, y)
  }

  /// The groups that `groups` amounts to for this layer's channels.
  public static func divisor(_ groups: Int, of channels: Int) -> Int {
    var (a, b) = (max(groups, 1), channels)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
  private func grouped(_ x: Tensor, _ groups: Int) -> Tensor {
    LayerTrace.noting(
      self, x, F.groupNorm(x, groups: Self.divisor(groups, of: weight.count), weight: weight, bias: bias, eps: eps))
  }

  private func begin(_ x: Tensor) {
    guard isTraining else { return }
    // The variance of one value would make the running statistics NaN.
    require(
      x.count > runningMean.count,
      "BatchNorm2d(\(x.summary)): training needs more than one value per channel. Use a larger batch.")
    numBatchesTracked.add_(1)
  }
}

public final class GroupNorm: Module, Layer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor
  public let groups: Int
  public let eps: Double

  public init(groups: Int, _ channels: Int, eps: Double = 1e-5) {
    require(channels % groups == 0, "GroupNorm: \(channels) channels do not split into \(groups) groups")
    weight = Tensor.ones([channels])
    bias = Tensor.zeros([channels])
    self.groups = groups
    self.eps = eps
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    F.groupNorm(x, groups: groups, weight: weight, bias: bias, eps: eps)
  }
}

/// Normalises the last dimensions, whose sizes are `shape`.
public final class LayerNorm: Module, Layer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor
  public let shape: Shape
  public var eps: Double

  public init(_ shape: Shape, eps: Double = 1e-5) {
    weight = Tensor.ones(shape)
    bias = Tensor.zeros(shape)
    self.shape = shape
    self.eps = eps
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    F.layerNorm(x, shape: shape, weight: weight, bias: bias, eps: eps)
  }
}
