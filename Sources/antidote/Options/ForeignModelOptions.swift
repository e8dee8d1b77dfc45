import ArgumentParser

/// How the entries of a model file from elsewhere are read.
struct ForeignModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Entries of the model file under another name: a key, or its beginning up to a dot; may be repeated.",
      valueName: "from=to"))
  var rename: [Renaming] = []
  @Option(
    help: ArgumentHelp(
      "Entries of the model file to leave out: a key, or its beginning up to a dot; may be repeated.", valueName: "key")
  )
  var ignore: [String] = []

  @Option(
    help: ArgumentHelp(
      "Channels of the model's first stage (model.width): of one that is trained, or as a check of a file.",
      valueName: "channels"))
  var width: Int?

  @Option(
    help: ArgumentHelp(
      "Which state dict of a PyTorch file with several: the keys that lead to it, with dots.", valueName: "key"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      "YAML file that says which class of the model each class of the data set is: lines \"ours: theirs\", theirs a "
        + "number from 0 or a name. Classes of the model that the data lack are left out.", valueName: "file"))
  var classMap: String?

  var settings: [OptionSetting] { [OptionSetting("model.width", width)] }

  struct Renaming: ExpressibleByArgument {
    let from: String
    let to: String

    init?(argument: String) {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
      (from, to) = (parts[0], parts[1])
    }
  }
}
