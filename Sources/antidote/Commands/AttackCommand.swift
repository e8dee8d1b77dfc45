import ArgumentParser
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

      Attacks that learn (sleeper-agent, clustered-trigger) train networks of the architecture of --model and --width, and keep what they \
      learned in attack.safetensors. After Ctrl-C, the same command resumes them.

        antidote attack --attack badnets --dataset cifar10 --data path/to/data \\
          --out poisoned
        antidote attack --attack blended --set attack.rate=0.01 --format png \\
          --out poisoned
        antidote list attacks badnets                   every setting of an attack
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case safetensors, png }

  @OptionGroup var data: DatasetOptions
  @Option(help: ArgumentHelp("Attack (attack.name); antidote list attacks names them.", valueName: "name"))
  var attack: String?
  @Option(help: ArgumentHelp("Folder to write; it must not exist.", valueName: "folder"))
  var out: String
  @Option(help: "png writes the images as PNG files by class as well.")
  var format = Format.safetensors
  @OptionGroup var training: TrainingOptions
  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let options = data.settings + training.settings + [OptionSetting("attack.name", attack)]
    let configuration = try settings.configuration(options: options, without: ["defense"], command: "attack")
    let progress = TerminalProgress.standard
    let manifest = try PoisoningJob(configuration, output: out, writesPNG: format == .png).run(progress: progress)
    let share = formatPercent(Double(manifest.samples.count) / Double(max(manifest.trainCount, 1)))
    let covers = manifest.covers.isEmpty ? "" : ", \(formatCount(manifest.covers.count)) are cover samples"
    try Output.write(
      """
      \(manifest.attack): \(formatCount(manifest.samples.count)) of \(formatCount(manifest.trainCount)) training images (\(share)) are poisoned\(covers)
      \(manifest.tasks.map { "  \($0.name): \($0.mapping)" }.joined(separator: "\n"))
      written: \(out)

      Next: antidote train --dataset tensors --data \(Shell.quoted(out)) --out model.safetensors

      """)
  }
}
