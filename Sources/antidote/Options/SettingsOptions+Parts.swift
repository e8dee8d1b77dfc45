import Audit
import Files
import Experiments
import Support
import Vision

extension SettingsOptions {
  /// The configuration of a command that does one part of an experiment. Sections of the file for the other parts are
  /// passed over, so that one file serves all commands; settings given by hand must belong to this one.
  /// - Parameter unused: the sections that play no part, `attack` and `defense` among them at most.
  func configuration(options: [OptionSetting], without unused: [String], command: String) throws
    -> ExperimentConfiguration
  {
    try refuse(unused, command: command)
    var tree = try tree(options: options)
    for section in unused { tree[section] = "none" }
    return try configuration(tree)
  }

  /// The same for an audit, whose settings are a section of their own.
  func auditConfiguration(options: [OptionSetting], command: String) throws
    -> (ExperimentConfiguration, AuditSettings)
  {
    let unused = ["attack", "defense"]
    try refuse(unused, command: command)
    var tree = try tree(options: options)
    let audit = tree["audit"] ?? [:]
    tree["audit"] = nil
    for section in unused { tree[section] = "none" }
    return (try configuration(tree), try SettingsTree.resolve(AuditSettings.self, overrides: audit, at: "audit"))
  }

  private func refuse(_ unused: [String], command: String) throws {
    for assignment in assignments {
      let path = try SettingsTree.parseAssignment(assignment).path
      if let section = path.first, unused.contains(section) {
        throw SettingsError(
          path.joined(separator: "."),
          "antidote \(command) has no \(section) here. "
            + (command == "evaluate" && section == "attack" ? "Name it with --attack" : "Leave the setting out")
            + ", or use antidote run.")
      }
    }
  }

  /// The data set's options; where they name none, what the folder looks like. A record says which data set it is of.
  func options(_ data: DatasetOptions, of record: RecordFolder? = nil) throws -> [OptionSetting] {
    let dataset = try tree(options: data.settings)["dataset"]
    guard record == nil, dataset?["name"] == nil, let path = dataset?["path"]?.stringValue else { return data.settings }
    let kinds = DatasetRecognition.kinds(at: path)
    guard kinds.count < 2 else {
      throw CommandFailure("\(path) looks like \(kinds.joined(separator: " or ")): say which with --dataset.")
    }
    return data.settings + [OptionSetting("dataset.name", kinds.first ?? "folder")]
  }

  /// A model's file, with the architecture where the user named one: for files that do not say what they hold.
  /// - Parameters:
  ///   - options: the command's own options for the data set and the model.
  ///   - needsImages: whether the command gives numbers that depend on images.
  /// - Throws: `CommandFailure` where no data set is named and the model is for other images than the generated ones,
  ///   on which its numbers would mean nothing, and for settings of an architecture that is not named.
  func modelFile(
    _ path: String, _ configuration: ExperimentConfiguration, _ foreign: ForeignModelOptions, options: [OptionSetting],
    needsImages: Bool = true
  ) throws -> ModelFile {
    let given = try tree(options: options)
    if needsImages, given["dataset"]?["name"] == nil, FileSystem.exists(path),
      Classifier.storedClassNames(in: path) != GeneratedSigns.classNames
    {
      throw CommandFailure(
        "\(path): name the images that the model is for, such as --dataset folder --data path/to/images. Without a data "
          + "set the generated signs would be used, which are nothing to this model.")
    }
    // A width alone names no architecture: it is compared with that of the file.
    let isNamed = given["model"]?["name"] != nil
    for key in ["depth", "widen", "patch"] where !isNamed && given["model"]?[key].map({ $0 != .null }) == true {
      throw CommandFailure(
        "model.\(key) is of an architecture, and none is named: add --model, or leave it out, since "
          + "\(path) shows it by itself.")
    }
    var file = ModelFile(
      path, named: isNamed ? configuration.model : nil, width: isNamed ? nil : configuration.model.width,
      ignored: foreign.ignore, renamed: foreign.rename.map { ($0.from, $0.to) }, key: foreign.key,
      normalization: configuration.model.normalization,
      channelOrder: given["model"]?["channels"] == nil ? nil : configuration.model.channels,
      classMap: try foreign.classMap.map(ClassMap.init(contentsOf:)))
    (file.stem, file.heads) = (configuration.model.stem, configuration.model.heads)
    return file
  }
}
