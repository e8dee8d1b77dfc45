import ArgumentParser
import Experiments
import Files
import Support

/// The options that describe an experiment; all are short forms of settings.
struct ExperimentOptions: ParsableArguments {
  @OptionGroup var data: DatasetOptions
  @OptionGroup var training: TrainingOptions
  @Option(help: ArgumentHelp("Attack, or none (attack.name).", valueName: "name"))
  var attack: String?
  @Option(help: ArgumentHelp("Defense, or none (defense.name).", valueName: "name"))
  var defense: String?
  @OptionGroup var settings: SettingsOptions

  func configuration(over base: JSONValue = [:]) throws -> ExperimentConfiguration {
    try settings.configuration(tree(over: base))
  }

  /// The settings off their defaults.
  func tree(over base: JSONValue) throws -> JSONValue {
    let names = [OptionSetting("attack.name", attack), OptionSetting("defense.name", defense)]
    return try settings.tree(over: base, options: data.settings + training.settings + names)
  }
}
