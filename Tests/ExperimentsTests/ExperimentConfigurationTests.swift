import Attacks
import Defenses
import Experiments
import Files
import Support
import Testing
import Training
import Vision

@Suite struct ExperimentConfigurationTests {
  private func configuration(_ yaml: String = "{}") throws -> ExperimentConfiguration {
    try ExperimentConfiguration(JSONValue(yaml: yaml))
  }

  @Test(
    arguments: [
      GeneralSettings.self, ModelSettings.self, CleanSettings.self, EvaluationSettings.self, DatasetSettings.self,
    ]
      as [any Configurable.Type])
  func isDocumented(_ type: any Configurable.Type) { #expect(SettingsTree.checkSettings(type) == []) }

  @Test func defaults() throws {
    let c = try configuration()
    #expect(c.dataset.name == "generated" && c.model.name == "preactresnet18" && c.recipeName == "fast")
    #expect(c.attack?.name == "badnets" && c.defense?.name == "sau")
    #expect(c.general.seed == 0 && c.clean.share == 0.05 && c.evaluation.every == 1)
  }

  /// The resolved tree says everything, and reading it gives the same again: what a record holds repeats the run.
  @Test(arguments: [
    "{}", "{attack: none, defense: null}", "{attack: blended, defense: ft, recipe: benchmark}",
    "{attack: {name: badnets, mapping: source-to-target, source: 2, rate: 0.03}, defense: {name: sau, norm: l2, "
      + "radius: 5, target: 1}}",
    "{seed: 7, precision: float32, dataset: {name: cifar10, path: /data, train: 500}, model: {name: cnn, width: 8}, "
      + "recipe: {epochs: 3}}",
    "{clean: {count: 50, balanced: true, disjoint: true}, evaluation: {every: 0, riskSamples: 0, samples: 0}, "
      + "defense: vanilla-at}",
  ])
  func resolvesToItself(_ yaml: String) throws {
    let c = try configuration(yaml)
    let tree = try c.resolved()
    let again = try ExperimentConfiguration(tree)
    #expect(try again.resolved() == tree)
    #expect(try again.runID() == c.runID())
    let throughText = try JSONValue(yaml: tree.prettyJSON)
    #expect(try ExperimentConfiguration(throughText).resolved() == tree)
    #expect(
      again.attack == c.attack && again.defense == c.defense && again.recipe == c.recipe && again.dataset == c.dataset)
  }

