import ArgumentParser
import Experiments
import Files
import Foundation
import Support

/// What every command takes that computes: a file with settings, single settings, seed, device, threads and precision.
struct SettingsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("YAML file with settings; options and --set go over it.", valueName: "file"))
  var config: String?
  @Option(help: ArgumentHelp("Seed of everything random; antidote run takes several: 0,1,2.", valueName: "n"))
  var seed: SeedList?
  @Option(help: ArgumentHelp("auto, cpu, cuda or cuda:N.", valueName: "device"))
  var device: String?
  @OptionGroup var compute: ComputeOptions
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Any setting, such as attack.rate=0.05; may be repeated.", valueName: "key=value"))
  var assignments: [String] = []

  /// Settings from the file, under those of `options`, under those of --set, over `base`.
  /// - Parameter options: what the command's own options say, as assignments.
  func tree(over base: JSONValue = [:], options: [OptionSetting]) throws -> JSONValue {
    var tree = base
    if let config { tree = SettingsTree.merge(tree, try JSONValue(yaml: try Self.text(of: config), source: config)) }
    // A bare name in the file ("attack: badnets") becomes a group before settings go into it.
    for section in ["recipe", "attack", "defense"] {
      if let name = tree[section]?.stringValue { tree[section] = ["name": .string(name)] }
    }
    if let seed, seed.numbers.count > 1 {
      throw CommandFailure("--seed \(seed.text): this command takes one seed. antidote run takes several.")
    }
    let own = [OptionSetting("seed", seed?.numbers.first), OptionSetting("device", device)] + compute.settings
    let assigned = (options + own).compactMap(\.assignment)
    return try SettingsTree.apply(assigned + assignments, to: tree)
  }

  /// The configuration of a tree; its errors name the line of the file.
  func configuration(_ tree: JSONValue) throws -> ExperimentConfiguration {
    do {
      return try ExperimentConfiguration(tree)
    } catch let error as SettingsError {
      // What was given by hand is not in the file.
      let given = try assignments.map { try SettingsTree.parseAssignment($0).path.joined(separator: ".") }
      guard let config, !error.issues.contains(where: { given.contains($0.path) }) else { throw error }
      throw error.located(in: try YAMLDocument(try Self.text(of: config), source: config))
    }
  }

  private static func text(of path: String) throws -> String {
    do {
      return try FileSystem.readText(path, limit: FormatLimits.settings.bytes)
    } catch {
      throw CommandFailure("\(error) --config takes a YAML file.")
    }
  }
}

/// One seed or several: `0`, `0,1,2`.
struct SeedList: ExpressibleByArgument {
  let text: String
  /// At least one, each once.
  let numbers: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let numbers = parts.compactMap { $0 }
    guard !parts.isEmpty, numbers.count == parts.count, Set(numbers).count == numbers.count else { return nil }
    text = argument
    self.numbers = numbers
  }
}

/// An option that is a short form of a setting.
struct OptionSetting {
  let assignment: String?

  init(_ key: String, _ value: Int?) { assignment = value.map { "\(key)=\($0)" } }
  init(_ key: String, _ value: ThreadChoice?) { assignment = value.map { "\(key)=\($0)" } }
  init(_ key: String, json value: JSONValue) { assignment = "\(key)=\(value.compactJSON)" }
  init(_ key: String, _ value: String?) { assignment = value.map { "\(key)=\(JSONValue.string($0).compactJSON)" } }
}

/// A command that cannot do what it was asked.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
