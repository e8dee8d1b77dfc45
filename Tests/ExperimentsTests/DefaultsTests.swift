import Experiments
import Support
import Testing
import Vision

/// The defaults of everything in the catalogue are those of `DefaultsTable`, and each says where it comes from.
@Suite struct DefaultsTests {
  private struct Row {
    var value: String
    var source: String
  }
  /// Of each section the rows by key.
  private static let table = parsed()

  private static func parsed() -> [String: [String: Row]] {
    var sections: [String: [String: Row]] = [:]
    var name = ""
    for line in DefaultsTable.text.split(separator: "\n").map({ $0.trimmed }) where !line.isEmpty {
      if line.hasPrefix("[") {
        name = String(line.dropFirst().dropLast())
        precondition(sections[name] == nil, "[\(name)] is there twice")
        sections[name] = [:]
        continue
      }
      let parts = line.split(separator: "#", maxSplits: 1).map { String($0).trimmed }
      let source = parts.count > 1 ? parts[1] : ""
      let pair = parts[0].split(separator: "=", maxSplits: 1).map { String($0).trimmed }
      precondition(pair.count == 2, "\(line): expected key = value # source")
      guard pair[1].hasPrefix("@") else {
        sections[name]?[pair[0]] = Row(value: pair[1], source: source)
        continue
      }
      // Rows of another section, or of a group of it.
      let words = pair[1].dropFirst().split(separator: " ").map(String.init)
      guard let from = sections["\(words[0]) \(words[1])"] else {
        preconditionFailure("\(line): there is no such section above it")
      }
      let prefix = words.count > 2 ? words[2] + "." : ""
      let place = pair[0] == "*" ? "" : String(pair[0].dropLast())
      for (key, row) in from where key.hasPrefix(prefix) {
        let new = Row(value: row.value, source: source.isEmpty ? row.source : source)
        sections[name]?[place + key.dropFirst(prefix.count)] = new
      }
    }
    return sections
  }

  /// Data sets and models have the settings of their sections.
  private static let sections = Catalog().entries.filter { ![.datasets, .models].contains($0.kind) }
  static let names = sections.map { "\($0.kind.rawValue) \($0.name)" }

  @Test(arguments: names) func defaults(_ name: String) throws {
    let entry = try #require(Self.sections.first { "\($0.kind.rawValue) \($0.name)" == name })
    let settings = entry.settings.filter { $0.kind != "group" || !$0.defaultText.isEmpty }
    var rows = try #require(Self.table[name], "DefaultsTable has no [\(name)]. Its rows:\n\(Self.draft(settings))")
    var missing: [SettingDescription] = []
    for setting in settings {
      guard let row = rows.removeValue(forKey: setting.key) else {
        missing.append(setting)
        continue
      }
      #expect(row.value == setting.defaultText, "\(name), \(setting.key) (\(row.source))")
    }
    #expect(missing.isEmpty, "[\(name)] lacks rows; check the values against the source:\n\(Self.draft(missing))")
    #expect(rows.isEmpty, "[\(name)] has rows of settings that are not there: \(rows.keys.sorted())")
  }

  private static func draft(_ settings: [SettingDescription]) -> String {
    settings.map { "    \($0.key) = \($0.defaultText) # \($0.source ?? "?")" }.joined(separator: "\n")
  }

  @Test func everySectionIsThere() {
    let own = Self.table.keys.filter { !$0.hasPrefix("shared ") }
    #expect(Set(own) == Set(Self.names), "a section of the table that the catalogue does not have")
  }

  /// A published value names its paper's section, another its reference.
  @Test func everyDefaultHasASource() throws {
    for (section, rows) in Self.table {
      for (key, row) in rows {
        let first =
          row.source.split(separator: " ").first.map { $0.trimmingSuffix(while: { ":;,".contains($0) }) } ?? ""
        let isPaper = first.count == 2 && first.first == "P" && "01234".contains(first.dropFirst())
        #expect(isPaper || ["C", "B", "R", "D"].contains(first), "[\(section)] \(key): \"\(row.source)\"")
        if isPaper { #expect(row.source.contains(" "), "[\(section)] \(key): where?") }
        if first == "R" {
          let name = row.source.hasPrefix("R ") ? row.source.dropFirst(2) : ""
          #expect(name.first?.isUppercase == true, "[\(section)] \(key): whose?")
        }
      }
    }
  }

  @Test func sectionsOfDataSetsAndModels() throws {
    let catalog = Catalog()
    for (kind, section) in [(Catalog.Kind.datasets, "dataset"), (.models, "model")] {
      let expected = try catalog.entry(section, kind: .settings).settings
      for entry in catalog.entries(kind) { #expect(entry.settings == expected, "\(entry.name)") }
    }
    #expect(Dictionary(uniqueKeysWithValues: ModelKind.all.map { ($0.id, $0.defaultWidth) }) == DefaultsTable.widths)
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
extension Substring {
  fileprivate func trimmingSuffix(while isTaken: (Character) -> Bool) -> String {
    String(reversed().drop(while: isTaken).reversed())
  }
}
