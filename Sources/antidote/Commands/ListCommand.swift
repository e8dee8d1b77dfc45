import ArgumentParser
import Experiments
import Files
import Support

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Data sets, models, attacks, defenses, recipes and every setting of each.",
    discussion: """
        antidote list                         all names
        antidote list defenses                names of one kind
        antidote list attacks badnets         every setting of one
        antidote list settings recipe --json  for other programs
      """)

  @Argument(help: "datasets, models, attacks, defenses, recipes or settings; or a name of any of them.")
  var kind: String?
  @Argument(help: "A name: shows its settings.")
  var name: String?
  @OptionGroup var output: OutputOptions

  func run() throws {
    let catalog = Catalog()
    guard let kind else { return try show(Catalog.Kind.allCases.map { ($0, catalog.entries($0)) }) }
    guard let known = Catalog.Kind(rawValue: kind) else {
      if name != nil {
        throw SettingsError.unknownName(what: "kind", name: kind, known: Catalog.Kind.allCases.map(\.rawValue))
      }
      return try show(try catalog.entry(kind))
    }
    if let name { return try show(try catalog.entry(name, kind: known)) }
    try show([(known, catalog.entries(known))])
  }

  private func show(_ groups: [(kind: Catalog.Kind, entries: [Catalog.Entry])]) throws {
    if output.json { return try Output.write(json: .array(groups.flatMap { $0.entries.map(\.json) })) }
    let width = groups.flatMap { $0.entries.map(\.name.count) }.max() ?? 0
    for (number, group) in groups.enumerated() {
      if groups.count > 1 { try Output.write((number == 0 ? "" : "\n") + "\(group.kind.rawValue)\n") }
      for entry in group.entries { try Output.write(Text.row(entry.name, entry.summary, width: width)) }
    }
    try Output.write(
      "\nantidote list \(groups.count == 1 ? groups[0].kind.rawValue : "KIND") NAME shows the settings of one.\n")
  }

  private func show(_ entry: Catalog.Entry) throws {
    if output.json { return try Output.write(json: entry.json) }
    var text = "\(entry.name): \(entry.summary)\n"
    let facts = (entry.paper.map { [("paper", $0)] } ?? []) + entry.facts.map { ($0.name, $0.value) }
    let width = facts.map(\.0.count).max() ?? 0
    for (name, value) in facts { text += Text.row(name, value, width: width) }
    text += "\nsettings (--set key=value, or in the file of --config)\n"
    for setting in entry.settings {
      text +=
        "  \(entry.prefix)\(setting.key)" + (setting.defaultText.isEmpty ? "" : " = \(setting.defaultText)") + "\n"
      text += Text.paragraph(setting.summary, indent: 6)
      let notes = [
        setting.kind == "value" ? nil : setting.kind, setting.unit, setting.range,
        setting.choices.map { $0.joined(separator: " | ") }, setting.source.map { "source: \($0)" },
      ]
      let line = notes.compactMap { $0 }.joined(separator: "; ")
      if !line.isEmpty { text += Text.paragraph("(\(line))", indent: 6) }
    }
    if !entry.presets.isEmpty {
      text += "\npresets (--set \(entry.prefix)preset=name; what you set yourself goes over it)\n"
    }
    for preset in entry.presets {
      text += "  \(preset.name)\n" + Text.paragraph("(source: \(preset.source))", indent: 6)
      for (key, value) in preset.leaves { text += "      \(entry.prefix)\(key) = \(value)\n" }
    }
    try Output.write(text)
  }
}
