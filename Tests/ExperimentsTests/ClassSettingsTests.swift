import Defenses
import Files
import Support
import TestFiles
import Testing
import Torch
import Vision

@testable import Experiments

/// Classes by their name, wherever a setting takes a class.
struct ClassSettingsTests {
  private func configuration(_ yaml: String) throws -> ExperimentConfiguration {
    try ExperimentConfiguration(JSONValue(yaml: yaml))
  }

  /// A data set of the user's own.
  private func withAnimals<R>(_ names: [String] = ["cat", "Großer Hund", "owl"], _ body: (String) throws -> R) throws
    -> R
  {
    try withTemporaryFolder { folder in
      try TensorFiles.write(
        ImageDataset(
          name: "tensors", images: .zeros([names.count, 3, 32, 32], dtype: .uint8),
          labels: Tensor(names.indices.map(Int64.init)), classNames: names),
        split: .train, folder: folder)
      return try body(folder)
    }
  }

  /// A name and its number are one setting, with one id.
  @Test func aNameIsItsNumber() throws {
    let names = try DatasetSettings().classNames()
    let byName = try configuration("{attack: {target: \(names[3])}, defense: {target: \(names[7])}}")
    let byNumber = try configuration("{attack: {target: 3}, defense: {target: 7}}")
    #expect(byName.attack == byNumber.attack && byName.attack?.settings["target"] == 3)
    #expect(byName.defense == byNumber.defense && byName.defense?.settings["target"] == 7)
    #expect(try byName.runID() == byNumber.runID() && byName.resolved() == byNumber.resolved())
  }

  @Test func namesMatchAsEverywhere() throws {
    try withAnimals { folder in
      let data = "dataset: {name: tensors, path: \(folder)}"
      for (name, number) in [("owl", 2), ("Großer Hund", 1), ("Großer-Hund", 1), ("0-cat", 0)] {
        let c = try configuration(
          "{\(data), attack: {mapping: source-to-target, source: \(name), target: \(number == 0 ? "owl" : "cat")}}")
        #expect(c.attack?.settings["source"] == .int(number), "\(name)")
        #expect(c.attack?.settings["target"] == .int(number == 0 ? 2 : 0), "\(name)")
      }
      #expect(
        try configuration("{\(data), attack: {name: sleeper-agent, target: owl}}").attack?.settings["target"] == 2)
    }
  }

  @Test func unknownNames() throws {
    try withAnimals { folder in
      let error = #expect(throws: SettingsError.self) {
        try configuration("{dataset: {name: tensors, path: \(folder)}, attack: {target: owk}, defense: {target: dog}}")
      }
      #expect(error?.issues.map(\.path) == ["attack.target", "defense.target"])
      let text = error?.description ?? ""
      #expect(
        text.contains("no class \"owk\". Did you mean owl? Give one of cat, Großer Hund, owl, or its number, 0 to 2."))
    }
    try withAnimals(["0", "1", "2"]) { folder in
      let data = "dataset: {name: tensors, path: \(folder)}"
      let quoted = try configuration("{\(data), attack: {target: '2'}}")
      #expect(quoted.attack?.settings["target"] == 2)
      let error = #expect(throws: SettingsError.self) { try configuration("{\(data), attack: {target: cat}}") }
      #expect(error?.description.contains("its classes have no names. Give a number, 0 to 2.") == true)
    }
  }

  /// The data set's files are looked at for names alone.
  @Test func numbersNeedNoFiles() throws {
    let data = "dataset: {name: folder, path: /none}"
    #expect(try configuration("{\(data), attack: {target: 1}}").attack?.settings["target"] == 1)
    #expect(throws: DataError.self) { try configuration("{\(data), attack: {target: cat}}") }
  }

  /// Settings number classes as the data set does; a model may have another order.
  @Test func aDefensesTargetFollowsTheModelsOrder() throws {
    let c = try configuration("{defense: {name: sau, target: 1}}")
    func target(_ positions: [Int]?) throws -> JSONValue? {
      let defense = try c.makeDefense(renumbering: positions) as? SharedAdversarialUnlearning
      return try #require(defense).configuration.target.map(JSONValue.int)
    }
    #expect(try target(nil) == 1 && target([2, 0, 1]) == 0 && target([0]) == 1)
  }

  @Test func wnidsAreNamesOfTinyImageNet() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createFolder("\(folder)/train")
      try AtomicFile.write("n00000009\nn00000001\n", to: "\(folder)/wnids.txt")
      try AtomicFile.write("n00000001\tgoldfish, Carassius\nn00000009\tball\n", to: "\(folder)/words.txt")
      var settings = DatasetSettings()
      (settings.name, settings.path) = ("tiny-imagenet", folder)
      #expect(try settings.classNames() == ["goldfish", "ball"])
      func clean(_ names: [String]) throws -> [String] {
        try ImageDataset(
          name: "folder", images: .zeros([2, 3, 8, 8], dtype: .uint8), labels: Tensor([0, 1] as [Int64]),
          classNames: names
        ).namingIdentifiers(of: settings).classNames
      }
      #expect(try clean(["n00000009", "n00000001"]) == ["ball", "goldfish"])
      #expect(try clean(["n00000009", "ball"]) == ["n00000009", "ball"])
      settings.name = "folder"
      #expect(try clean(["n00000009", "n00000001"]) == ["n00000009", "n00000001"])
    }
  }
}
