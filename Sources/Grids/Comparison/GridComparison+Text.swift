public import Files
import Support

/// A comparison as text, Markdown and JSON.
extension GridComparison {
  private static let header = ["attack", "defense", "", "here", "there", "difference", ""]

  private var rows: [(metric: ResultMetric, cells: [[String]])] {
    var groups: [(metric: ResultMetric, cells: [[String]])] = []
    for item in items {
      if groups.last?.metric != item.metric { groups.append((item.metric, [])) }
      let mark =
        switch item.isBeyondSpread {
        case true?: "*"
        case false?: ""
        case nil: "?"
        }
      groups[groups.count - 1].cells.append([
        item.attack, item.defense, item.place, shown(item.first, item.metric), shown(item.second, item.metric),
        item.metric.change(from: item.second.mean, to: item.first.mean), mark,
      ])
    }
    return groups
  }

  private func shown(_ side: Side, _ metric: ResultMetric) -> String {
    metric.text(side.mean) + (side.deviation.map { " ± \(metric.text($0))" } ?? "")
      + (side.count > 1 ? " (\(side.count))" : "")
  }

  private var legend: String {
    "here: \(firstName); there: \(secondName). Shares in percent, mean ± deviation (number of seeds). * beyond twice the "
      + "standard error over seeds; ? one seed on each side, so that nothing can be said."
  }

  private var notes: [String] {
    let judged = items.filter { $0.isBeyondSpread != nil }
    var notes = [
      "\(items.count) numbers on both sides: \(judged.count { $0.isBeyondSpread == true }) beyond the seeds' spread, "
        + "\(judged.count { $0.isBeyondSpread == false }) within it, \(items.count - judged.count) of one seed each."
    ]
    if onlyFirst > 0 { notes.append("\(onlyFirst) cells only here.") }
    if onlySecond > 0 { notes.append("\(onlySecond) cells only there.") }
    return notes
  }

  private func text(of order: Order) -> [String] {
    [
      order.attack, order.place, decimal(order.correlation, 2), "\(order.defenses) defenses",
    ]
  }

  /// Aligned tables for a terminal.
  public var text: String {
    var text = legend + "\n"
    if !settingsThatDiffer.isEmpty {
      text += "\nsettings that differ\n" + settingsThatDiffer.map { "  \($0)\n" }.joined()
    }
    for (metric, cells) in rows { text += "\n\(metric.title)\n" + Self.aligned([Self.header] + cells) }
    for (metric, orders) in grouped {
      text += "\norder of the defenses by \(metric.abbreviation) (Spearman's rank correlation)\n"
      text += Self.aligned(orders.map { self.text(of: $0) })
    }
    return text + "\n" + notes.joined(separator: "\n") + "\n"
  }

  private var grouped: [(ResultMetric, [Order])] {
    var groups: [(ResultMetric, [Order])] = []
    for order in orders {
      if groups.last?.0 != order.metric { groups.append((order.metric, [])) }
      groups[groups.count - 1].1.append(order)
    }
    return groups
  }

  /// An empty column takes no room.
  private static func aligned(_ rows: [[String]]) -> String {
    alignedLines(rows, keepsEmpty: false).map { "  \($0)\n" }.joined()
  }

  /// Tables in Markdown.
  public var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    let plain = MarkdownText.escaped
    var text = plain(legend) + "\n"
    if !settingsThatDiffer.isEmpty {
      text += "\nSettings that differ:\n\n" + settingsThatDiffer.map { "- \(plain($0))\n" }.joined()
    }
    let hasPlaces = items.contains { !$0.place.isEmpty }
    for (metric, cells) in rows {
      text += "\n### \(metric.title)\n\n"
      let kept = Self.header.indices.filter { $0 != 2 || hasPlaces }
      let titles = ["Attack", "Defense", "Settings", "Here", "There", "Difference", ""]
      text += line(kept.map { titles[$0] }) + line(kept.map { (3...5).contains($0) ? "---:" : "---" })
      text += cells.map { row in line(kept.map { plain(row[$0]) }) }.joined()
    }
    for (metric, orders) in grouped {
      text += "\n### Order of the defenses by \(metric.abbreviation)\n\n"
      text += line(["Attack", "Settings", "Spearman", "Of"]) + line(["---", "---", "---:", "---"])
      text += orders.map { line(self.text(of: $0).map(plain)) }.joined()
    }
    return text + "\n" + notes.joined(separator: " ") + "\n"
  }

  /// Numbers in full, shares as fractions.
  public var json: JSONValue {
    func side(_ side: Side) -> JSONValue {
      var tree: JSONValue = ["mean": .double(side.mean), "n": .int(side.count)]
      if let deviation = side.deviation { tree["deviation"] = .double(deviation) }
      return tree
    }
    return [
      "first": .string(firstName), "second": .string(secondName),
      "settingsThatDiffer": .array(settingsThatDiffer.map(JSONValue.string)),
      "onlyFirst": .int(onlyFirst), "onlySecond": .int(onlySecond),
      "values": .array(
        items.map { item in
          var tree: JSONValue = [
            "attack": .string(item.attack), "defense": .string(item.defense), "metric": .string(item.metric.id),
            "first": side(item.first), "second": side(item.second), "difference": .double(item.difference),
            "beyondSpread": item.isBeyondSpread.map(JSONValue.bool) ?? .null,
          ]
          if !item.place.isEmpty { tree["settings"] = .string(item.place) }
          if let source = item.source { tree["source"] = .string(source) }
          return tree
        }),
      "orders": .array(
        orders.map { order in
          [
            "attack": .string(order.attack), "settings": .string(order.place), "metric": .string(order.metric.id),
            "spearman": .double(order.correlation), "defenses": .int(order.defenses),
          ]
        }),
    ]
  }
}
