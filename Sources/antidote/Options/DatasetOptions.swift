import ArgumentParser

/// Which images.
struct DatasetOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Data set (dataset.name); antidote list datasets names them.", valueName: "name"))
  var dataset: String?
  @Option(
    name: .customLong("data"),
    help: ArgumentHelp("Folder with the data set's files (dataset.path).", valueName: "folder"))
  var dataPath: String?

  var settings: [OptionSetting] { [OptionSetting("dataset.name", dataset), OptionSetting("dataset.path", dataPath)] }
}
