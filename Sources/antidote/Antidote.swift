import ArgumentParser
import Experiments
import Foundation
import Support

@main
struct Antidote: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "antidote",
    abstract: "Keeps backdoors out of image classifiers: poison, train, purify, measure, report.",
    discussion: """
      An attacker who poisons a few training images can make a model obey a hidden trigger. antidote makes such models, purifies \
      them, and measures both.

        antidote demo                                    the whole path on built-in data, in about two minutes
        antidote run --dataset cifar10 --data path/to/data --attack badnets --defense sau
        antidote list defenses                           what there is, with every setting
        antidote doctor                                  what this machine offers

      Every setting is reachable by --set section.key=value and by a YAML file (--config); antidote list names them all.
      """,
    version: Machine.version,
    subcommands: [RunCommand.self, DemoCommand.self])

  static func main() {
    Interruption.install()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as Interrupted {
      complain("\(error). Give the same command again to go on.")
      Foundation.exit(error.exitCode)
    } catch {
      // Our own errors carry their whole message; the argument parser formats its own.
      if "\(type(of: error))".hasPrefix("CommandError") || error is ExitCode || error is ValidationError || error is CleanExit {
        exit(withError: error)
      }
      complain("antidote: \(error)")
      Foundation.exit(1)
    }
  }

  private static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
