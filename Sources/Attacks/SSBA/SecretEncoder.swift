import Torch
import TorchNN
import Vision

/// Hides bits in an image: a U-Net that sees the image beside a plane made of the bits, and says what to add to the image
/// (StegaStamp, Tancik, Mildenhall, Ng, CVPR 2020). Images are of any size: a stage of the way up is as large as the stage
/// of the way down that it meets.
final class SecretEncoder: Module {
  let secretDense: Linear
  let conv1, conv2, conv3, conv4, conv5: Conv2d
  let up6, conv6, up7, conv7, up8, conv8, up9, conv9: Conv2d
  let residual: Conv2d
  private let shape: ImageShape

  /// - Parameter width: channels of the first stage; the deepest has 8 times as many.
  init(bits: Int, shape: ImageShape, width w: Int, _ generator: Generator) {
    func conv(_ inputs: Int, _ outputs: Int, stride: Int = 1) -> Conv2d {
      Conv2d(inputs, outputs, kernel: 3, stride: stride, padding: 1, generator)
    }
    func up(_ inputs: Int, _ outputs: Int) -> Conv2d { Conv2d(inputs, outputs, kernel: 2, generator) }
    let channels = 2 * shape.channels
    secretDense = Linear(bits, shape.channels * shape.height * shape.width, generator)
    conv1 = conv(channels, w)
    conv2 = conv(w, w, stride: 2)
    conv3 = conv(w, 2 * w, stride: 2)
    conv4 = conv(2 * w, 4 * w, stride: 2)
    conv5 = conv(4 * w, 8 * w, stride: 2)
    up6 = up(8 * w, 4 * w)
    conv6 = conv(8 * w, 4 * w)
    up7 = up(4 * w, 2 * w)
    conv7 = conv(4 * w, 2 * w)
    up8 = up(2 * w, w)
    conv8 = conv(2 * w, w)
    up9 = up(w, w)
    conv9 = conv(2 * w + channels, w)
    residual = Conv2d(w, shape.channels, kernel: 1, generator)
    self.shape = shape
  }

  /// What to add to the images.
  /// - Parameters:
  ///   - images: float32 B x C x H x W in [0, 1].
  ///   - secrets: float32 B x bits, each 0 or 1.
  /// - Returns: B x C x H x W.
  func callAsFunction(_ images: Tensor, _ secrets: Tensor) -> Tensor {
    let plane = secretDense(secrets - 0.5).relu().reshaped(-1, shape.channels, shape.height, shape.width)
    let inputs = Tensor.concatenated([plane, images - 0.5], 1)
    let x1 = conv1(inputs).relu()
    let x2 = conv2(x1).relu()
    let x3 = conv3(x2).relu()
    let x4 = conv4(x3).relu()
    var x = conv5(x4).relu()
    x = conv6(Tensor.concatenated([x4, enlarged(x, as: x4, up6)], 1)).relu()
    x = conv7(Tensor.concatenated([x3, enlarged(x, as: x3, up7)], 1)).relu()
    x = conv8(Tensor.concatenated([x2, enlarged(x, as: x2, up8)], 1)).relu()
    x = conv9(Tensor.concatenated([x1, enlarged(x, as: x1, up9), inputs], 1)).relu()
    return residual(x)
  }

  private func enlarged(_ x: Tensor, as other: Tensor, _ conv: Conv2d) -> Tensor {
    let large = F.interpolate(x, height: other.dimension(2), width: other.dimension(3), mode: .nearest)
    // A kernel of 2x2 needs one pixel more at the right and at the bottom.
    return conv(large.padded([0, 1, 0, 1])).relu()
  }
}

/// Reads the bits from an image, which it may turn and shift first by a spatial transformer (Jaderberg et al. 2015).
final class SecretDecoder: Module {
  let place: [Conv2d]
  let placeDense: Linear
  let map: Linear
  let convs: [Conv2d]
  let dense: Linear
  let secret: Linear

  init(bits: Int, shape: ImageShape, width w: Int, _ generator: Generator) {
    func conv(_ inputs: Int, _ outputs: Int, _ stride: Int) -> Conv2d {
      Conv2d(inputs, outputs, kernel: 3, stride: stride, padding: 1, generator)
    }
    /// Pixels that are left after halving so many times.
    func area(_ halvings: Int) -> Int {
      func left(_ length: Int) -> Int { (0..<halvings).reduce(length) { size, _ in (size + 1) / 2 } }
      return left(shape.height) * left(shape.width)
    }
    place = [conv(shape.channels, w, 2), conv(w, 2 * w, 2), conv(2 * w, 4 * w, 2)]
    placeDense = Linear(4 * w * area(3), 4 * w, generator)
    map = Linear(4 * w, 6, generator)
    convs = [
      conv(shape.channels, w, 2), conv(w, w, 1), conv(w, 2 * w, 2), conv(2 * w, 2 * w, 1), conv(2 * w, 2 * w, 2),
      conv(2 * w, 4 * w, 2), conv(4 * w, 4 * w, 2),
    ]
    dense = Linear(4 * w * area(5), 16 * w, generator)
    secret = Linear(16 * w, bits, generator)
  }

  /// Makes the transformer leave images where they are.
  func beginAtTheImage() {
    noGrad {
      map.weight.zero_()
      map.bias?.wrappedValue.copy_(Tensor([Float(1), 0, 0, 0, 1, 0]))
    }
  }

  /// Logits of the bits, B x bits, of images, float32 B x C x H x W in [0, 1].
  func callAsFunction(_ images: Tensor) -> Tensor {
    let images = images - 0.5
    let seen = place.reduce(images) { $1($0).relu() }
    let maps = map(placeDense(seen.flattened(1)).relu()).reshaped(-1, 2, 3)
    let straight = F.gridSample(images, F.affineGrid(maps, images.shape))
    let x = convs.reduce(straight) { $1($0).relu() }
    return secret(dense(x.flattened(1)).relu())
  }
}
