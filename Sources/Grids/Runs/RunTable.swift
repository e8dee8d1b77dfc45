import Experiments
public import Files
import Foundation
public import Support

/// Runs as a table with one row each.
public struct RunTable {
  private let header: [String]
  private let isText: [Bool]
  private let rows: [[JSONValue?]]
  private let metrics: [ResultMetric?]

  /// The columns where nobody chooses; metrics that no run has are left out.
  private static let usual =
    ["folder", "status", "attack.name", "attack.rate", "defense.name", "dataset.name", "seed"]
    + ResultMetric.usual.map(\.id) + ["flags"]

  /// - Parameter columns: names of settings, metrics or fields.
  /// - Throws: `SettingsError` for a name that no run has.
  public init(_ runs: [RunSummary], columns: [String]?) throws(SettingsError) {
    for column in columns ?? [] { try RunQuery.check(column, in: runs) }
    let names = columns ?? Self.usual
    let metrics = names.map { try? ResultMetric.named($0) }
    let readers = names.map { RunQuery.reader(of: $0) }
    let rows = runs.map { run in readers.map { $0(run) } }
    let kept = names.indices.filter { column in
      columns != nil || runs.isEmpty || rows.contains { $0[column] != nil && $0[column] != .string("") }
    }
    header = kept.map { metrics[$0]?.abbreviation ?? names[$0].replacing(".name", with: "") }
    self.metrics = kept.map { metrics[$0] }
    let shown = rows.map { row in kept.map { row[$0] } }
    self.rows = shown
    isText = kept.indices.map { column in !shown.contains { $0[column]?.doubleValue != nil } }
  }

  /// Aligned columns for a terminal: text to the left, numbers to the right.
  public var text: String {
    let cells = rows.map { row in zip(row, metrics).map { Self.shown($0, $1) } }
    let numbers = isText.indices.filter { !isText[$0] }
    return alignedLines([header] + cells, right: Set(numbers)).map { $0 + "\n" }.joined()
  }

  /// Comma-separated values (RFC 4180): numbers in full, shares as fractions.
  public var csv: String {
    CSVTable.text([header] + rows.map { row in row.map { $0.map { $0.isNull ? "" : $0.plainText } ?? "" } })
  }

  private static func shown(_ value: JSONValue?, _ metric: ResultMetric?) -> String {
    guard let value else { return "-" }
    if let metric, let number = value.doubleValue { return metric.text(number) }
    return value.isNull ? "-" : value.plainText
  }
}

extension ResultMetric {
  /// A value as tables show it: a share in percent with one decimal, without the sign.
  public func text(_ value: Double, digits: Int = 1) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-inf" : "inf" }
    return switch kind {
    case .share: decimal(100 * value, digits)
    case .ratio: decimal(value, digits + 2)
    case .seconds: formatDuration(value)
    case .count: decimal(value, value == value.rounded() ? 0 : digits)
    }
  }

  /// From one value to another with its sign, as the difference of what is shown; times have none.
  func change(from first: Double, to second: Double) -> String {
    guard kind != .seconds else { return "" }
    guard let a = Double(text(first)), let b = Double(text(second)), (b - a).isFinite else {
      return text(second - first)
    }
    let difference = b - a
    let digits = kind == .share ? 1 : kind == .ratio ? 3 : difference == difference.rounded() ? 0 : 1
    return (difference > 0 ? "+" : "") + decimal(difference, digits)
  }

  /// What the unit is, for headings: "%".
  public var unit: String { kind == .share ? "%" : "" }
}

extension RunSummary {
  /// The run with all its settings and values, for other programs.
  public var json: JSONValue {
    var tree: JSONValue = [
      "folder": .string(folder), "id": .string(id), "title": .string(title), "status": .string(status.rawValue),
      "settings": settings, "values": .object(values.mapValues(JSONValue.double)),
      "flags": .array(flags.map { .string($0.id) }),
    ]
    if let failure { tree["failure"] = .string(failure) }
    if let created { tree["created"] = .string(created.formatted(.iso8601)) }
    if let finished { tree["finished"] = .string(finished.formatted(.iso8601)) }
    if let command { tree["command"] = .string(command) }
    return tree
  }
}
