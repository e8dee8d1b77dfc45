import CTorch

/// LibTorch's fused and multi-tensor kernels: one call updates a whole list of tensors. `TorchNN`'s optimizers give
/// them meaning.
public enum Fused {
  /// One SGD step, in place (`torch.optim.SGD`). `isFirstStep` lets the momentum buffers start as the gradient.
  public static func sgd(
    _ parameters: [Tensor], gradients: [Tensor], momentumBuffers: [Tensor], learningRate: Double, momentum: Double,
    weightDecay: Double, nesterov: Bool, isFirstStep: Bool
  ) {
    let n = Int64(parameters.count)
    func step(_ buffers: UnsafePointer<CTTensor?>?) -> Int32 {
      ct_fused_sgd_(
        handles(parameters), handles(gradients), buffers, n, weightDecay, momentum, learningRate, nesterov, isFirstStep)
    }
    done(momentumBuffers.isEmpty ? step(nil) : step(handles(momentumBuffers)), "Fused.sgd", parameters)
  }

  /// One Adam or AdamW (`decoupled`) step, in place. `steps` are scalar float32 tensors that hold the number of this
  /// step, from 1.
  public static func adam(
    _ parameters: [Tensor], gradients: [Tensor], averages: [Tensor], squareAverages: [Tensor],
    maxSquareAverages: [Tensor],
    steps: [Tensor], learningRate: Double, beta1: Double, beta2: Double, weightDecay: Double, eps: Double,
    decoupled: Bool
  ) {
    let n = Int64(parameters.count)
    func step(_ maxima: UnsafePointer<CTTensor?>?) -> Int32 {
      ct_fused_adam_(
        handles(parameters), handles(gradients), handles(averages), handles(squareAverages), maxima, handles(steps), n,
        learningRate, beta1, beta2, weightDecay, eps, maxima != nil, decoupled)
    }
    done(maxSquareAverages.isEmpty ? step(nil) : step(handles(maxSquareAverages)), "Fused.adam", parameters)
  }

  /// `a += weight (b - a)` for each pair, in place.
  public static func lerp(_ a: [Tensor], _ b: [Tensor], _ weight: Double) {
    done(ct_foreach_lerp_(handles(a), handles(b), Int64(a.count), weight), "Fused.lerp", a)
  }
  public static func add(_ a: [Tensor], _ value: Double) {
    done(ct_foreach_add_scalar_(handles(a), Int64(a.count), value), "Fused.add", a)
  }
  public static func multiply(_ a: [Tensor], _ value: Double) {
    done(ct_foreach_mul_scalar_(handles(a), Int64(a.count), value), "Fused.multiply", a)
  }
  /// The 2-norm of all elements of all tensors, as a scalar tensor.
  public static func totalNorm(_ a: [Tensor]) -> Tensor {
    made(ct_foreach_total_norm(handles(a), Int64(a.count)), "Fused.totalNorm", a)
  }
}
