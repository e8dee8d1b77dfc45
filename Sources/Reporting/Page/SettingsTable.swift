import Files
import Foundation
import Support

/// A configuration as tables of names and values, one for each section.
struct SettingsSection {
  struct Row {
    /// Nested keys joined by dots.
    var key: String
    var text: String
  }

  var name: String
  var rows: [Row]

  /// The sections of a configuration: one for each top-level object, and "general" for the values beside them.
  static func all(of configuration: JSONValue) -> [SettingsSection] {
    guard case .object(let members) = configuration else {
      return configuration == .null ? [] : [SettingsSection(name: "general", rows: rows(configuration, key: "value"))]
    }
    var general: [Row] = []
    var sections: [SettingsSection] = []
    for (key, value) in members.sorted(by: { $0.key < $1.key }) {
      if case .object(let inner) = value, !inner.isEmpty {
        sections.append(
          SettingsSection(name: key, rows: inner.sorted { $0.key < $1.key }.flatMap { rows($0.value, key: $0.key) }))
      } else {
        general += rows(value, key: key)
      }
    }
    return (general.isEmpty ? [] : [SettingsSection(name: "general", rows: general)]) + sections
  }

  private static func rows(_ value: JSONValue, key: String) -> [Row] {
    switch value {
    case .object(let members) where !members.isEmpty:
      return members.sorted { $0.key < $1.key }.flatMap { rows($0.value, key: "\(key).\($0.key)") }
    case .array(let elements) where elements.contains { $0.isContainer }:
      return elements.enumerated().flatMap { rows($0.element, key: "\(key)[\($0.offset)]") }
    default:
      return [Row(key: key, text: text(value))]
    }
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .null: "not set"
    case .bool(let value): value ? "yes" : "no"
    case .int(let value): String(value)
    case .double(let value): "\(value)"
    case .string(let value): value
    case .array(let elements): elements.isEmpty ? "none" : elements.map(text).joined(separator: ", ")
    case .object: "none"
    }
  }
}

extension JSONValue {
  fileprivate var isContainer: Bool {
    switch self {
    case .array, .object: true
    default: false
    }
  }
}
