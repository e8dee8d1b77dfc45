import Torch
import TorchNN
import Vision

/// An encoder and a decoder of hidden bits, trained together. Weights begin as N(0, sqrt(2 / inputs)), biases as 0.
final class Steganography: Module {
  let encoder: SecretEncoder
  let decoder: SecretDecoder

  init(bits: Int, shape: ImageShape, width: Int, _ generator: Generator) {
    encoder = SecretEncoder(bits: bits, shape: shape, width: width, generator)
    decoder = SecretDecoder(bits: bits, shape: shape, width: width, generator)
    super.init()
    // As StegaStamp begins. From PyTorch's default weights, which are smaller, the bits are not found within thousands of
    // steps.
    noGrad {
      for (_, weight) in namedParameters() {
        let shape = weight.shape
        if shape.count == 1 { weight.zero_() }
        if shape.count > 1 {
          weight.copy_(Initialization.kaimingNormal(shape, fan: weight.count / shape[0], generator))
        }
      }
    }
    decoder.beginAtTheImage()
  }

  /// Scalars of a batch.
  struct Losses {
    /// Binary cross entropy of the decoder.
    let secret: Tensor
    /// Mean square of what the encoder adds.
    let image: Tensor
    /// 1 - SSIM between the images with and without the bits.
    let perceptual: Tensor
    /// Share of the bits that the decoder reads right.
    let accuracy: Tensor
  }

  /// - Parameters:
  ///   - images: float32 B x C x H x W in [0, 1]; secrets: float32 B x bits, each 0 or 1.
  func losses(_ images: Tensor, _ secrets: Tensor) -> Losses {
    let residual = encoder(images, secrets)
    let hidden = (images + residual).clamped(0, 1)
    let logits = decoder(hidden)
    return Losses(
      secret: F.binaryCrossEntropyWithLogits(logits, secrets), image: residual.square().mean(),
      perceptual: Self.dissimilarity(images, hidden), accuracy: Self.accuracy(logits, secrets))
  }

  static func accuracy(_ logits: Tensor, _ secrets: Tensor) -> Tensor {
    noGrad { ((logits .> 0) .== (secrets .> 0.5)).to(.float32).mean() }
  }

  /// 1 - the mean structural similarity in windows of 7 x 7 pixels of equal weight.
  static func dissimilarity(_ a: Tensor, _ b: Tensor) -> Tensor {
    1 - StructuralSimilarity.mean(a, b, window: .uniform(7))
  }
}
