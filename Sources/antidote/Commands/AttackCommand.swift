import ArgumentParser
import Evaluation
import Experiments
import Files
import Foundation
import Support

struct AttackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attack",
    abstract: "Poison a data set and write it as a folder.",
    discussion: """
      The folder holds train.safetensors (poisoned), test.safetensors (clean), test-triggered.safetensors (the test images that the attack \
      aims at, with trigger, true labels and targets) and poison.json (what was done). Train on it with --dataset tensors --data FOLDER.

      --gallery writes one picture instead: a test image under all attacks side by side, and what each changes. Attacks that train \
      networks are in it where --poison names a poison.json of theirs.

      Attacks that learn (such as label-consistent, lf and sleeper-agent) train networks of the architecture of --model and --width, and keep what they \
      learned in attack.safetensors. After Ctrl-C, the same command resumes them. Those that train the model (wanet-training, input-aware, \
      lira, blind, adversarial-embedding) write it as model.safetensors.

        antidote attack --attack badnets --dataset cifar10 --data path/to/data \\
          --out poisoned
        antidote attack --attack blended --set attack.rate=0.01 --format png \\
          --out poisoned
        antidote attack --gallery attacks.png --dataset cifar10 --data path/to/data
        antidote list attacks badnets                   every setting of an attack
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case safetensors, png }

  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("Attack (attack.name); antidote list attacks names them.", valueName: "name"))
  var attack: String?
  @Option(help: ArgumentHelp("Folder to write; it must not exist.", valueName: "folder"))
  var out: String?
  @Option(help: ArgumentHelp("Write a picture of one image under all attacks, and poison nothing.", valueName: "file"))
  var gallery: String?
  @Option(help: ArgumentHelp("poison.json of a learned attack, for --gallery; may be repeated.", valueName: "file"))
  var poison: [String] = []
  @Option(help: ArgumentHelp("Position of the picture's image in the test set, for --gallery.", valueName: "number"))
  var image: Int?
  @Option(help: "png writes the images as PNG files by class as well.")
  var format = Format.safetensors
  @OptionGroup var training: TrainingOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var settings: SettingsOptions

  func validate() throws {
    if (out == nil) == (gallery == nil) {
      throw ValidationError("Give --out FOLDER to poison a data set, or --gallery FILE for a picture of all attacks.")
    }
    if gallery == nil, image != nil || !poison.isEmpty {
      throw ValidationError("--image and --poison belong to --gallery.")
    }
    if gallery != nil, attack != nil {
      throw ValidationError("--gallery shows all attacks with their defaults: leave --attack out.")
    }
  }

  func run() throws {
    let options = data.settings + training.settings + [OptionSetting("attack.name", attack)]
    let unused = gallery == nil ? ["defense"] : ["attack", "defense"]
    let configuration = try settings.configuration(options: options, without: unused, command: "attack")
    let progress = TerminalProgress.standard
    if let gallery { return try show(configuration, in: gallery, progress) }
    guard let out else { return }
    let manifest = try PoisoningJob(configuration, output: out, writesPNG: format == .png).run(progress: progress)
    if output.json {
      let summary = PoisonSummary(
        written: out, attack: manifest.attack, trainCount: manifest.trainCount, poisonedCount: manifest.samples.count,
        coverCount: manifest.covers.count, tasks: manifest.tasks)
      return try Output.write(json: try JSONValue(encoding: summary))
    }
    let share = formatPercent(Double(manifest.samples.count) / Double(max(manifest.trainCount, 1)))
    let covers = manifest.covers.isEmpty ? "" : ", \(formatCount(manifest.covers.count)) are cover samples"
    try Output.write(
      """
      \(manifest.attack): \(formatCount(manifest.samples.count)) of \(formatCount(manifest.trainCount)) training images (\(share)) are poisoned\(covers)
      \(manifest.tasks.map(Self.line).joined(separator: "\n"))
      written: \(out)

      Next: antidote train --dataset tensors --data \(ShellWord.quoted(out)) --out model.safetensors

      """)
  }

  private static func line(_ task: PoisonManifest.TaskNote) -> String {
    "  \(task.name): \(task.mapping)" + (task.visibility.map { "; \($0.text)" } ?? "")
  }

  private func show(_ configuration: ExperimentConfiguration, in file: String, _ progress: TerminalProgress) throws {
    let job = GalleryJob(configuration, output: file, manifests: poison, image: image)
    let (columns, missing) = try job.run(progress: progress)
    if output.json {
      let summary = GallerySummary(
        written: file,
        columns: columns.map {
          .init(attack: $0.attack, task: $0.task, visibility: $0.visibility, magnification: $0.magnification)
        }, missing: missing)
      return try Output.write(json: try JSONValue(encoding: summary))
    }
    var text = "Columns from the left; rows are the clean image, the triggered one, and the difference:\n"
    for (number, column) in columns.enumerated() {
      text +=
        "  \(number + 1). \(column.attack) (\(column.task)): \(column.visibility.text), difference x"
        + "\(column.magnification.formatted())\n"
    }
    if !missing.isEmpty {
      text += "Not shown, since they train networks (name their poison.json with --poison): "
      text += missing.joined(separator: ", ") + "\n"
    }
    try Output.write(text + "written: \(file)\n")
  }
}

/// What `antidote attack --json` prints.
private struct PoisonSummary: Encodable {
  var written: String
  var attack: String
  var trainCount: Int
  var poisonedCount: Int
  var coverCount: Int
  var tasks: [PoisonManifest.TaskNote]
}

/// What `antidote attack --gallery --json` prints.
private struct GallerySummary: Encodable {
  var written: String
  var columns: [Column]
  var missing: [String]

  struct Column: Encodable {
    var attack: String
    var task: String
    var visibility: Visibility
    var magnification: Double
  }
}
