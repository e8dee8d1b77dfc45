public import ArgumentParser
import Experiments
import Files
import Support
public import Vision

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model for other programs: ONNX, TorchScript, or a run of BackdoorBench.",
    discussion: """
      The graph takes pixels in [0, 1], N x C x H x W and any number N of images, called "images", and gives "logits", N x K. What is \
      done to pixels first is inside of it, and weights keep their names. ONNX is of operator set 17; class names are in its metadata \
      under "classes". TorchScript is loaded by torch.jit.load.

        antidote export --model purified.safetensors --format onnx --out model.onnx

      A file from elsewhere does not say what its images are like; then the data set does:

        antidote export --model model.pth --dataset cifar10 --data path/to/data \\
          --format torchscript --out model.ts.pt

      A model with the images that it was poisoned with becomes a run of BackdoorBench, attack_result.pt and PNG files, which its \
      defenses take:

        antidote export --format backdoorbench --model suspect.safetensors \\
          --poison poisoned/poison.json --out path/to/BackdoorBench/record/my-run
      """)

  /// What is written.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case onnx, torchscript, backdoorbench

    /// The graph format; nil of a folder.
    var graph: ExportFormat? { ExportFormat(rawValue: rawValue) }
  }

  @Option(
    help: ArgumentHelp(
      "The model's file: safetensors, or of PyTorch (.pt, .pth, .bin, .ckpt, .tar).", valueName: "file"))
  var model: String
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("onnx, torchscript or backdoorbench.", valueName: "name"))
  var format = Format.onnx
  @Option(
    help: ArgumentHelp(
      "poison.json in a folder of antidote attack, whose images the model was trained on; for backdoorbench.",
      valueName: "file"))
  var poison: String?
  @Option(help: ArgumentHelp("The file to write, of backdoorbench the folder; it must not exist.", valueName: "path"))
  var out: String
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func validate() throws {
    if (poison != nil) != (format == .backdoorbench) {
      throw ValidationError(
        poison == nil
          ? "--format backdoorbench needs the poisoned images: --poison names the poison.json beside them."
          : "--poison belongs to --format backdoorbench.")
    }
  }

  func run() throws {
    let options = try settings.options(data) + foreign.settings
    let configuration = try settings.configuration(
      options: options, without: ["attack", "defense"], command: "export")
    let hasData = try settings.tree(options: options)["dataset"]?["name"] != nil
    let file = try settings.modelFile(model, configuration, foreign, options: options, needsImages: false)
    guard let graph = format.graph else {
      guard !hasData, file.normalization == nil, file.channelOrder == nil, file.classMap == nil else {
        throw CommandFailure(
          "--format backdoorbench takes the model as its file describes it, and the images beside --poison. Leave out "
            + "--dataset, --data, --class-map, model.normalization and model.channels.")
      }
      return try writeRecord(file)
    }
    let job = ExportJob(configuration, model: file, format: graph, output: out, hasData: hasData)
    let spec = try job.run(progress: TerminalProgress.standard)
    if output.json {
      return try Output.write(
        json: ["format": .string(format.rawValue), "model": try JSONValue(encoding: spec), "out": .string(out)])
    }
    let shape = spec.shape
    try Output.write(
      "\(spec.kind), N x \(shape.channels) x \(shape.imageSize) x \(shape.imageSize) pixels in [0, 1] to N x \(shape.classes) logits\n"
        + "written: \(out)\n")
  }

  private func writeRecord(_ file: ModelFile) throws {
    let job = RecordJob(model: file, manifest: poison ?? "", output: out)
    let result = try job.run(progress: TerminalProgress.standard)
    if output.json {
      return try Output.write(
        json: [
          "format": .string(format.rawValue), "model": .string(result.model), "train": .int(result.train),
          "test": .int(result.test), "dataset": .string(result.dataset), "out": .string(out),
        ])
    }
    try Output.write(
      """
      \(result.model) with \(formatCount(result.train)) poisoned training and \(formatCount(result.test)) test images
      BackdoorBench looks for the clean images in \(result.dataPath), from its own folder
      written: \(out)

      """)
  }
}
