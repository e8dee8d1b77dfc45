import ArgumentParser
import Evaluation
import Experiments
import Files
import Support

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model on any data set.",
    discussion: """
      The model is one safetensors file with PyTorch's keys. After Ctrl-C, checkpoints stay in OUT.work; the same command resumes \
      from them and gives the same bits.

        antidote train --dataset cifar10 --data path/to/data --width 16 \\
          --epochs 12 --out model.safetensors
        antidote train --dataset folder --data path/to/images \\
          --set dataset.size=64 --model resnet18 --out model.safetensors

      On the folder that antidote attack wrote:

        antidote train --dataset tensors --data poisoned --out suspect.safetensors
      """)

  @OptionGroup var data: DatasetOptions
  @OptionGroup var training: TrainingOptions
  @Option(
    help: ArgumentHelp(
      "The model's file, PyTorch's format for .pth, .pt, .bin, .ckpt and .tar, else safetensors; it must not exist.",
      valueName: "file"))
  var out: String
  @Option(
    help: ArgumentHelp("Folder for checkpoints; by default OUT.work. It is removed at the end.", valueName: "folder"))
  var work: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let configuration = try settings.configuration(
      options: data.settings + training.settings, without: ["attack", "defense"], command: "train")
    let result = try TrainingJob(configuration, output: out, work: work).run(progress: TerminalProgress.standard)
    if output.json {
      let summary = TrainingSummary(written: out, trainCount: result.trainCount, metrics: result.metrics)
      return try Output.write(json: try JSONValue(encoding: summary))
    }
    let accuracy = result.metrics.map {
      "accuracy \(formatPercent($0.accuracy)) on \(formatCount($0.testCount)) test images"
    }
    try Output.write("\(accuracy ?? "there is no test split to measure on")\nwritten: \(out)\n")
  }
}

/// What `antidote train --json` prints.
private struct TrainingSummary: Encodable {
  var written: String
  var trainCount: Int
  var metrics: BackdoorMetrics?
}
