import Attacks
public import Backdoor
import Defenses
public import Files
public import Support
public import Training
public import Vision

/// All that a run depends on, from a YAML file and `--set` assignments:
///
/// ```yaml
/// seed: 0
/// dataset: {name: cifar10, path: path/to/data}
/// model: {name: preactresnet18, width: 16}
/// recipe: {name: fast, epochs: 12}
/// attack: {name: badnets, rate: 0.1}
/// defense: {name: sau, epochs: 20}
/// ```
///
/// A class, such as `attack.target`, is given by its number or by its name in the data set.
public struct ExperimentConfiguration: Sendable {
  public var general: GeneralSettings
  public var dataset: DatasetSettings
  public var model: ModelSettings
  public var recipeName: String
  public var recipe: Recipe
  /// nil trains on clean data.
  public var attack: Choice?
  /// nil measures the backdoored model alone.
  public var defense: Choice?
  public var clean: CleanSettings
  public var evaluation: EvaluationSettings

  /// An attack or defense with its resolved settings.
  public struct Choice: Sendable, Hashable {
    public var name: String
    public var settings: JSONValue
  }

  static let sections = ["dataset", "model", "recipe", "attack", "defense", "clean", "evaluation"]

  /// Resolves a tree of overrides: defaults fill what it leaves out.
  /// - Throws: `SettingsError` for unknown keys (with the nearest name), wrong types, values out of range: all of them
  ///   together. Where a class is given by its name, what reading the data set's class names throws.
  public init(_ tree: JSONValue) throws {
    guard case .object(var members) = tree else {
      throw SettingsError("", "a configuration is a group of settings, such as \"attack: {name: badnets}\".")
    }
    var parts: [String: JSONValue] = [:]
    for section in Self.sections { parts[section] = members.removeValue(forKey: section) }
    var problems = SettingsProblems()
    let known = GeneralSettings.settings.map(\.key) + Self.sections
    let unknown = members.keys.filter { !known.contains($0) }.sorted()
    for (index, key) in unknown.enumerated() {
      members[key] = nil
      let question = index < SettingsError.mostShown ? Nearest.question(key, among: known) : ""
      problems.note(
        key,
        "unknown setting. " + (question.isEmpty ? "" : question + " ")
          + "Known settings: \(known.joined(separator: ", ")).")
    }
    func section<T: Configurable>(_ name: String, _ overrides: JSONValue) throws -> T {
      try problems.collect(name, fallback: T()) { try SettingsTree.resolve(overrides: overrides, at: name) }
    }
    general = try section("", .object(members))
    dataset = try section("dataset", parts["dataset"] ?? [:])
    model = try problems.collect("model", fallback: ModelSettings()) {
      let model: ModelSettings = try SettingsTree.resolve(overrides: parts["model"] ?? [:], at: "model")
      if parts["model"]?["name"] != nil {
        try model.check()
      } else if let width = model.width, model.heads == nil {
        try ModelKind.named(model.name).check(width: width)
      }
      return model
    }
    // The model's images are the data set's, resized while they are loaded.
    if let size = model.size {
      if let other = dataset.size, other != size {
        problems.note("model.size", "\(size), and dataset.size is \(other). Leave one of them out.")
      }
      dataset.size = size
    }
    clean = try section("clean", parts["clean"] ?? [:])
    evaluation = try section("evaluation", parts["evaluation"] ?? [:])
    // Mirrored digits and signs are other classes.
    let flips = (try? dataset.origin())?.flips ?? true
    (recipeName, recipe) = try problems.collect("recipe", fallback: ("", Recipe())) {
      try Self.recipe(parts["recipe"] ?? [:], flips: flips)
    }
    let dataset = dataset
    func numbered(_ settings: JSONValue, _ type: any Configurable.Type, _ path: String) throws -> JSONValue {
      try ClassSettings.numbered(settings, type, at: path, of: dataset.name) { try dataset.classNames() }
    }
    attack = try problems.collect("attack", fallback: nil) {
      try Self.choice(parts["attack"], "attack", fallback: "badnets") { name, overrides in
        let kind = try AttackKind.named(name)
        let settings = try numbered(overrides, kind.configuration, "attack")
        return try kind.make(flips ? settings : Self.withoutFlips(settings, kind.configuration)).settings
      }
    }
    defense = try problems.collect("defense", fallback: nil) {
      try Self.choice(parts["defense"], "defense", fallback: "sau") { name, overrides in
        let kind = try DefenseKind.named(name)
        let settings = try numbered(overrides, kind.configuration, "defense")
        return try kind.make(flips ? settings : Self.withoutFlips(settings, kind.configuration)).settings
      }
    }
    try problems.check()
  }

