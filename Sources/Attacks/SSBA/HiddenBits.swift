public import Backdoor
import Support
public import Torch
import TorchNN
import Training
public import Vision

/// Adds to each image what an encoder makes of it and of a secret.
public struct HiddenBits: Trigger {
  /// A tensor of the encoder.
  struct Weight: Sendable {
    let key: String
    let shape: [Int]
    let values: [Float]
  }
  let weights: [Weight]
  /// Each 0 or 1.
  public let secret: [UInt8]
  let width: Int
  public let shape: ImageShape

  init(_ encoder: SecretEncoder, secret: [UInt8], width: Int, shape: ImageShape) {
    weights = encoder.stateDict().entries.map {
      Weight(key: $0.key, shape: $0.tensor.shape, values: $0.tensor.to(.cpu).contiguous().array(Float.self))
    }
    (self.secret, self.width, self.shape) = (secret, width, shape)
  }

  /// Tensors belong to one thread, so the network is made for each call; that costs less than stamping a few images.
  private func encoder(on device: Device) -> SecretEncoder {
    let encoder = SecretEncoder(bits: secret.count, shape: shape, width: width, Generator(seed: 0))
    let tensors = Dictionary(uniqueKeysWithValues: encoder.stateDict().entries.map { ($0.key, $0.tensor) })
    noGrad { for weight in weights { tensors[weight.key]?.copy_(Tensor(weight.values, shape: weight.shape)) } }
    encoder.requiresGrad(false).to(device).to(.channelsLast).eval()
    return encoder
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let encoder = encoder(on: images.device)
    let bits = Tensor(secret.map(Float.init), shape: [1, secret.count]).to(images.device)
    let parts = Batches(count: images.dimension(0), size: Batches.evaluationSize).ranges.map { range in
      let x = images[range].to(.float32)
      return (x + encoder(x.contiguous(.channelsLast), bits.expanded([range.count, secret.count]))).clamped(0, 1)
    }
    return parts.isEmpty ? images : Tensor.concatenated(parts).contiguous().to(images.dtype)
  }
}
