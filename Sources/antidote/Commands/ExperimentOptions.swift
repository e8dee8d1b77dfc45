import ArgumentParser
import Experiments
import Foundation
import Support

/// The options that describe an experiment; all are short forms of settings.
struct ExperimentOptions: ParsableArguments {
  @Option(help: ArgumentHelp("YAML file with settings; options and --set go over it.", valueName: "file"))
  var config: String?
  @Option(help: ArgumentHelp("Data set (dataset.name).", valueName: "name"))
  var dataset: String?
  @Option(name: .customLong("data"), help: ArgumentHelp("Folder with the data set's files (dataset.path).", valueName: "folder"))
  var dataPath: String?
  @Option(help: ArgumentHelp("Architecture (model.name).", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("Channels of the first stage (model.width).", valueName: "channels"))
  var width: Int?
  @Option(help: ArgumentHelp("Training recipe (recipe.name).", valueName: "name"))
  var recipe: String?
  @Option(help: ArgumentHelp("Epochs of training (recipe.epochs).", valueName: "n"))
  var epochs: Int?
  @Option(help: ArgumentHelp("Attack, or none (attack.name).", valueName: "name"))
  var attack: String?
  @Option(help: ArgumentHelp("Defense, or none (defense.name).", valueName: "name"))
  var defense: String?
  @Option(help: ArgumentHelp("Seed of everything random.", valueName: "n"))
  var seed: Int?
  @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:N.", valueName: "device"))
  var device: String?
  @Option(help: ArgumentHelp("auto, float32 or bfloat16.", valueName: "name"))
  var precision: String?
  @Option(name: .customLong("set"), help: ArgumentHelp("Any setting, such as attack.rate=0.05; may be repeated.", valueName: "key=value"))
  var assignments: [String] = []

  /// Settings from the file, under those of the options, under those of --set, over `base`.
  func tree(over base: JSONValue = [:]) throws -> JSONValue {
    var tree = base
    if let config {
      guard let text = try? String(contentsOfFile: config, encoding: .utf8) else {
        throw FileMissing(description: "\(config): cannot be read. Check the path given with --config.")
      }
      tree = SettingsTree.merge(tree, try JSONValue(yaml: text, source: config))
    }
    var options: [String] = []
    func add(_ key: String, _ value: (some CustomStringConvertible)?) {
      if let value { options.append("\(key)=\(value)") }
    }
    func addText(_ key: String, _ value: String?) {
      if let value { options.append("\(key)=\(JSONValue.string(value).compactJSON)") }
    }
    addText("dataset.name", dataset)
    addText("dataset.path", dataPath)
    addText("model.name", model)
    add("model.width", width)
    addText("recipe.name", recipe)
    add("recipe.epochs", epochs)
    addText("attack.name", attack)
    addText("defense.name", defense)
    add("seed", seed)
    addText("device", device)
    addText("precision", precision)
    // A bare name in the file ("attack: badnets") becomes a group before settings go into it.
    for section in ["recipe", "attack", "defense"] {
      if let name = tree[section]?.stringValue { tree[section] = ["name": .string(name)] }
    }
    return try SettingsTree.apply(options + assignments, to: tree)
  }

  func configuration(over base: JSONValue = [:]) throws -> ExperimentConfiguration {
    let tree = try tree(over: base)
    do {
      return try ExperimentConfiguration(tree)
    } catch let error as SettingsError {
      guard let config, let text = try? String(contentsOfFile: config, encoding: .utf8) else { throw error }
      throw error.located(in: try YAMLDocument(text, source: config))
    }
  }
}

struct FileMissing: Error, CustomStringConvertible {
  let description: String
}
