import Attacks
import Audit
import Backdoor
import Defenses
public import Support
import Training
import Vision

/// Everything that can be chosen by name, with every setting: what `antidote list` shows.
public struct Catalog: Sendable {
  public enum Kind: String, Sendable, CaseIterable, Codable {
    case datasets, models, attacks, defenses, recipes, settings
  }

  /// One name.
  public struct Entry: Sendable {
    public var kind: Kind
    public var name: String
    public var summary: String
    /// Where it was published.
    public var paper: String?
    /// Other facts, such as the files that a data set needs.
    public var facts: [(name: String, value: String)] = []
    public var settings: [SettingDescription] = []
    /// Settings that can be chosen by one name.
    public var presets: [SettingsPreset] = []
    /// Before the names of the settings on the command line: `attack.`.
    public var prefix = ""
  }

  public let entries: [Entry]

  public init() {
    entries = Kind.allCases.flatMap(Self.entries)
  }

  public func entries(_ kind: Kind) -> [Entry] { entries.filter { $0.kind == kind } }

  /// The entry of this name; among all kinds where none is given.
  /// - Throws: `SettingsError` that suggests the nearest names.
  public func entry(_ name: String, kind: Kind? = nil) throws(SettingsError) -> Entry {
    let pool = kind.map(entries) ?? entries
    guard let entry = pool.first(where: { $0.name == name }) else {
      let what = kind.map { String($0.rawValue.dropLast()) } ?? "name"
      let kinds = kind == nil ? Kind.allCases.map(\.rawValue) : []
      throw SettingsError.unknownName(what: what, name: name, known: kinds + pool.map(\.name))
    }
    return entry
  }

  private static func entries(_ kind: Kind) -> [Entry] {
    switch kind {
    case .datasets:
      DatasetKind.all.map { data in
        Entry(
          kind: kind, name: data.id, summary: data.title,
          facts: [("files", data.layout), ("mirroring", data.flips ? "allowed" : "changes the class")],
          settings: SettingsTree.describe(DatasetSettings.self), prefix: "dataset.")
      }
    case .models:
      ModelKind.all.map { model in
        Entry(
          kind: kind, name: model.id, summary: model.summary,
          facts: facts(model),
          settings: SettingsTree.describe(ModelSettings.self), prefix: "model.")
      }
    case .attacks:
      AttackKind.all.map { attack in
        Entry(
          kind: kind, name: attack.id, summary: attack.summary, paper: attack.paper,
          settings: SettingsTree.describe(attack.configuration), prefix: "attack.")
      }
    case .defenses:
      DefenseKind.all.map { defense in
        let needs = defense.requires.map(\.rawValue).sorted().joined(separator: ", ")
        return Entry(
          kind: kind, name: defense.id, summary: defense.summary, paper: defense.paper,
          facts: [("acts on", defense.stage.rawValue), ("needs", needs)],
          settings: SettingsTree.describe(defense.configuration), presets: defense.presets, prefix: "defense.")
      }
    case .recipes:
      Recipe.presets.map { preset in
        Entry(
          kind: kind, name: preset.name, summary: preset.summary,
          settings: SettingsTree.describe(Recipe.self, values: preset.recipe), prefix: "recipe.")
      }
    case .settings:
      [
        section(
          "general", "What belongs to no section: seed, device, precision, threads.", GeneralSettings.self, prefix: ""),
        section("dataset", "Which images, and how many of them.", DatasetSettings.self),
        section("model", "The architecture.", ModelSettings.self),
        section("recipe", "How the model is trained; antidote list recipes has the presets.", Recipe.self),
        section("clean", "The defender's clean images.", CleanSettings.self),
        section("audit", "How an audit measures a model.", AuditSettings.self),
        section("evaluation", "What is measured, and how often.", EvaluationSettings.self),
      ]
    }
  }

  private static func facts(_ model: ModelKind) -> [(name: String, value: String)] {
    var facts = [("published width", "\(model.defaultWidth) channels")]
    if let depth = model.options.depth {
      facts.append(("depth", "\(depth.published), or another of \(depth.description)"))
    }
    if let widen = model.options.widen { facts.append(("widen factor", "\(widen)")) }
    if let heads = model.options.heads { facts.append(("attention heads", "\(heads)")) }
    return facts
  }

  private static func section(_ name: String, _ summary: String, _ type: any Configurable.Type, prefix: String? = nil)
    -> Entry
  {
    Entry(
      kind: .settings, name: name, summary: summary, settings: SettingsTree.describe(type), prefix: prefix ?? "\(name)."
    )
  }
}
