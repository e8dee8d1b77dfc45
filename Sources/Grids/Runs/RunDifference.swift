public import Files

/// Where two runs differ.
public struct RunDifference {
  let first: RunSummary
  let second: RunSummary
  /// By name, those of the same value left out; nil where a run has no such setting.
  let settings: [(key: String, first: JSONValue?, second: JSONValue?)]
  let values: [(metric: ResultMetric, first: Double?, second: Double?)]

  public init(_ first: RunSummary, _ second: RunSummary) {
    (self.first, self.second) = (first, second)
    let (old, new) = (first.leaves, second.leaves)
    settings = Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }.map { ($0, old[$0], new[$0]) }
    let known = ResultMetric.all
    let bounds = Set(first.values.keys).union(second.values.keys).filter {
      $0.hasPrefix(ResultMetric.filteringRatePrefix)
    }
    let others = bounds.sorted().compactMap { try? ResultMetric.named($0) }
    values = (known + others).filter { first.values[$0.id] != nil || second.values[$0.id] != nil }.map {
      ($0, first.values[$0.id], second.values[$0.id])
    }
  }

  /// Two tables for a terminal.
  public var text: String {
    func shown(_ value: JSONValue?) -> String { value.map { $0.isNull ? "not set" : $0.plainText } ?? "-" }
    var rows = settings.map { [$0.key, shown($0.first), shown($0.second), ""] }
    if rows.isEmpty { rows = [["the settings are the same", "", "", ""]] }
    rows += values.map { row in
      let change = row.first.flatMap { a in row.second.map { row.metric.change(from: a, to: $0) } }
      return [
        row.metric.abbreviation, row.first.map { row.metric.text($0) } ?? "-",
        row.second.map { row.metric.text($0) } ?? "-", change ?? "",
      ]
    }
    return alignedLines([["", first.folder, second.folder, ""]] + rows).map { $0 + "\n" }.joined()
  }

  public var json: JSONValue {
    func pair(_ a: JSONValue?, _ b: JSONValue?) -> JSONValue { .array([a ?? .null, b ?? .null]) }
    return [
      "runs": .array([.string(first.folder), .string(second.folder)]),
      "settings": .object(Dictionary(uniqueKeysWithValues: settings.map { ($0.key, pair($0.first, $0.second)) })),
      "values": .object(
        Dictionary(
          uniqueKeysWithValues: values.map {
            ($0.metric.id, pair($0.first.map(JSONValue.double), $0.second.map(JSONValue.double)))
          })),
    ]
  }
}
