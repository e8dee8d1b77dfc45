import Experiments
public import Files
import Foundation
public import Support

/// One condition on runs: `attack.rate=0.1`, `defense.name!=none`, `accuracy>=0.9`.
///
/// The left side is a setting by its dotted name, a metric, or one of ``RunQuery/fields``. The right side is read as a
/// value on the command line is; with `=` and `!=` it may be several with commas, any of which will do.
public struct RunCondition: Sendable {
  enum Comparison: String, CaseIterable {
    // Longer ones first: the text is searched for them in this order.
    case notEqual = "!=", atMost = "<=", atLeast = ">=", equal = "=", below = "<", above = ">"
  }

  public let key: String
  let comparison: Comparison
  let values: [JSONValue]
  /// The right side as it was given: what looks like a number may be text, such as an id.
  private let texts: [String]

  /// - Throws: `SettingsError` for a condition that cannot be read.
  public init(_ text: String) throws(SettingsError) {
    let places = Comparison.allCases.compactMap { comparison in
      text.range(of: comparison.rawValue).map { (comparison, $0) }
    }
    // The first sign in the text counts, and of "<=" and "=" the longer one.
    guard
      let (comparison, range) = places.min(by: {
        ($0.1.lowerBound, $1.0.rawValue.count) < ($1.1.lowerBound, $0.0.rawValue.count)
      }), range.lowerBound > text.startIndex, range.upperBound < text.endIndex
    else {
      throw SettingsError(
        "",
        "\(JSONValue.string(text).compactJSON) is no condition. Write key=value, such as attack.rate=0.1; != < <= > >= "
          + "are known too.")
    }
    key = text[..<range.lowerBound].trimmingCharacters(in: .whitespaces)
    self.comparison = comparison
    let side = String(text[range.upperBound...])
    let parts = "[{\"'".contains(side.first ?? " ") ? [side] : side.split(separator: ",").map(String.init)
    var values: [JSONValue] = []
    for part in parts { values.append(try SettingsTree.parseAssignment("value=\(part)").value) }
    self.values = values
    texts = parts
  }

  /// Of the flags of a run, any may be meant.
  private func isOneOf(_ value: JSONValue) -> Bool {
    guard let text = value.stringValue else { return values.contains(value) }
    guard key == "flags" else { return values.contains(value) || texts.contains(text) }
    return text.split(separator: " ").contains { values.contains(.string(String($0))) }
  }

  /// Whether a run's value fulfils the condition; a run without the value does not, except where it shall differ.
  func holds(for value: JSONValue?) -> Bool {
    guard let value else { return comparison == .notEqual }
    switch comparison {
    case .equal: return isOneOf(value)
    case .notEqual: return !isOneOf(value)
    case .below, .atMost, .above, .atLeast:
      guard let bound = values.first else { return false }
      if let left = value.doubleValue, let right = bound.doubleValue { return compare(left, right) }
      if let left = value.stringValue, let right = bound.stringValue ?? texts.first { return compare(left, right) }
      return false
    }
  }

  private func compare<T: Comparable>(_ left: T, _ right: T) -> Bool {
    switch comparison {
    case .below: left < right
    case .atMost: left <= right
    case .above: left > right
    case .atLeast: left >= right
    case .equal, .notEqual: false
    }
  }
}

/// Which runs, in which order.
public struct RunQuery: Sendable {
  /// What is asked for beside settings and metrics.
  public static let fields = ["folder", "id", "title", "status", "created", "finished", "failure", "flags"]

  public var conditions: [RunCondition]
  /// A field, setting or metric; with a minus sign before it the largest come first.
  public var order: String?

  public init(conditions: [RunCondition] = [], order: String? = nil) {
    self.conditions = conditions
    self.order = order
  }

  /// The runs that fulfil all conditions, in order.
  /// - Throws: `SettingsError` for a name that no run has; it suggests the nearest.
  public func select(from runs: [RunSummary]) throws(SettingsError) -> [RunSummary] {
    var runs = runs
    for condition in conditions {
      try Self.check(condition.key, in: runs)
      let reader = Self.reader(of: condition.key)
      // Nothing is known of what a damaged record says, so that it fulfils no condition on it.
      let isOfRecord = !Self.fields.contains(condition.key)
      let kept = runs.filter { !(isOfRecord && $0.status == .damaged) && condition.holds(for: reader($0)) }
      runs = kept
      if runs.isEmpty { return [] }
    }
    guard let order else { return runs }
    let descends = order.hasPrefix("-")
    let key = descends ? String(order.dropFirst()) : order
    try Self.check(key, in: runs)
    let reader = Self.reader(of: key)
    let keyed = runs.map { (run: $0, value: reader($0)) }
    return keyed.sorted { Self.precedes($0.value, $1.value, descends) }.map(\.run)
  }

  /// What a key names in a run.
  /// - Throws: `SettingsError` for a name that no run has.
  public static func check(_ key: String, in runs: [RunSummary]) throws(SettingsError) {
    guard !runs.isEmpty, !fields.contains(key), (try? ResultMetric.named(key)) == nil else { return }
    guard !runs.contains(where: { $0.setting(key) != nil }) else { return }
    var settings: Set<String> = []
    for run in runs.prefix(200) { settings.formUnion(run.leaves.keys) }
    let known = fields + ResultMetric.all.map(\.id) + settings.sorted()
    let question = Nearest.question(key, among: known)
    throw SettingsError(
      "",
      "no run has a setting, a metric or a field \"\(key)\". " + (question.isEmpty ? "" : question + " ")
        + "antidote list names all settings.")
  }

  /// The same for rows, columns and lines, which are made of settings alone.
  public static func checkSetting(_ key: String, in runs: [RunSummary]) throws(SettingsError) {
    try check(key, in: runs)
    guard runs.isEmpty || runs.contains(where: { $0.setting(key) != nil }) else {
      throw SettingsError(
        "", "\(key) is no setting: rows, columns and lines are made of settings, such as attack.name or recipe.epochs.")
    }
  }

  /// How the value of a key is found in a run.
  public static func reader(of key: String) -> (RunSummary) -> JSONValue? {
    switch key {
    case "folder": { .string($0.folder) }
    case "id": { .string($0.id) }
    case "title": { .string($0.title) }
    case "status": { .string($0.status.rawValue) }
    case "failure": { $0.failure.map(JSONValue.string) }
    case "created": { $0.created.map { .string($0.formatted(.iso8601)) } }
    case "finished": { $0.finished.map { .string($0.formatted(.iso8601)) } }
    case "flags": { .string($0.flags.map(\.id).joined(separator: " ")) }
    default:
      // "attack" is a section; no metric has such a name.
      if let metric = try? ResultMetric.named(key) {
        { run in run.values[metric.id].map(JSONValue.double) }
      } else {
        { run in run.setting(key) }
      }
    }
  }

  /// What has no value comes last, in either direction.
  private static func precedes(_ a: JSONValue?, _ b: JSONValue?, _ descends: Bool) -> Bool {
    guard let a, !a.isNull else { return false }
    guard let b, !b.isNull else { return true }
    if let a = a.doubleValue, let b = b.doubleValue {
      if a.isNaN || b.isNaN { return !a.isNaN }
      return descends ? a > b : a < b
    }
    if a.doubleValue != nil || b.doubleValue != nil { return a.doubleValue != nil }
    let (left, right) = (a.plainText, b.plainText)
    return descends ? left > right : left < right
  }
}
