import Defenses
import Files
import Foundation
import Support
import Torch
import TorchNN
import Training
import Vision

/// What both sides of a comparison of defenses get, so that both have to find the same numbers: two networks with random
/// weights, images with labels, and what a method draws at random.
final class DefenseInputs {
  /// In evaluation mode, on the benchmark's device, with running statistics of the images.
  let model: Classifier
  let other: Classifier
  /// The benchmark's images, on its device.
  let data: ImageDataset
  /// Where the perturbations of Adversarial Neuron Pruning begin.
  let pruningNoise: [Tensor]
  /// A generator of small triggers for class 0, and what it makes them from.
  let triggers: TriggerDistribution
  let triggerDraw: Staircase.Draw

  /// Images of the first batch, on which numbers are compared.
  static let few = 16
  /// Images whose features are compared.
  static let some = 256

  init(_ benchmark: Benchmark) throws {
    data = benchmark.data
    let random = Generator(seed: 0)
    func network(_ seed: UInt64) -> Classifier {
      let model = PreActResNet18(
        classes: 10, width: benchmark.settings.width, normalization: .cifar10, Generator(seed: seed))
      model.to(benchmark.device).train()
      // Statistics as of a trained network, in place of zeros and ones.
      noGrad { for _ in 0..<20 { _ = model(benchmark.data.pixels(0..<Self.few)) } }
      return model.to(.channelsLast).eval()
    }
    (model, other) = (network(0), network(1))
    let layers = model.modules().compactMap { $0.module as? BatchNorm2d }
    let epsilon = AdversarialNeuronPruning.Configuration().epsilon
    pruningNoise = MaskedBatchNorms(layers).noise(epsilon, random).map { $0.to(benchmark.device) }
    let settings = MaxEntropyStaircase.Configuration()
    let values = data.channels * settings.size * settings.size
    triggers = TriggerDistribution(noise: settings.noise, trigger: values, width: settings.width, random)
    triggers.to(benchmark.device)
    triggerDraw = Staircase.Draw(
      Self.few, noise: settings.noise, side: settings.size, of: data, random, benchmark.device)
  }

  /// Labels and pixels of the first images, float N x C x H x W in channels_last memory.
  func batch(_ count: Int = DefenseInputs.few) -> (images: Tensor, labels: Tensor) {
    (data.pixels(0..<count).contiguous(.channelsLast), data.labels[0..<count])
  }

  /// Writes everything as safetensors.
  /// - Throws: `FileError`.
  func save(to path: String) throws {
    var tensors = [(key: "images", tensor: data.images), (key: "labels", tensor: data.labels)]
    for (name, module) in [("model", model), ("other", other), ("triggers", triggers)] as [(String, Module)] {
      tensors += module.stateDict().entries.map { ("\(name).\($0.key)", $0.tensor) }
    }
    tensors += pruningNoise.enumerated().map { ("pruning.\($0.offset)", $0.element) }
    let draw = triggerDraw
    tensors += [
      ("draw.noise", draw.noise), ("draw.independent", draw.independent), ("draw.rows", draw.rows),
      ("draw.columns", draw.columns),
    ]
    try TensorFile.save(tensors.map { ($0.key, $0.tensor.detach().to(.cpu).contiguous()) }, to: path)
  }
}
