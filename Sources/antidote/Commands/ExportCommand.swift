public import ArgumentParser
import Experiments
import Files
import Support
public import Vision

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model for other programs: ONNX or TorchScript.",
    discussion: """
      The graph takes pixels in [0, 1], N x C x H x W and any number N of images, called "images", and gives "logits", N x K. What is \
      done to pixels first is inside of it, and weights keep their names. ONNX is of operator set 17; class names are in its metadata \
      under "classes". TorchScript is loaded by torch.jit.load.

        antidote export --model purified.safetensors --format onnx --out model.onnx

      A file from elsewhere does not say what its images are like; then the data set does:

        antidote export --model model.pth --dataset cifar10 --data path/to/data \\
          --format torchscript --out model.ts.pt
      """)

  @Option(
    help: ArgumentHelp("The model's file: safetensors, or of PyTorch (.pt, .pth, .bin, .tar).", valueName: "file"))
  var model: String
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("onnx or torchscript.", valueName: "name"))
  var format = ExportFormat.onnx
  @Option(help: ArgumentHelp("The file to write; it must not exist.", valueName: "file"))
  var out: String
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let options = data.settings + foreign.settings
    let configuration = try settings.configuration(
      options: options, without: ["attack", "defense"], command: "export")
    let hasData = try settings.tree(options: options)["dataset"]?["name"] != nil
    let file = try settings.modelFile(model, configuration, foreign, options: options, needsImages: false)
    let job = ExportJob(configuration, model: file, format: format, output: out, hasData: hasData)
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
}

extension ExportFormat: ExpressibleByArgument {}