  /// The overrides with every `flip` off that they do not set themselves, in nested groups too.
  private static func withoutFlips(_ overrides: JSONValue, _ type: any Configurable.Type) -> JSONValue {
    guard case .object(var members) = overrides else { return overrides }
    for setting in type.settings {
      if let nested = setting.nested {
        members[setting.key] = withoutFlips(members[setting.key] ?? [:], nested)
      } else if setting.key == "flip", members["flip"] == nil {
        members["flip"] = .bool(false)
      }
    }
    return .object(members)
  }

  private static func recipe(_ value: JSONValue, flips: Bool) throws -> (name: String, recipe: Recipe) {
    let (name, overrides) = try named(value, "recipe", fallback: "fast")
    guard let preset = Recipe.presets.first(where: { $0.name == name }) else {
      throw SettingsError.unknownName(what: "recipe", name: name ?? "none", known: Recipe.presets.map(\.name))
    }
    var base = preset.recipe
    if !flips { base.flip = false }
    return (
      preset.name,
      try SettingsTree.resolve(overrides: SettingsTree.merge(try SettingsTree.encode(base), overrides), at: "recipe")
    )
  }

  /// `badnets`, `none`, or `{name: badnets, rate: 0.1}`.
  private static func named(_ value: JSONValue, _ section: String, fallback: String) throws -> (
    name: String?, overrides: JSONValue
  ) {
    switch value {
    case .string(let name): return (name == "none" ? nil : name, [:])
    case .null: return (nil, [:])
    case .object(var members):
      let name = members.removeValue(forKey: "name") ?? .string(fallback)
      if name == .null { return (nil, [:]) }
      guard let text = name.stringValue else {
        throw SettingsError("\(section).name", "expected a name, found \(name.kindDescription).")
      }
      return (text == "none" ? nil : text, .object(members))
    default: throw SettingsError(section, "expected a name or a group of settings, found \(value.kindDescription).")
    }
  }

  private static func choice(
    _ value: JSONValue?, _ section: String, fallback: String, _ resolve: (String, JSONValue) throws -> JSONValue
  ) throws -> Choice? {
    let (name, overrides) = try named(value ?? [:], section, fallback: fallback)
    return try name.map { Choice(name: $0, settings: try resolve($0, overrides)) }
  }

  /// The full tree: reading it back gives the same configuration.
  public func resolved() throws -> JSONValue {
    func group(_ name: String?, _ settings: JSONValue) -> JSONValue {
      guard let name else { return .string("none") }
      return SettingsTree.merge(settings, ["name": .string(name)])
    }
    var tree = try SettingsTree.encode(general)
    tree["dataset"] = try SettingsTree.encode(dataset)
    tree["model"] = try SettingsTree.encode(model)
    tree["recipe"] = group(recipeName, try SettingsTree.encode(recipe))
    tree["attack"] = group(attack?.name, attack?.settings ?? [:])
    tree["defense"] = group(defense?.name, defense?.settings ?? [:])
    tree["clean"] = try SettingsTree.encode(clean)
    tree["evaluation"] = try SettingsTree.encode(evaluation)
    return tree
  }

  /// Identifies the run: a hash of everything that its result depends on. Which device computes is left out, and so is
  /// where the data lie, unless their name does not say which images they are.
  public func runID() throws -> String {
    try identity(without: ["device", "threads"])
  }

  /// The name of the run's directory, unless the user chooses one: `<attack>-<defense>-<data set>-<id>`.
  public func runFolderName() throws -> String {
    let names = [attack?.name ?? "clean", defense?.name ?? "none", dataset.name]
    return try (names + [runID()]).joined(separator: "-")
  }

  /// Identifies the backdoored model: runs that differ in defense and evaluation alone have the same one.
  public func backdooredModelID() throws -> String {
    try identity(without: ["device", "threads", "defense", "evaluation"] + (changesTraining ? [] : ["clean"]))
  }

  /// Identifies the features that the defense learns without labels: runs that differ in what follows alone have the
  /// same ones. nil where it learns none.
  public func featuresID() throws -> String? {
    guard let defense = try makeDefense() as? any FeatureLearning, let features = defense.features else { return nil }
    let seesUnlabeled = type(of: defense).requires.contains(.unlabeled)
    return try identity(
      without: ["device", "threads", "defense", "evaluation"] + (seesUnlabeled || changesTraining ? [] : ["clean"]),
      features: ["settings": SettingsTree.encode(features), "unlabeled": .bool(seesUnlabeled)])
  }

  /// Whether the clean images are taken out of what the attacker has.
  private var changesTraining: Bool { clean.disjoint || clean.unlabeled > 0 }

