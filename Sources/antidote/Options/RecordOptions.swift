import ArgumentParser
import Experiments
import Files
import Support

/// A folder that another program left of an experiment.
struct RecordOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder of another program's experiment: record/<run> of BackdoorBench, poisoned_train_set/<data set>/<attack> of "
        + "backdoor-toolbox, or models/id-<number> of a TrojAI round. Its model is the one in question, unless --model "
        + "names another; its images have the triggers, or are the suspicious ones.",
      valueName: "folder"))
  var record: String?

  func read() throws -> RecordFolder? { try record.map { try RecordFolder($0) } }
}

extension RecordFolder {
  /// - Parameter measuring: whether nothing is trained.
  func options(measuring: Bool) -> [OptionSetting] {
    (measuring ? measuringSettings : settings).map { OptionSetting($0.key, json: $0.value) }
  }
}

extension SettingsOptions {
  /// - Throws: `CommandFailure` where the record does not say where its clean images are, and the user does not either.
  func requireData(_ record: RecordFolder?, options: [OptionSetting]) throws {
    let dataset = try tree(options: options)["dataset"]
    if let record, dataset?["name"] == nil || dataset?["path"] == nil { throw CommandFailure(record.missingData) }
  }
}
