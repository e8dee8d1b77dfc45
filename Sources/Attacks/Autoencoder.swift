public import Support
import Torch
import TorchNN
import Training
import Vision

public struct AutoencoderSettings: Configurable, Hashable {
  public var epochs = 30
  public var batch = 64
  public var learningRate = 1e-3
  public var code = 256
  public var width = 32
  public init() {}

  public static let settings: [Setting] = [
    Setting("epochs", "Passes over the training set.", unit: "epochs", range: 0...100_000, source: "decided here: 30"),
    Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "decided here: 64"),
    Setting("learningRate", "Of Adam.", range: 0...1, source: "decided here: 1e-3"),
    Setting("code", "Length of a code.", unit: "numbers", range: 1...65_536, source: "decided here: 256"),
    Setting("width", "Channels of the first stage.", unit: "channels", range: 1...1024, source: "decided here: 32"),
  ]

  /// A trained autoencoder in evaluation mode. Stage `attack-autoencoder`.
  func train(on data: ImageDataset, seed: Seed, context: TrainingContext) throws -> Autoencoder {
    let model = Autoencoder(self, shape: data.shape, Generator(seed: seed("autoencoder/weights")))
    var trainer = Trainer(
      .constant(epochs: epochs, batch: batch, learningRate: learningRate), stage: "attack-autoencoder")
    trainer.isMeasured = false
    try trainer.train(model, on: data, context: context) { batch in
      let made = context.compute { model.decode(model.encode(batch.images)) }
      return BatchLoss(F.mseLoss(made.to(.float32), batch.images))
    }
    return model
  }
}

/// Turns images into short codes and back: three convolutions that halve the image and a linear layer, and the way back.
/// Trained for the least mean squared error.
final class Autoencoder: Module {
  let down: [Conv2d]
  let code: Linear
  let dense: Linear
  let up: [Conv2d]
  /// Heights and widths of the stages, from the image on.
  private let sides: [[Int]]

  init(_ settings: AutoencoderSettings, shape: ImageShape, _ generator: Generator) {
    let (w, channels) = (settings.width, shape.channels)
    sides = (0...3).map { halvings in
      [shape.height, shape.width].map { side in (0..<halvings).reduce(side) { left, _ in (left + 1) / 2 } }
    }
    let area = sides[3][0] * sides[3][1]
    down = [(channels, w), (w, 2 * w), (2 * w, 4 * w)].map { inputs, outputs in
      Conv2d(inputs, outputs, kernel: 3, stride: 2, padding: 1, generator)
    }
    code = Linear(4 * w * area, settings.code, generator)
    dense = Linear(settings.code, 4 * w * area, generator)
    up = [(4 * w, 2 * w), (2 * w, w), (w, channels)].map { inputs, outputs in
      Conv2d(inputs, outputs, kernel: 3, padding: 1, generator)
    }
  }

  /// Codes, B x code, of images, B x C x H x W in [0, 1].
  func encode(_ images: Tensor) -> Tensor {
    code(down.reduce(images - 0.5) { $1($0).relu() }.flattened(1))
  }

  /// Images, B x C x H x W in (0, 1), of codes, B x code.
  func decode(_ codes: Tensor) -> Tensor {
    var x = dense(codes).relu().reshaped(codes.dimension(0), -1, sides[3][0], sides[3][1])
    for (stage, conv) in up.enumerated() {
      let side = sides[2 - stage]
      x = conv(F.interpolate(x, height: side[0], width: side[1], mode: .nearest))
      x = stage < 2 ? x.relu() : x.sigmoid()
    }
    return x
  }
}
