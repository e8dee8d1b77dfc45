public import ArgumentParser
import Experiments
import Files
import Support
public import Vision

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Write what a model says of images: class, probability and logits.",
    discussion: """
      The images are the test split of a data set, all images of a folder by class that has no test split, or a folder of images without \
      classes. OUT is a table (CSV), one line an image, or safetensors by its ending. Computed in float32 unless --precision says \
      otherwise.

        antidote predict --model model.safetensors --data path/to/images \\
          --out predictions.csv
        antidote predict --model suspect.pth --set model.normalization=imagenet \\
          --dataset cifar10 --data path/to/data --out predictions.safetensors
      """)

  @Option(
    help: ArgumentHelp(
      "The model's file: safetensors, or of PyTorch (.pt, .pth, .bin, .ckpt, .tar).", valueName: "file"))
  var model: String
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(
    help: ArgumentHelp(
      "train, test or unlabeled; by default test, or all images where files of your own have no such split.",
      valueName: "name"))
  var split: DataSplit?
  @Option(
    help: ArgumentHelp("The predictions' file, .csv or .safetensors; it must not exist.", valueName: "file"))
  var out: String
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let options = try settings.options(data) + foreign.settings
    let configuration = try settings.configuration(
      options: options, without: ["attack", "defense"], command: "predict")
    let job = PredictionJob(
      configuration, model: try settings.modelFile(model, configuration, foreign, options: options), split: split,
      output: out)
    let result = try job.run(progress: TerminalProgress.standard)
    if output.json { return try Output.write(json: try JSONValue(encoding: result)) }
    let most = result.predicted.filter { $0.images > 0 }.sorted { $0.images > $1.images }
    let list = most.prefix(10).map { "\($0.name) \(formatCount($0.images))" }.joined(separator: ", ")
    try Output.write("\(formatCount(result.images)) images: \(list)\(most.count > 10 ? ", ..." : "")\n")
    if let accuracy = result.accuracy {
      try Output.write("accuracy \(formatPercent(accuracy)) of \(formatCount(result.labelled)) images with a label\n")
    }
    try Output.write("written: \(out)\n")
  }
}

extension DataSplit: ExpressibleByArgument {}
