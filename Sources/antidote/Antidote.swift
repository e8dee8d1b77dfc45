import ArgumentParser
import Experiments
import Foundation
import Support
import Torch

@main
struct Antidote: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "antidote",
    abstract: "Keeps backdoors out of image classifiers: poison, train, purify, measure, report.",
    discussion: """
      An attacker who poisons a few training images can make a model obey a hidden trigger. antidote makes such models, purifies \
      them, and measures both.

        antidote demo              the whole path on built-in data, in two minutes
        antidote run --dataset cifar10 --data path/to/data --attack badnets
        antidote defend --model suspect.safetensors --defense sau \\
          --dataset cifar10 --data path/to/data --out purified.safetensors
        antidote audit --model suspect.safetensors --data path/to/images
        antidote list defenses     what there is, with every setting
        antidote doctor            what this machine offers

      Every setting is reachable by --set section.key=value and by a YAML file (--config); antidote list names them all.
      """,
    version: Machine.version,
    subcommands: [
      RunCommand.self, DemoCommand.self, AttackCommand.self, TrainCommand.self, DefendCommand.self, AuditCommand.self,
      FilterCommand.self, EvaluateCommand.self, PredictCommand.self, ExportCommand.self, GridCommand.self,
      ReportCommand.self, RunsCommand.self, ListCommand.self, DoctorCommand.self, BenchCommand.self,
    ])

  static func main() {
    StandardStreams.prepare()
    Interruption.install()
    // Both before the first operation: worker threads take over the setting for denormals from the thread that starts
    // them.
    Runtime.keepFreedMemory()
    Runtime.flushDenormals(true)
    // A write beyond `ulimit -f` then fails with an error that names the file, in place of ending the process.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot()
      do {
        try command.run()
      } catch {
        Failure(error).end()
      }
    } catch {
      exit(withError: error)
    }
  }
}
