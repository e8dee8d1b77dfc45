import ArgumentParser
import Experiments
import Files
import Support

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a model file: accuracy, and with a trigger its attack success rate.",
    discussion: """
      ACC is the accuracy on clean test images. ASR is the share of triggered test images that get the attacker's label, over those whose \
      true label is another; R-ACC the share of the same images that get their true label.

        antidote evaluate --model model.safetensors --dataset cifar10 \\
          --data path/to/data
        antidote evaluate --model model.safetensors --dataset tensors \\
          --data poisoned --poison poisoned/poison.json
        antidote evaluate --model model.safetensors --dataset cifar10 \\
          --data path/to/data --attack badnets --set attack.target=3 --json
        antidote evaluate --record path/to/record/badnet_0_1 --data path/to/data
      """)

  @Option(
    help: ArgumentHelp(
      "The model's file: safetensors, or of PyTorch (.pt, .pth, .bin, .ckpt, .tar).", valueName: "file"))
  var model: String?
  @OptionGroup var record: RecordOptions
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("poison.json of antidote attack or of a run: measure by its triggers.", valueName: "file"))
  var poison: String?
  @Option(help: ArgumentHelp("Attack whose triggers are made anew from --set attack... and --seed.", valueName: "name"))
  var attack: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func validate() throws {
    if [poison, attack, record.record].count(where: { $0 != nil }) > 1 {
      throw ValidationError("Give one of --poison, --attack and --record: each names the triggers.")
    }
    if model == nil, record.record == nil {
      throw ValidationError("Name a model's file with --model, or a folder that holds one with --record.")
    }
  }

  func run() throws {
    let record = try record.read()
    let options =
      try (record?.options(measuring: true) ?? []) + settings.options(data, of: record) + foreign.settings + [
        OptionSetting("attack.name", attack)
      ]
    try settings.requireData(record, options: options)
    let unused = attack == nil ? ["attack", "defense"] : ["defense"]
    let configuration = try settings.configuration(options: options, without: unused, command: "evaluate")
    let triggers: TriggerSource =
      record.map { .record($0) } ?? poison.map { .manifest(path: $0) } ?? (attack == nil ? .none : .attack)
    let file = try settings.modelFile(model ?? record?.model() ?? "", configuration, foreign, options: options)
    let job = EvaluationJob(configuration, model: try record?.completed(file) ?? file, triggers: triggers)
    let result = try job.run(progress: TerminalProgress.standard)
    if output.json { return try Output.write(json: try JSONValue(encoding: result)) }
    for trigger in result.triggers { try Output.write("trigger \(trigger)\n") }
    try Output.write(MetricsTable.text([("model", result.metrics)]))
    if let accuracy = result.crossAccuracy, let count = result.crossCount {
      try Output.write(
        "\(formatPercent(accuracy)) of \(formatCount(count)) images with other triggers get their true label\n")
    }
  }
}
