import ArgumentParser
import Files
import Support

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "The main job on the built-in data set: a backdoored model, purified, with a report.",
    discussion:
      "The same as run, with settings that finish in about two minutes on two cores. All options of run may be given.")

  @OptionGroup var options: RunOptions

  static let defaults: JSONValue = [
    "dataset": ["name": "generated"], "model": ["width": 8], "recipe": ["epochs": 6],
    "attack": ["name": "badnets"], "clean": ["share": 0.1],
    "defense": ["name": "sau", "epochs": 12, "batch": 64, "learningRate": 1e-3],
  ]

  func run() throws { try options.run(over: Self.defaults) }
}