  /// - Parameter features: what identifies features; a run and a model have none.
  private func identity(without keys: [String], features: JSONValue? = nil) throws -> String {
    var tree = try resolved()
    for key in keys { tree[key] = .null }
    if let features { tree["features"] = features }
    if var dataset = tree["dataset"] {
      let holdsOwnFiles = try DatasetKind.named(self.dataset.name).holdsOwnFiles
      dataset["path"] = holdsOwnFiles ? self.dataset.path.map { .string(AbsolutePath.of($0)) } ?? .null : .null
      if dataset["holdOut"] == .null { dataset["holdOut"] = nil }  // Runs keep the ids that they had before.
      dataset["maximumPixels"] = nil  // A limit decides whether files are read, not what they hold.
      tree["dataset"] = dataset
    }
    tree["attack"] = tree["attack"].map(Self.identified)
    if var clean = tree["clean"], clean != .null {
      let holdsOwnFiles = try self.clean.unlabeledFrom.map { try DatasetKind.named($0).holdsOwnFiles } ?? false
      clean["unlabeledPath"] = holdsOwnFiles ? self.clean.unlabeledPath.map { .string(AbsolutePath.of($0)) } : nil
      // Runs without such images keep the ids that they had before there was the setting.
      for key in ["unlabeledFrom", "unlabeledCount"] where clean[key] == .null { clean[key] = nil }
      tree["clean"] = clean
    }
    tree["model"] = tree["model"].map(Self.withoutNewDefaults)
    // Where they have their defaults, runs keep the ids that they had before there were these.
    let usual = try SettingsTree.encode(EvaluationSettings())
    for key in ["mapPoisoned", "mapClean", "mapPoints", "retrain"] where tree["evaluation"]?[key] == usual[key] {
      tree["evaluation"]?[key] = nil
    }
    // A preset's settings stand beside its name.
    tree["defense"]?[SettingsPreset.key] = nil
    return Digest.runID(tree)
  }

  /// An attack's settings as ids and jobs have them: of a picture what it shows, wherever it lies, and without a default
  /// that came later.
  static func identified(_ attack: JSONValue) -> JSONValue {
    var attack = attack
    if let image = attack["image"]?.stringValue {
      attack["image"] = .string((try? Digest.sha256Hex(file: image)) ?? AbsolutePath.of(image))
    }
    if attack["flip"] == true { attack["flip"] = nil }
    if ["adaptive-patch", "tact"].contains(attack["name"]?.stringValue), attack["triggers"] == 1 {
      attack["triggers"] = nil
    }
    if attack["statistics"]?.stringValue == BatchStatistics.separate.rawValue { attack["statistics"] = nil }
    return attack
  }

  /// The model's settings without those at their defaults that came later: ids and jobs are what they were before.
  static func withoutNewDefaults(_ model: JSONValue) -> JSONValue {
    var model = model
    for key in ["normalization", "size"] where model[key] == .null { model[key] = nil }
    if model["channels"]?.stringValue == ChannelOrder.rgb.rawValue { model["channels"] = nil }
    for key in ["depth", "widen", "patch", "heads", "stem"] where model[key] == .null { model[key] = nil }
    return model
  }

  public func makeAttack() throws -> (any Attack)? {
    try attack.map { try AttackKind.named($0.name).make($0.settings).attack }
  }
  public func makeDefense() throws -> (any Defense)? {
    try defense.map { try DefenseKind.named($0.name).make($0.settings).defense }
  }
  /// Whether the defense works on images that nobody has checked.
  public func judgesImages() throws -> Bool {
    try makeDefense().map { type(of: $0).requires.contains(.poisonedTrain) } ?? false
  }
  /// Whether the defense works on a model that was trained before.
  public func purifiesModel() throws -> Bool {
    try makeDefense().map { type(of: $0).requires.contains(.model) } ?? false
  }
  /// The defense for data whose classes are numbered in another order than the data set's own.
  /// - Parameter positions: the new number of each class; nil leaves all as they are.
  func makeDefense(renumbering positions: [Int]?) throws -> (any Defense)? {
    guard let positions, let defense else { return try makeDefense() }
    let kind = try DefenseKind.named(defense.name)
    return try kind.make(ClassSettings.renumbered(defense.settings, kind.configuration, positions)).defense
  }
}

/// Settings outside the sections.
public struct GeneralSettings: Configurable, Hashable {
  public var seed = 0
  public var device = "auto"
  public var precision = Precision.auto
  public var threads = ThreadChoice.auto
  public init() {}

  public static let settings: [Setting] = [
    Setting("seed", "Seed of everything random: poison, weights, order, augmentation, clean split.", range: 0...9e15),
    Setting("device", "Where to compute: auto, cpu, cuda or cuda:N."),
    Setting(
      "precision",
      "Arithmetic of forward and backward passes. auto takes the faster one of this machine; a run that goes on keeps "
        + "what it began with.",
      choices: Precision.allCases.map(\.rawValue)),
    Setting(
      "threads",
      "CPU threads of one operation, or auto: as many as there are free cores at the start; a run that goes on keeps "
        + "what it began with. "
        + "Other threads give other bits.",
      range: Double(ThreadChoice.range.lowerBound)...Double(ThreadChoice.range.upperBound)),
  ]
}
