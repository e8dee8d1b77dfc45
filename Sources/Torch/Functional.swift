import CTorch

/// Stateless neural network operations, as `torch.nn.functional`. Images are N x C x H x W.
public enum F {
  public enum Reduction: Int32, Sendable {
    case none = 0
    case mean = 1
    case sum = 2
  }
  public enum Interpolation: Int32, Sendable, Codable {
    case nearest = 0
    case bilinear = 1
    case bicubic = 2
  }

  public static func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    made(ct_linear(x.handle, weight.handle, bias?.handle), "linear", [x, weight])
  }
  public static func conv2d(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, groups: Int = 1
  ) -> Tensor {
    made(
      ct_conv2d(x.handle, weight.handle, bias?.handle, Int64(stride), Int64(padding), Int64(groups)), "conv2d",
      [x, weight])
  }
  /// The gradient of the weight of `conv2d`, Cout x Cin / groups x `height` x `width`, for one of its output. It records
  /// nothing.
  public static func conv2dWeightGradient(
    _ x: Tensor, output gradient: Tensor, height: Int, width: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1
  ) -> Tensor {
    made(
      ct_conv2d_weight_gradient(
        x.handle, gradient.handle, Int64(height), Int64(width), Int64(stride), Int64(padding), Int64(groups)),
      "conv2dWeightGradient", [x, gradient])
  }
  public static func convTranspose2d(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0
  ) -> Tensor {
    made(
      ct_conv_transpose2d(
        x.handle, weight.handle, bias?.handle, Int64(stride), Int64(padding), Int64(outputPadding)),
      "convTranspose2d", [x, weight])
  }
  /// With `training`, normalises by the batch and moves the running statistics by `momentum`; else normalises by them.
  public static func batchNorm(
    _ x: Tensor, mean: Tensor?, variance: Tensor?, weight: Tensor?, bias: Tensor?, training: Bool,
    momentum: Double = 0.1,
    eps: Double = 1e-5
  ) -> Tensor {
    made(
      ct_batch_norm(x.handle, weight?.handle, bias?.handle, mean?.handle, variance?.handle, training, momentum, eps),
      "batchNorm", [x])
  }
  public static func groupNorm(_ x: Tensor, groups: Int, weight: Tensor?, bias: Tensor?, eps: Double = 1e-5) -> Tensor {
    made(ct_group_norm(x.handle, Int64(groups), weight?.handle, bias?.handle, eps), "groupNorm", [x])
  }
  public static func layerNorm(_ x: Tensor, shape: Shape, weight: Tensor?, bias: Tensor?, eps: Double = 1e-5) -> Tensor
  {
    made(shape.withSizes { ct_layer_norm(x.handle, $0, $1, weight?.handle, bias?.handle, eps) }, "layerNorm", [x])
  }
  public static func maxPool2d(_ x: Tensor, kernel: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
    made(ct_max_pool2d(x.handle, Int64(kernel), Int64(stride ?? kernel), Int64(padding)), "maxPool2d", [x])
  }
  public static func avgPool2d(_ x: Tensor, kernel: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
    made(ct_avg_pool2d(x.handle, Int64(kernel), Int64(stride ?? kernel), Int64(padding)), "avgPool2d", [x])
  }
  public static func adaptiveAvgPool2d(_ x: Tensor, _ height: Int, _ width: Int) -> Tensor {
    made(ct_adaptive_avg_pool2d(x.handle, Int64(height), Int64(width)), "adaptiveAvgPool2d", [x])
  }
  public static func leakyReLU(_ x: Tensor, slope: Double = 0.01) -> Tensor {
    made(ct_leaky_relu(x.handle, slope), "leakyReLU", [x])
  }
  public static func gelu(_ x: Tensor) -> Tensor { made(ct_gelu(x.handle), "gelu", [x]) }
  /// x sigmoid(x).
  public static func silu(_ x: Tensor) -> Tensor { made(ct_silu(x.handle), "silu", [x]) }
  /// softmax(q k^T / sqrt(d)) v. Can be differentiated twice.
  /// - Parameters: queries, keys and values, N x heads x T x d each.
  public static func scaledDotProductAttention(_ q: Tensor, _ k: Tensor, _ v: Tensor) -> Tensor {
    made(ct_scaled_dot_product_attention(q.handle, k.handle, v.handle), "scaledDotProductAttention", [q, k, v])
  }
  public static func softmax(_ x: Tensor, _ dim: Int = -1) -> Tensor {
    made(ct_softmax(x.handle, Int64(dim)), "softmax", [x])
  }
  public static func logSoftmax(_ x: Tensor, _ dim: Int = -1) -> Tensor {
    made(ct_log_softmax(x.handle, Int64(dim)), "logSoftmax", [x])
  }
  /// Sets each element to 0 with probability `p` and scales the rest by 1/(1-p).
  public static func dropout(_ x: Tensor, p: Double, generator: Generator) -> Tensor {
    guard p > 0 else { return x }
    let keep = noGrad { (generator.uniform(x.shape) .>= p).to(x.dtype) * (p < 1 ? 1 / (1 - p) : 0) }
    return x * keep
  }

  /// Cross entropy of logits (N x K). Targets are int64 classes (N) or probabilities (N x K).
  public static func crossEntropy(
    _ logits: Tensor, _ target: Tensor, weight: Tensor? = nil, reduction: Reduction = .mean, labelSmoothing: Double = 0
  ) -> Tensor {
    made(
      ct_cross_entropy(logits.handle, target.handle, weight?.handle, reduction.rawValue, labelSmoothing),
      "crossEntropy",
      [logits, target])
  }
  public static func mseLoss(_ x: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor {
    made(ct_mse_loss(x.handle, target.handle, reduction.rawValue), "mseLoss", [x, target])
  }
  public static func binaryCrossEntropyWithLogits(_ x: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor
  {
    made(ct_bce_with_logits(x.handle, target.handle, reduction.rawValue), "binaryCrossEntropyWithLogits", [x, target])
  }
  /// Jensen-Shannon divergence of each row of two N x K probability tensors, natural logarithm, in [0, log 2].
  /// Probabilities below `floor` count as `floor`.
  public static func jsDivergence(_ p: Tensor, _ q: Tensor, floor: Double = 1e-8) -> Tensor {
    let p = p.clamped(min: floor)
    let q = q.clamped(min: floor)
    let m = ((p + q) / 2).log()
    return (p * (p.log() - m) + q * (q.log() - m)).sum([1]) / 2
  }

  /// Resizes images. `antialias` filters before shrinking, as Pillow does.
  public static func interpolate(
    _ x: Tensor, height: Int, width: Int, mode: Interpolation = .bilinear, alignCorners: Bool = false,
    antialias: Bool = false
  ) -> Tensor {
    made(
      ct_interpolate(x.handle, Int64(height), Int64(width), mode.rawValue, alignCorners, antialias), "interpolate", [x])
  }
  /// Samples images at a grid (N x H' x W' x 2 of x, y in [-1, 1]); outside the image there are zeros.
  public static func gridSample(
    _ x: Tensor, _ grid: Tensor, mode: Interpolation = .bilinear, alignCorners: Bool = false
  ) -> Tensor {
    // grid_sampler numbers its modes differently: 0 bilinear, 1 nearest, 2 bicubic.
    let number: Int32 = mode == .bilinear ? 0 : mode == .nearest ? 1 : 2
    return made(ct_grid_sample(x.handle, grid.handle, number, alignCorners), "gridSample", [x, grid])
  }
  /// The sampling grid of affine maps `theta` (N x 2 x 3) for images of the given N x C x H x W shape.
  public static func affineGrid(_ theta: Tensor, _ shape: Shape, alignCorners: Bool = false) -> Tensor {
    made(shape.withSizes { ct_affine_grid(theta.handle, $0, $1, alignCorners) }, "affineGrid", [theta])
  }
}
