import Backdoor
import Defenses
import Support
import Torch
import Training
import Vision

/// Purifies a model with a few clean images. Here the model is untrained and the images are generated, so that the example runs anywhere in
/// a second; with `Classifier.open("suspect.safetensors")` and `ImageDataset.load` it is the real thing.
@main
struct Purify {
  static func main() throws {
    let suspect = PreActResNet18(classes: 10, width: 4, normalization: .half, Generator(seed: 0))
    let signs = GeneratedSigns(seed: 0).images(split: .train, count: 64)
    let clean = ImageDataset(
      name: "signs", images: Tensor(signs.pixels, shape: [64, 3, 32, 32]), labels: Tensor(signs.labels),
      classNames: GeneratedSigns.classNames)
    var settings = SharedAdversarialUnlearning.Configuration()
    settings.epochs = 1
    let purified = try SharedAdversarialUnlearning(settings).purify(suspect, clean: clean)
    print("purified: \(purified.parameterCount) parameters, logits \(purified(clean.pixels(0..<2)).shape)")
  }
}
