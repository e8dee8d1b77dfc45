import Defenses
import Support
import Torch
import Training
import Vision

/// `Purify suspect.safetensors path/to/data purified.safetensors` purifies a PreAct-ResNet18 for CIFAR-10 with a folder
/// of clean images. Without arguments it purifies an untrained little model with generated images, which shows in a
/// second that the package works.
@main
struct Purify {
  static func main() throws {
    let words = CommandLine.arguments
    if words.count == 4 { try purify(words[1], clean: words[2], out: words[3]) } else { try purifyGenerated() }
  }

  static func purify(_ file: String, clean folder: String, out: String) throws {
    let suspect = try PreActResNet18(classes: 10, normalization: .cifar10, Generator(seed: 0)).loading(file)
    var settings = DatasetSettings()
    settings.name = "folder"
    settings.path = folder
    settings.size = 32
    let clean = try ImageDataset.load(settings, .train)
    let context = TrainingContext(device: try Device(named: "auto"), seed: 0, progress: TerminalProgress.standard)
    let purified = try SharedAdversarialUnlearning().purify(suspect, clean: clean, context: context)
    try purified.save(out)
  }

  static func purifyGenerated() throws {
    let suspect = PreActResNet18(classes: 10, width: 4, normalization: .half, Generator(seed: 0))
    var settings = DatasetSettings()
    settings.train = 64
    let clean = try ImageDataset.load(settings, .train)
    var configuration = SharedAdversarialUnlearning.Configuration()
    configuration.epochs = 1
    let purified = try SharedAdversarialUnlearning(configuration).purify(suspect, clean: clean)
    print("purified: \(purified.parameterCount) parameters, logits \(purified(clean.pixels(0..<2)).shape)")
  }
}
