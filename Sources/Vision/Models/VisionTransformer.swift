public import Torch
import TorchNN

/// Vision transformers (Dosovitskiy et al., An Image Is Worth 16x16 Words, 2021): patches and a class token with learned
/// positions, then blocks of self-attention and two linear layers, each after its layer normalisation. Keys equal
/// timm's `vit_tiny_patch16_224`, `vit_small_...` and `vit_base_...`: cls_token, pos_embed, patch_embed.proj,
/// blocks.N.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,mlp.fc2}, norm, head. Initial weights as there: N(0, 0.02) and
/// biases 0, the class token N(0, 1e-6), patches as convolutions in PyTorch.
///
/// It has no BatchNorm. Stages: the patches after each quarter of the blocks, N x D x rows x columns. Positions belong to
/// one image size.
public final class VisionTransformer: Classifier {
  @Parameter var clsToken: Tensor
  @Parameter var posEmbed: Tensor
  let patchEmbed: PatchEmbedding
  let blocks: [TransformerBlock]
  let norm: LayerNorm
  let head: Linear
  private let imageSize: Int

  /// - Parameters:
  ///   - kind: the zoo's name, which the width belongs to.
  ///   - width: numbers a token; 192, 384 and 768 are the published ones of tiny, small and base.
  ///   - heads: of the attention; they divide the width.
  ///   - patch: side of a patch in pixels; it divides the image's.
  ///   - imageSize: side of the images in pixels.
  public init(
    kind: String = "vit_tiny", classes: Int, width: Int = 192, depth: Int = 12, heads: Int = 3, patch: Int = 4,
    imageSize: Int = 32, channels: Int = 3, normalization: Normalization = .none, _ generator: Generator
  ) {
    require(imageSize % patch == 0, "VisionTransformer: \(imageSize) pixels are no multiple of the patches' \(patch)")
    let side = imageSize / patch
    clsToken = generator.normal([1, 1, width]) * 1e-6
    posEmbed = generator.normal([1, side * side + 1, width]) * 0.02
    let projection = Conv2d(channels, width, kernel: patch, stride: patch, generator)
    patchEmbed = PatchEmbedding(projection)
    blocks = (0..<depth).map { _ in TransformerBlock(width, heads: heads, generator) }
    norm = LayerNorm([width], eps: 1e-6)
    head = Linear(width, classes, generator)
    self.imageSize = imageSize
    super.init(classes: classes, normalization: normalization)
    var shape = ModelShape(
      classes: classes, width: width, channels: channels, imageSize: imageSize, normalization: normalization)
    (shape.depth, shape.heads, shape.patch) = (depth, heads, patch)
    spec = ModelSpec(kind: kind, shape: shape)
    for block in blocks { block.drawNormal(0.02, generator) }
    head.drawNormal(0.02, generator)
  }

  public override func features(normalized x: Tensor) -> Features {
    require(
      x.dimension(2) == imageSize && x.dimension(3) == imageSize,
      "VisionTransformer: its positions are for images of \(imageSize) pixels, not \(x.summary)")
    let map = patchEmbed(x)
    let side = map.dimension(2)
    // The class token as one more patch: zeros before the patches, and its value added with the positions. Nothing
    // depends on the number of images.
    let patches = map.flattened(2).transposed(1, 2).padded([0, 0, 1, 0])
    let token = clsToken.padded([0, 0, 0, side * side])
    var x = patches + (posEmbed + token)
    var stages: [Tensor] = []
    let ends = Set((1...4).map { (blocks.count * $0 + 3) / 4 })
    for (index, block) in blocks.enumerated() {
      x = block(x)
      guard ends.contains(index + 1) else { continue }
      stages.append(
        x.narrowed(1, 1..<(side * side + 1)).transposed(1, 2).reshaped(-1, x.dimension(2), side, side))
    }
    return Features(stages: stages, penultimate: norm(x).selected(1, 0))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { head(penultimate) }
}

/// Key proj. There is a position for each patch, and patches do not overlap.
final class PatchEmbedding: Module, Layer, BranchedBlock {
  let proj: Conv2d
  init(_ proj: Conv2d) { self.proj = proj }
  var stridesAgree: Bool { proj.stride == proj.weight.dimension(2) }
  func callAsFunction(_ x: Tensor) -> Tensor { proj(x) }
}

/// Self-attention and two linear layers, each beside its input.
final class TransformerBlock: Module, Layer {
  let norm1: LayerNorm
  let attn: MultiHeadAttention
  let norm2: LayerNorm
  let mlp: Sequential

  init(_ size: Int, heads: Int, _ generator: Generator) {
    norm1 = LayerNorm([size], eps: 1e-6)
    attn = MultiHeadAttention(size, heads: heads, generator)
    norm2 = LayerNorm([size], eps: 1e-6)
    mlp = Sequential(named: [
      ("fc1", Linear(size, 4 * size, generator)), ("act", Lambda.gelu()), ("fc2", Linear(4 * size, size, generator)),
    ])
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let y = x + attn(norm1(x))
    return y + mlp(norm2(y))
  }
}
