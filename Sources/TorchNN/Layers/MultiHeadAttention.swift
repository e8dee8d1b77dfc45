public import Torch

/// Self-attention with several heads (Vaswani et al., Attention Is All You Need, 2017): N x T x D to N x T x D. Keys
/// qkv, proj, as timm's `Attention` has them: queries, keys and values in one layer, heads one after another in each.
public final class MultiHeadAttention: Module, Layer {
  let qkv: Linear
  let proj: Linear
  public let heads: Int

  public init(_ size: Int, heads: Int, _ generator: Generator) {
    require(heads > 0 && size % heads == 0, "MultiHeadAttention: \(size) does not split into \(heads) heads")
    qkv = Linear(size, 3 * size, generator)
    proj = Linear(size, size, generator)
    self.heads = heads
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let (tokens, size) = (x.dimension(1), x.dimension(2))
    let parts = qkv(x).reshaped(-1, tokens, 3, heads, size / heads).permuted(2, 0, 3, 1, 4)
    let y = F.scaledDotProductAttention(parts[0], parts[1], parts[2])
    return proj(y.transposed(1, 2).reshaped(-1, tokens, size))
  }
}
