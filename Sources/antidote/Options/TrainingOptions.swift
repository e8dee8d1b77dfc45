import ArgumentParser

/// Which model, and how it is trained.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Architecture (model.name); antidote list models names them.", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("Channels of the first stage (model.width).", valueName: "channels"))
  var width: Int?
  @Option(help: ArgumentHelp("Training recipe (recipe.name); antidote list recipes names them.", valueName: "name"))
  var recipe: String?
  @Option(help: ArgumentHelp("Epochs of training (recipe.epochs).", valueName: "n"))
  var epochs: Int?

  var settings: [OptionSetting] {
    [
      OptionSetting("model.name", model), OptionSetting("model.width", width), OptionSetting("recipe.name", recipe),
      OptionSetting("recipe.epochs", epochs),
    ]
  }
}
