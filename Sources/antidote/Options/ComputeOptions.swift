public import ArgumentParser
public import Experiments
public import Training

extension ThreadChoice: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension Precision: ExpressibleByArgument {}

/// How fast and how exact: what every command takes that computes.
struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "CPU threads of one operation: a number, or auto (the default), as many as there are free cores at the start. "
        + "Work that goes on "
        + "keeps the number that it began with, since other threads give other bits.", valueName: "n|auto"))
  var threads: ThreadChoice?
  @Option(
    help: ArgumentHelp(
      "float32, bfloat16, or auto (the default): the faster one here. Work that goes on keeps what it began with.",
      valueName: "name"))
  var precision: Precision?

  var settings: [OptionSetting] {
    [OptionSetting("threads", threads), OptionSetting("precision", precision?.rawValue)]
  }
}
