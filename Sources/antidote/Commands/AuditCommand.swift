import ArgumentParser
import Audit
import Experiments
import Files
import Foundation
import Grids
import Reporting
import Support
import Vision

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Look whether a model file carries a backdoor, towards which class, and how sure that is.",
    discussion: """
      For each class the audit measures how far random images can be driven into it, how often a patch of a few pixels sends other images \
      there, and how far a faint pattern over the whole image does. The same class of clean models is what that is compared with: p is the \
      share of models, the audited one among the clean ones, that score at least as high. It says backdoored (p at most --level), \
      suspicious (p at most .05) or no evidence, never that a model is clean.

        antidote audit --model suspect.safetensors --data path/to/images
        antidote audit --model suspect.safetensors --dataset cifar10 \\
          --data path/to/data --reference bank.json --out audit
        antidote audit --model suspect.pth --data path/to/images \\
          --reference path/to/clean/models --clean cleaned.safetensors
        antidote audit --model suspect.safetensors --data path/to/images \\
          --reference bank.json --time 10m --images path/to/my/images
        antidote audit calibrate --dataset cifar10 --data path/to/data \\
          --width 16 --models 20 --out bank.json
        antidote audit score audits/suspects --reference audits/clean
        antidote audit --record path/to/round/models/id-00000000
        antidote audit model --help                     every option

      Some hundred images suffice; they need no labels, except for --clean and the confirmation. The exit code is 0 for no evidence, 1 for \
      suspicious, 2 for backdoored, 3 where the audit failed.
      """,
    subcommands: [AuditModelCommand.self, AuditCalibrateCommand.self, AuditScoreCommand.self],
    defaultSubcommand: AuditModelCommand.self)
}

struct AuditModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Audit a model file (the default).",
    discussion: """
      Without --reference there are no clean models to compare with: the best patch is held against a few clean models that we measured, \
      which may be unlike yours, and the verdict is suspicious at most. After Ctrl-C, finished parts stay in OUT.work and the same command \
      goes on.
      """)

  @Option(help: ArgumentHelp("The model's file: safetensors, or of PyTorch.", valueName: "file"))
  var model: String?
  @OptionGroup var record: RecordOptions
  @OptionGroup var foreign: ForeignModelOptions
  @OptionGroup var data: DatasetOptions
  @Option(
    help: ArgumentHelp(
      "Clean models: a bank that antidote audit calibrate wrote, a folder with audits of clean models, or one of model files.",
      valueName: "file|folder"))
  var reference: String?
  @Option(help: ArgumentHelp("Call a model backdoored if p is at most this.", valueName: "p"))
  var level = 0.01
  @Flag(help: "Leave out the universal perturbation and the confirmation: half of the time, less power.")
  var quick = false
  @Option(
    help: ArgumentHelp(
      """
      A budget of time, such as 90s, 10m or 1h: of many classes, those that look most like a target are measured. What is left out \
      is said; it weakens the verdict.
      """, valueName: "time"))
  var time: String?
  @Option(
    help: ArgumentHelp(
      "Say which images of a folder carry a trigger (IBD-PSC; the model needs BatchNorm). --out writes images.csv.",
      valueName: "folder"))
  var images: String?
  @Option(help: ArgumentHelp("File for a purified model (fst); it is audited again.", valueName: "file"))
  var clean: String?
  @Option(help: ArgumentHelp("Folder for audit.html, audit.json and pictures; it must not exist.", valueName: "folder"))
  var out: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func validate() throws {
    if let time, !((parseDuration(time) ?? 0) > 0) {
      throw ValidationError(
        "--time takes a number with s, m or h, such as 90s, 10m or 1h, not \(time).")
    }
    if model == nil, record.record == nil {
      throw ValidationError("Name a model's file with --model, or a folder that holds one with --record.")
    }
  }

  func run() throws {
    let result: AuditResult
    do {
      result = try audit()
    } catch {
      Failure(error).end(code: 3)
    }
    throw ExitCode(result.verdict.exitCode)
  }

  private func audit() throws -> AuditResult {
    let record = try record.read()
    let options = try (record?.options(measuring: true) ?? []) + settings.options(data, of: record) + foreign.settings
    try settings.requireData(record, options: options)
    let (configuration, audit) = try settings.auditConfiguration(options: options, command: "audit")
    guard try settings.tree(options: options)["dataset"]?["name"] != nil else {
      throw CommandFailure(
        "name images that the model is for: --data path/to/images, a folder of images by class or without classes.")
    }
    let file = try settings.modelFile(model ?? record?.model() ?? "", configuration, foreign, options: options)
    var job = AuditJob(configuration, model: try record?.completed(file) ?? file)
    job.settings = audit
    job.time = time.flatMap(parseDuration)
    job.suspects = images
    (job.reference, job.level, job.quick, job.clean, job.output) = (reference, level, quick, clean, out)
    let result = try job.run(progress: TerminalProgress.standard)
    let page = try out.map { try AuditReport.write(folder: $0) }
    let truth = try record?.groundTruth()
    if output.json {
      try Output.write(json: try JSONValue(encoding: result))
    } else {
      try Output.write(AuditText.text(result) { Text.wrapped($0, indent: $1) })
      if let truth { try Output.write("by the round's ground truth the model is \(truth ? "poisoned" : "clean")\n") }
      if let page { try Output.write("report: \(page)\n") }
    }
    return result
  }
}