  /// What the result does not depend on stays out of the id; everything else is in.
  @Test func runID() throws {
    let base = try configuration("{dataset: {name: cifar10, path: /a}}").runID()
    for same in [
      "{dataset: {name: cifar10, path: /b}}", "{dataset: {name: cifar10}, device: cpu, threads: 3}",
      "{dataset: cifar10}",
      "{dataset: {name: cifar10}, attack: {name: badnets, rate: 0.1}, recipe: fast}",
    ] where same != "{dataset: cifar10}" { #expect(try configuration(same).runID() == base, "\(same)") }
    var seen = Set([base])
    for other in [
      "{seed: 1}", "{precision: float32}", "{attack: {rate: 0.05}}", "{attack: none}", "{attack: blended}",
      "{defense: none}",
      "{defense: {epochs: 99}}", "{model: {width: 16}}", "{recipe: {epochs: 11}}", "{recipe: benchmark}",
      "{clean: {share: 0.1}}",
      "{clean: {balanced: true}}", "{evaluation: {riskSamples: 8}}", "{evaluation: {retrain: false}}",
    ] {
      var tree = try JSONValue(yaml: other)
      tree["dataset"] = ["name": "cifar10"]
      #expect(seen.insert(try ExperimentConfiguration(tree).runID()).inserted, "\(other)")
    }
    #expect(seen.insert(try configuration("{dataset: {name: cifar10, train: 100}}").runID()).inserted)
  }

  /// Attacks that got settings keep the ids that runs had before, where these have their defaults.
  @Test(arguments: [("tact", "d2bd228e0cd6"), ("adaptive-patch", "d2f0674e5e14")])
  func laterSettingsLeaveIdsAlone(_ attack: String, _ id: String) throws {
    func run(_ settings: String) throws -> String {
      try configuration(
        """
        {dataset: {name: cifar10, test: 4000}, model: {name: preactresnet18, width: 16}, seed: 0, defense: none,
        recipe: {name: fast, epochs: 15}, evaluation: {every: 0, samples: 4}, attack: {name: \(attack)\(settings)}}
        """
      ).runID()
    }
    #expect(try run("") == id && run(", triggers: 1") == id)
    #expect(try run(", triggers: 2") != id)
  }

  /// A preset is recorded by its name and by its settings, and is the same run as these.
  @Test func presets() throws {
    let named = try configuration("{defense: {name: i-bau, preset: backdoorbench, rounds: 2}}")
    let spelled = try configuration(
      "{defense: {name: i-bau, batch: 256, learningRate: 1e-4, amsgrad: true, rounds: 2}}")
    let tree = try named.resolved()
    #expect(tree["defense"]?["preset"] == "backdoorbench" && tree["defense"]?["batch"] == 256)
    #expect(try spelled.resolved()["defense"]?["preset"] == nil)
    #expect(try named.runID() == spelled.runID() && ExperimentConfiguration(tree).resolved() == tree)
    #expect(try configuration("{defense: {name: i-bau, rounds: 2}}").runID() != named.runID())
    let listed = try Catalog().entry("i-bau", kind: .defenses)
    #expect(listed.presets.map(\.name) == ["backdoorbench"] && listed.json["presets"] != nil)
  }

  @Test(arguments: [
    ("{defense: {name: i-bau, preset: benchmark}}", "defense.preset", "Known: backdoorbench."),
    ("{defense: {name: sau, preset: backdoorbench}}", "defense.preset", "has no presets"),
    ("{atack: badnets}", "atack", "Did you mean attack?"),
    ("{attack: {rte: 0.1}}", "attack.rte", "Did you mean attack.rate?"),
    ("{attack: {name: badnetz}}", "attack.name", "Did you mean badnets?"),
    ("{defense: sao}", "defense.name", "Did you mean sau?"),
    ("{recipe: fsat}", "recipe.name", "Did you mean fast?"),
    ("{recipe: {epoch: 3}}", "recipe.epoch", "Did you mean recipe.epochs?"),
    ("{model: {name: preactresnet19}}", "model.name", "Did you mean preactresnet18?"),
    ("{dataset: {name: cifar11}}", "dataset.name", "Did you mean cifar10"),
    ("{attack: {rate: 2}}", "attack.rate", "out of range"),
    ("{attack: {name: 3}}", "attack.name", "expected a name"), ("{attack: 3}", "attack", "expected a name"),
    ("{defense: {epochs: many}}", "defense.epochs", "expected a whole number"), ("{seed: -1}", "seed", "out of range"),
    ("{clean: {shar: 0.1}}", "clean.shar", "Did you mean clean.share?"), ("3", "", "a configuration is a group"),
  ])
  func mistakes(_ yaml: String, _ path: String, _ message: String) {
    let error = #expect(throws: SettingsError.self) { _ = try configuration(yaml) }
    #expect(error?.issues.count == 1 && error?.issues.first?.path == path, "\(String(describing: error))")
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }

  @Test func noAttackAndNoDefense() throws {
    for nothing in ["none", "null", "{name: none}", "{name: null}"] {
      let c = try configuration("{attack: \(nothing), defense: \(nothing)}")
      #expect(c.attack == nil && c.defense == nil)
      #expect(try c.makeAttack() == nil && c.makeDefense() == nil)
      #expect(try c.resolved()["attack"] == "none")
    }
  }

  /// Mirrored digits and signs are other classes; the user's word counts more, and settings reach what they are for.
  @Test func flips() throws {
    for kind in DatasetKind.all {
      let tree: JSONValue = ["dataset": ["name": .string(kind.id)], "recipe": "benchmark"]
      #expect(try ExperimentConfiguration(tree).recipe.flip == kind.flips, "\(kind.id)")
    }
    #expect(try configuration("{dataset: {name: mnist}, recipe: {flip: true}}").recipe.flip)
    #expect(try !configuration("{dataset: {name: cifar10}, recipe: {flip: false}}").recipe.flip)
    #expect(try !configuration("{dataset: {name: cifar10}, recipe: noisy-label}").recipe.flip)
    #expect(Set(DatasetKind.all.filter { !$0.flips }.map(\.id)).isSuperset(of: ["generated", "mnist", "gtsrb"]))
  }

  @Test func settingsReachAttackAndDefense() throws {
    let c = try configuration("{attack: {rate: 0.03, size: 2}, defense: {name: sau, start: random, epochs: 4}}")
    let attack = try #require(c.makeAttack() as? BadNets)
    #expect(attack.configuration.rate == 0.03 && attack.configuration.size == 2 && attack.configuration.target == 0)
    let defense = try #require(c.makeDefense() as? SharedAdversarialUnlearning)
    #expect(
      defense.configuration.start == .random && defense.configuration.epochs == 4 && defense.configuration.steps == 5)
  }

  /// A preset with changes: the preset's values stay where nobody changed them.
  @Test func recipes() throws {
    let recipe = try configuration("{dataset: {name: cifar10}, recipe: {name: adversarial, epochs: 5}}").recipe
    #expect(recipe.epochs == 5 && recipe.milestones == [60, 90] && !recipe.nesterov && recipe.flip)
  }

  /// Mirrored digits and signs are other classes: nothing mirrors them unless it is asked to, in nested groups either.
  @Test func dataThatMustNotBeMirrored() throws {
    func defense(_ text: String) throws -> JSONValue {
      try #require(try configuration(text).defense?.settings)
    }
    let tuned = try defense(#"{"dataset": {"name": "generated"}, "defense": {"name": "ft"}}"#)
    #expect(tuned["flip"] == .bool(false))
    let nested = try defense(#"{"dataset": {"name": "mnist"}, "defense": {"name": "cat", "recipe": {"epochs": 2}}}"#)
    #expect(nested["recipe"]?["flip"] == .bool(false) && nested["recipe"]?["epochs"] == .int(2))
    let asked = try defense(
      #"{"dataset": {"name": "generated"}, "defense": {"name": "cat", "recipe": {"flip": true}}}"#)
    #expect(asked["recipe"]?["flip"] == .bool(true))
    // What an attacker trains sees the images as the defender does.
    for (attack, key) in [
      ("lf", "surrogate"), ("label-consistent", "surrogate"), ("trojannn", "surrogate"),
      ("clustered-trigger", "pretrain"),
    ] {
      for (name, flips) in [("gtsrb", false), ("cifar10", true)] {
        let c = try configuration("{\"dataset\": {\"name\": \"\(name)\"}, \"attack\": {\"name\": \"\(attack)\"}}")
        #expect(c.attack?.settings[key]?["flip"] == .bool(flips), "\(attack) on \(name)")
      }
    }
    let matching = try configuration(#"{"dataset": {"name": "mnist"}, "attack": {"name": "sleeper-agent"}}"#)
    #expect(matching.attack?.settings["flip"] == .bool(false))
    let photographs = try defense(#"{"dataset": {"name": "cifar10"}, "defense": {"name": "cat"}}"#)
    #expect(photographs["recipe"]?["flip"] == .bool(true))
  }
}
