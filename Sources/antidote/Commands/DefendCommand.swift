import ArgumentParser
import Experiments
import Files
import Support
import Vision

struct DefendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "defend",
    abstract: "Purify a model file with clean images, or train a clean model on suspicious ones.",
    discussion: """
      Clean images are drawn from the data set's training split: 5% of it, or what the clean settings say. --clean FOLDER alone takes all \
      images from a folder of your own: a fifth of them, drawn by class, to measure on, the others to purify with. \
      After Ctrl-C, checkpoints stay in OUT.work and the same command resumes from them.

        antidote defend --model suspect.safetensors --defense sau \\
          --dataset cifar10 --data path/to/data --out purified.safetensors
        antidote defend --model suspect.safetensors --defense sau \\
          --clean path/to/clean --out purified.safetensors
        antidote defend --defense prl-at --dataset cifar10 --data path/to/data \\
          --set model.width=16 --out clean.safetensors --samples samples.csv
        antidote defend --defense ispl --dataset cifar10 --data path/to/data \\
          --out samples.csv
        antidote defend --record path/to/record/badnet_0_1 --defense sau \\
          --data path/to/data --out purified.pt
        antidote list defenses                          what there is

      A defense that only judges samples writes a table of them: one line per training sample with its file, label, decision, and how \
      suspicious it is; antidote filter copies the kept images.

      A file from PyTorch does not say what is done to pixels first. The known normalisers are tried on the clean images, or \
      --set model.normalization names one. An OUT that ends in .pth has the same keys and container:

        antidote defend --model from-pytorch.pth --defense sau \\
          --set model.normalization=imagenet --dataset cifar10 \\
          --data path/to/data --out purified.pth
      """)

  @Option(help: ArgumentHelp("The suspect model's file: safetensors, or of PyTorch.", valueName: "file"))
  var model: String?
  @OptionGroup var record: RecordOptions
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("Defense (defense.name); antidote list defenses names them.", valueName: "name"))
  var defense: String?
  @Option(
    help: ArgumentHelp(
      "Folder with clean images by class, or one that antidote wrote: all its training images are used. Without a data "
        + "set, a held-out part of them is what the model is measured on.",
      valueName: "folder")
  )
  var clean: String?
  @Option(
    help: ArgumentHelp(
      "poison.json of antidote attack or of a run: measures the attack before and after as well.", valueName: "file"))
  var poison: String?
  @Option(
    help: ArgumentHelp(
      "The model's file, PyTorch's format for .pth, .pt, .bin, .ckpt and .tar, else safetensors; or the sample filter's "
        + "table (CSV). It must not exist.",
      valueName: "file")
  )
  var out: String
  @Option(
    help: ArgumentHelp(
      "Table of all training samples (CSV), for defenses that train a model and judge samples.", valueName: "file")
  )
  var samples: String?
  @Option(
    help: ArgumentHelp("Folder for checkpoints; by default OUT.work. It is removed at the end.", valueName: "folder"))
  var work: String?
  @OptionGroup var settings: SettingsOptions

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if poison != nil, record.record != nil {
      throw ValidationError("Give --poison or --record, not both: each names the triggers.")
    }
  }

  func run() throws {
    let record = try record.read()
    var options =
      try (record?.options(measuring: false) ?? []) + settings.options(data, of: record) + foreign.settings + [
        OptionSetting("defense.name", defense)
      ]
    // Without a data set, clean images are all that there is: some of them are kept apart to measure on.
    try settings.requireData(record, options: options)
    let namesData = try settings.tree(options: options)["dataset"]?["name"] != nil
    let isAllData = clean != nil && !namesData
    if let clean, isAllData { options += CleanFolder.options(clean) }
    let configuration = try settings.configuration(options: options, without: ["attack"], command: "defend")
    if let clean, isAllData, try configuration.judgesImages() {
      throw CommandFailure(
        "--clean \(clean): defense \(configuration.defense?.name ?? "") works on suspicious images. Name them with "
          + "--dataset and --data.")
    }
    // A defense that trains a model of its own takes the record's images alone.
    let path = try model ?? (configuration.purifiesModel() ? record?.model() : nil)
    let file = try path.map { try settings.modelFile($0, configuration, foreign, options: options) }
    let job = DefenseJob(
      configuration, model: try file.map { try record?.completed($0) ?? $0 },
      cleanData: try isAllData
        ? nil
        : clean.map { CleanFolder.settings($0, size: configuration.dataset.size) }
          ?? (configuration.judgesImages() ? nil : record?.cleanData(configuration.dataset)),
      triggers: record.map { .record($0) } ?? poison.map { .manifest(path: $0) } ?? .none, output: out,
      samples: samples, work: work)
    let result = try job.run(progress: TerminalProgress.standard)
    let written = [out] + (result.model == nil ? [] : [samples].compactMap { $0 }.filter(FileSystem.exists))
    if output.json { return try Output.write(json: try JSONValue(encoding: DefenseSummary(result, written: written))) }
    if let (kept, rejected) = result.filtered {
      try Output.write("kept \(formatCount(kept.count)) training samples, rejected \(formatCount(rejected.count))\n")
    }
    if let detection = result.detection { try Output.write(DetectionText.text(detection)) }
    if let verdict = result.verdict { try Output.write("the model is \(verdict)\n") }
    if let after = result.after {
      let columns = result.before.map { [("before", $0), ("after", after)] } ?? [("model", after)]
      try Output.write(MetricsTable.text(columns))
    } else if result.model != nil {
      try Output.write("there is no test split to measure on\n")
    }
    if let note = result.unmeasured { try Output.write(Text.wrapped(note, indent: 0) + "\n") }
    try Output.write("written: \(written.joined(separator: ", "))\n")
    if result.filtered != nil, let table = written.last {
      try Output.write("\nNext: antidote filter \(ShellWord.quoted(table)) --copy-kept FOLDER\n")
    }
  }
}