struct AuditCalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Train clean models and write their statistics as a bank for audits.",
    discussion: """
      Each model learns from its own random part of the training images, with its own seed and one of nine recipes around the given one \
      (learning rate, weight decay, with and without crops and flips). \
      Take the data, architecture and recipe that the audited model is said to have, and as many models as time allows: n of them \
      give p-values of 1/(n+1) at least, so 19 are needed to call a model suspicious and 99 to call it backdoored at level .01. Models are \
      trained side by side, one thread each. After Ctrl-C, finished models stay in OUT.parts and the same command goes on, with other \
      --jobs too.

        antidote audit calibrate --dataset cifar10 --data path/to/data \\
          --width 16 --epochs 12 --models 20 --out bank.json
        antidote audit calibrate --dataset folder --data path/to/images \\
          --set dataset.size=32 --model cnn --models 20 --out bank.json
      """)

  @OptionGroup var data: DatasetOptions
  @OptionGroup var training: TrainingOptions
  @Option(help: ArgumentHelp("How many clean models.", valueName: "n"))
  var models = 20
  @Option(help: ArgumentHelp("Share of the training images that each model learns from.", valueName: "share"))
  var share = 0.8
  @Option(help: ArgumentHelp("The bank's file (JSON); it must not exist.", valueName: "file"))
  var out: String
  @Option(
    help: ArgumentHelp(
      "Models side by side, a process each; by default one for each free CPU core, and one after the other on a GPU.",
      valueName: "n"))
  var jobs: Int?
  @Option(help: .hidden)
  var part: Int?
  @OptionGroup var settings: SettingsOptions

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs takes a number from 1.") }
  }

  func run() throws {
    let (configuration, audit) = try settings.auditConfiguration(
      options: data.settings + training.settings, command: "audit calibrate")
    var job = CalibrationJob(configuration, output: out)
    job.settings = audit
    (job.models, job.share) = (models, share)
    if let part {
      ChildProcess.stopWithParent()
      return try job.run(part: part, progress: TerminalProgress(plainInterval: 30))
    }
    job.processes = try processes(configuration)
    let bank = try job.run(progress: TerminalProgress.standard)
    let accuracies = bank.members.compactMap(\.accuracy)
    let range =
      accuracies.isEmpty
      ? "" : ", accuracy \(formatPercent(accuracies.min() ?? 0)) to \(formatPercent(accuracies.max() ?? 0))"
    let says =
      switch bank.members.count {
      case ..<19: ", too few to call a model suspicious (19)"
      case ..<99: ", enough to call a model suspicious, not to call it backdoored at level .01 (99)"
      default: ""
      }
    try Output.write(
      "\(bank.members.count) clean models\(range); p-values from 1/\(bank.members.count + 1) on\(says)\nwritten: \(out)\n"
    )
  }
}

extension AuditCalibrateCommand {
  /// nil where models are trained in this process.
  private func processes(_ configuration: ExperimentConfiguration) throws -> CalibrationProcesses? {
    let general = configuration.general
    var (threads, own) = (1, ["--threads", "1"])
    if case .count(let named) = general.threads { (threads, own) = (named, []) }
    let isOnCPU = GPUs.visible.isEmpty || general.device == "cpu"
    let count = jobs ?? (isOnCPU ? GridWorkingOptions.jobs(threads: threads, device: "cpu") : 1)
    guard count > 1 else { return nil }
    // What the user gave, with one thread unless it names another number.
    let given = Array(CommandLine.arguments.dropFirst())
    return CalibrationProcesses(count: count, program: try GridWorkingOptions.program()) { [own] number in
      given + own + ["--part=\(number)"]
    }
  }
}

struct AuditScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score finished audits against clean models, without measuring anything again.",
    discussion: """
      Takes folders that antidote audit --out wrote, or folders that hold several of them, each of these a group. A model that is itself \
      one of the clean ones is compared with the others. The bank's models and the audits need the same settings, classes and size of \
      images; nothing asks for the same architecture or recipe, and this is how to see what another one changes: score audits of clean \
      models that are not of the bank, of which 5% should have p at most .05.

        antidote audit score audits/suspect --reference bank.json
        antidote audit score audits/others audits/badnets audits/sig \\
          --reference audits/clean
      """)

  @Argument(help: ArgumentHelp("Folders of audits, or folders that hold such folders.", valueName: "folder"))
  var folders: [String]
  @Option(
    help: ArgumentHelp(
      "Clean models: a bank that antidote audit calibrate wrote, or a folder with audits of clean models.",
      valueName: "file|folder"))
  var reference: String
  @Option(help: ArgumentHelp("Call a model backdoored if p is at most this.", valueName: "p"))
  var level = 0.01
  @OptionGroup var output: TableOptions

  func run() throws {
    do {
      let scores = try AuditScores(folders, reference: reference, level: level)
      if output.json { return try Output.write(json: try JSONValue(encoding: scores)) }
      try Output.write(output.csv ? scores.csv : AuditScoresText.text(scores))
    } catch {
      Failure(error).end(code: 3)
    }
  }
}
