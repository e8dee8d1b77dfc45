import CTorch

extension Tensor {
  /// One dimension may be -1: it takes what is left.
  public func reshaped(_ shape: Int...) -> Tensor { reshaped(shape) }
  public func reshaped(_ shape: Shape) -> Tensor {
    made(shape.withSizes { ct_reshape(handle, $0, $1) }, "reshaped", [self])
  }
  public func permuted(_ dims: Int...) -> Tensor {
    made(dims.withSizes { ct_permute(handle, $0, $1) }, "permuted", [self])
  }
  public func transposed(_ a: Int = -2, _ b: Int = -1) -> Tensor {
    made(ct_transpose(handle, Int64(a), Int64(b)), "transposed", [self])
  }
  /// A view that repeats dimensions of size 1 without copying.
  public func expanded(_ shape: Shape) -> Tensor {
    made(shape.withSizes { ct_expand(handle, $0, $1) }, "expanded", [self])
  }
  public func repeated(_ times: Int...) -> Tensor {
    made(times.withSizes { ct_repeat(handle, $0, $1) }, "repeated", [self])
  }
  public func flattened(_ start: Int = 0, _ end: Int = -1) -> Tensor {
    made(ct_flatten(handle, Int64(start), Int64(end)), "flattened", [self])
  }
  public func squeezed(_ dim: Int) -> Tensor { made(ct_squeeze(handle, Int64(dim)), "squeezed", [self]) }
  public func unsqueezed(_ dim: Int) -> Tensor { made(ct_unsqueeze(handle, Int64(dim)), "unsqueezed", [self]) }
  public func flipped(_ dims: Int...) -> Tensor { made(dims.withSizes { ct_flip(handle, $0, $1) }, "flipped", [self]) }
  public func rolled(_ shift: Int, _ dim: Int) -> Tensor {
    made(ct_roll(handle, Int64(shift), Int64(dim)), "rolled", [self])
  }
  /// Pads the last dimensions; `pads` is (left, right, top, bottom, ...) as in PyTorch.
  public func padded(_ pads: [Int], _ mode: PadMode = .constant, value: Double = 0) -> Tensor {
    made(pads.withSizes { ct_pad(handle, $0, $1, mode.rawValue, value) }, "padded", [self])
  }
  public func chunked(_ parts: Int, _ dim: Int = 0) -> [Tensor] {
    let size = dimension(dim)
    let step = (size + parts - 1) / parts
    return stride(from: 0, to: size, by: Swift.max(step, 1)).map { narrowed(dim, $0..<Swift.min($0 + step, size)) }
  }

  public static func concatenated(_ tensors: [Tensor], _ dim: Int = 0) -> Tensor {
    made(ct_cat(handles(tensors), Int64(tensors.count), Int64(dim)), "concatenated", tensors)
  }
  public static func stacked(_ tensors: [Tensor], _ dim: Int = 0) -> Tensor {
    made(ct_stack(handles(tensors), Int64(tensors.count), Int64(dim)), "stacked", tensors)
  }
}

public enum PadMode: Int32, Sendable {
  case constant = 0
  case reflect = 1
}
