import Experiments
import Files
import Foundation
import Grids
import Support

/// The page about a grid. It needs no network and no other file; the reports of the runs that it leads to lie beside
/// it.
struct GridPage {
  /// A drawing for a file of its own.
  struct Figure {
    var name: String
    var svg: String
    var rows: [[String]]
  }

  let title: String
  let html: String
  let figures: [Figure]

  init(_ grid: ResultGrid, title: String, charts: [NumericChart], maps: [GridMaps.Map], root: String, command: String?)
  {
    self.title = title
    var drawings = GridDrawings()
    drawings.add(charts)
    drawings.add(maps)
    for (number, table) in grid.tables.enumerated() { drawings.add(table, number: number, of: grid.tables.count) }
    figures = drawings.figures
    let parts = GridPageParts(grid, root: root)
    html = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
      script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
      <title>\(HTMLText.escape(title)) – Antidote</title>
      <style>\(ReportStyle.text)\(GridStyle.text)</style>
      </head>
      <body>
      <header>
      <p class="eyebrow"><span class="brand">Antidote</span> grid</p>
      <h1>\(HTMLText.escape(title))</h1>
      <p class="subtitle">\(HTMLText.escape(GridWords.summary(grid)))</p>
      </header>
      <main>
      \(parts.notes)
      <section id="tables">
      <h2>Results</h2>
      <p class="lead">\(HTMLText.escape(GridWords.legend(grid))) In each row the best defense is in bold, the second best \
      underlined. A click on a heading sorts by it, a number leads to its runs.</p>
      \(parts.tables)
      </section>
      \(drawings.html)
      \(parts.unfinished)
      \(parts.runs)
      \(command.map { "<section id=\"reproduce\"><h2>This page</h2><pre><code>\(HTMLText.escape($0))</code></pre></section>" } ?? "")
      </main>
      <footer>Written by Antidote \(HTMLText.escape(Machine.version)) from the records of the runs.</footer>
      <script>\(GridScript.text)</script>
      </body>
      </html>

      """
  }
}

/// The sections of the page that are made of the grid's cells.
private struct GridPageParts {
  let notes: String
  let tables: String
  let runs: String
  let unfinished: String

  init(_ grid: ResultGrid, root: String) {
    notes = Self.notes(GridWords.flags(grid))
    unfinished = Self.unfinished(grid.unfinished, root: root)
    var tables = ""
    var runs = ""
    for (number, table) in grid.tables.enumerated() {
      if !table.label.keys.isEmpty { tables += "<h3 class=\"slice\">\(HTMLText.escape(table.label.text))</h3>\n" }
      for metric in grid.metrics where table.has(metric) {
        tables += Self.table(GridTableText(table, metric), id: "t\(number)-\(Path.safeName(metric.id))", number)
      }
      runs += Self.cells(table, number, grid.metrics, root: root)
    }
    self.tables = tables
    self.runs = """
      <section id="runs">
      <h2>Cell by cell</h2>
      <p class="lead">The runs of each cell, with their own reports and the commands that made them.</p>
      \(runs)</section>
      """
  }

  private static func notes(_ notes: [GridWords.Note]) -> String {
    guard !notes.isEmpty else { return "" }
    let items = notes.map { note in
      let places = note.places.prefix(12).joined(separator: "; ") + (note.places.count > 12 ? "; …" : "")
      let count = note.places.count == 1 ? note.places[0] : "\(note.places.count) cells"
      return """
        <details id="flag-\(HTMLText.escape(note.id))">
        <summary><span class="flag" aria-hidden="true">⚑</span> <strong>\(HTMLText.escape(note.title)):</strong> \
        \(HTMLText.escape(count))</summary>
        <p>\(HTMLText.escape(note.explanation)) <code>\(HTMLText.escape(note.id))</code></p>
        <p>\(HTMLText.escape(places))</p>
        </details>
        """
    }
    return """
      <section class="flags" id="flags">
      <h2>Before you use these numbers</h2>
      \(items.joined(separator: "\n"))
      </section>
      """
  }

  private static func table(_ text: GridTableText, id: String, _ number: Int) -> String {
    let (table, metric) = (text.table, text.metric)
    // What speaks against every cell stands above; a mark on each would hide the others.
    let filled = table.cells.joined().compactMap { $0 }
    let common = filled.dropFirst().reduce(Set(filled.first?.flags.map(\.id) ?? [])) { ids, cell in
      ids.intersection(cell.flags.map(\.id))
    }.union([RunFlag.singleSeed.rawValue])
    let header = text.columnLabels.map {
      "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">\(HTMLText.escape($0))</button></th>"
    }
    let rows = table.rows.indices.map { row in
      let cells = table.columns.indices.map { column -> String in
        guard let cell = table.cells[row][column], let statistic = cell[metric] else {
          return "<td class=\"missing\">\(NumberText.missing)</td>"
        }
        let style =
          switch text.mark(row, column) {
          case .best: "best"
          case .second: "second"
          case nil: ""
          }
        let spread = statistic.deviation.map { " <small>± \(metric.text($0))</small>" } ?? ""
        let count = statistic.count == cell.runs.count ? "" : " <small>(n = \(statistic.count))</small>"
        let flags = cell.flags.filter { !common.contains($0.id) }
        let flag =
          flags.isEmpty
          ? ""
          : "<span class=\"flag\" title=\"\(HTMLText.escape(flags.map(\.message).joined(separator: " ")))\">⚑</span> "
        return "<td data-value=\"\(statistic.mean)\"\(style.isEmpty ? "" : " class=\"\(style)\"")>"
          + "\(flag)<a href=\"#c\(number)-\(row)-\(column)\">\(metric.text(statistic.mean))</a>\(spread)\(count)</td>"
      }
      return "<tr><th scope=\"row\">\(HTMLText.escape(text.rowLabels[row]))</th>\(cells.joined())</tr>"
    }
    let averages = table.columns.indices.map { column in
      "<td>\(text.average(column).map { metric.text($0) } ?? NumberText.missing)</td>"
    }
    let foot =
      text.hasAverages ? "<tfoot><tr><th scope=\"row\">average</th>\(averages.joined())</tr></tfoot>" : ""
    let copies = [("CSV", text.csv), ("Markdown", text.markdown), ("LaTeX", text.latex)].map { name, content in
      "<button type=\"button\" class=\"copy\">Copy \(name)</button><textarea hidden readonly>\(HTMLText.escape(content))</textarea>"
    }
    return """
      <figure class="results" id="\(id)">
      <figcaption><span><strong>\(HTMLText.escape(metric.title))</strong>\(metric.unit.isEmpty ? "" : ", \(metric.unit)")</span> \
      <small>\(metric.higherIsBetter ? "higher is better" : "lower is better")</small> \
      <span class="copies">\(copies.joined(separator: " "))</span></figcaption>
      <div class="wide"><table class="plain sortable">
      <thead><tr><th scope="col" aria-sort="none"><button type="button">\(HTMLText.escape(metric.abbreviation))</button></th>\
      \(header.joined())</tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody>\(foot)
      </table></div>
      </figure>

      """
  }

  private static func cells(_ table: ResultGrid.Table, _ number: Int, _ metrics: [ResultMetric], root: String) -> String
  {
    var text = ""
    for row in table.rows.indices {
      for column in table.columns.indices {
        guard let cell = table.cells[row][column] else { continue }
        let name = [
          table.label.text, table.rows[row].text, table.text(ofColumn: column),
        ]
        .filter { !$0.isEmpty }.joined(separator: " · ")
        let scores = metrics.compactMap { metric in
          metric.text(cell[metric]).map { "\(metric.abbreviation) \($0)" }
        }
        let runs = cell.runs.map { run in
          let report = run.folder == "." ? RunDirectory.reportName : Path.join(run.folder, RunDirectory.reportName)
          let link =
            FileSystem.isFile(Path.join(root, report))
            ? "<a href=\"\(HTMLText.escape(Self.address(report)))\">report</a>" : "no report"
          let command = run.command.map { "<pre><code>\(HTMLText.escape($0))</code></pre>" } ?? ""
          return "<li><code>\(HTMLText.escape(run.folder))</code> seed \(run.seed ?? 0) · \(link)\(command)</li>"
        }
        let flags = cell.flags.map { "<li>⚑ \(HTMLText.escape($0.message))</li>" }
        text += """
          <details id="c\(number)-\(row)-\(column)"><summary><strong>\(HTMLText.escape(name))</strong> \
          <small>\(HTMLText.escape(scores.joined(separator: " · ")))</small></summary>
          <ul class="runs">\((flags + runs).joined(separator: "\n"))</ul></details>

          """
      }
    }
    return text
  }

  private static func unfinished(_ runs: [RunSummary], root: String) -> String {
    guard !runs.isEmpty else { return "" }
    let items = runs.prefix(200).map { run in
      "<tr><th scope=\"row\"><code>\(HTMLText.escape(run.folder))</code></th><td class=\"word\">\(run.status.rawValue)</td>"
        + "<td class=\"words\">\(HTMLText.escape(run.failure ?? ""))</td></tr>"
    }
    return """
      <section id="unfinished">
      <h2>Runs that do not count</h2>
      <div class="wide"><table class="plain"><thead><tr><th scope="col">Run</th><th scope="col" class="word">Status</th>\
      <th scope="col" class="words">Reason</th></tr></thead><tbody>
      \(items.joined(separator: "\n"))
      </tbody></table></div>
      </section>
      """
  }

  /// A path as a relative address: names of folders may hold anything.
  private static func address(_ path: String) -> String {
    var allowed = CharacterSet.urlPathAllowed
    allowed.remove(charactersIn: ":;?#")
    return path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path
  }
}

/// The charts of the page, and the same as files.
private struct GridDrawings {
  private(set) var figures: [GridPage.Figure] = []
  private var asked = ""
  private var usual = ""

  var html: String {
    (asked.isEmpty ? "" : "<section id=\"charts\"><h2>Charts</h2><div class=\"charts\">\(asked)</div></section>\n")
      + (usual.isEmpty
        ? "" : "<section id=\"overview\"><h2>At a glance</h2><div class=\"charts drawings\">\(usual)</div></section>\n")
  }

  mutating func add(_ charts: [NumericChart]) {
    for (number, chart) in charts.enumerated() {
      let legend = chart.series.enumerated().map { (name: $1.name, color: $0 % NumericChart.styles, shape: 0) }
      asked += Self.figure(chart.title, Self.lines(legend), chart.svg())
      add("chart-\(number + 1)-\(Path.safeName(chart.title))", ChartFile.text(chart.svg(), legend: legend), chart.rows)
    }
  }

  mutating func add(_ maps: [GridMaps.Map]) {
    for (number, map) in maps.enumerated() {
      let svg = SampleMapChart.draw(map.map)
      asked += Self.figure(map.title, "", svg)
      add("map-\(number + 1)-\(Path.safeName(map.title))", ChartFile.text(svg, legend: []), map.rows)
    }
  }

  mutating func add(_ table: ResultGrid.Table, number: Int, of count: Int) {
    let name = table.label.keys.isEmpty ? "" : " – \(table.label.text)"
    let end = count > 1 ? "-\(number + 1)" : ""
    let scatter = Self.scatter(table, "ACC against ASR\(name)")
    if scatter.groups.contains(where: { !$0.points.isEmpty }) {
      let legend = scatter.groups.enumerated().map { index, group in
        let style = ScatterChart.style(index)
        return (name: group.name, color: style.color, shape: style.shape)
      }
      usual += Self.figure(scatter.title, Self.dots(legend), scatter.svg())
      let points = scatter.groups.flatMap { group in
        group.points.map { [$0.name, group.name, "\($0.x)", "\($0.y)"] }
      }
      add(
        "accuracy-against-attack-success\(end)", ChartFile.text(scatter.svg(), legend: legend),
        [["row", "column", "accuracy", "attackSuccessRate"]] + points)
    }
    // One row or column is no map.
    guard table.rows.count > 1, table.columns.count > 1 else { return }
    for metric in [ResultMetric.attackSuccessRate, .accuracy, .truePositiveRate] where table.has(metric) {
      let text = GridTableText(table, metric)
      let map = HeatMapChart(
        title: "\(metric.title)\(name)", rows: text.rowLabels, columns: text.columnLabels,
        values: table.cells.map { $0.map { $0?[metric]?.mean } }, higherIsBetter: metric.higherIsBetter)
      usual += Self.figure(map.title, "", map.svg(), style: table.columns.count > 9 ? "heat broad" : "heat")
      let rows = zip(map.rows, map.values).map { row, values in [row] + values.map { $0.map { "\($0)" } ?? "" } }
      add("\(Path.safeName(metric.id))-map\(end)", ChartFile.text(map.svg(), legend: []), [[""] + map.columns] + rows)
    }
  }

  private mutating func add(_ name: String, _ svg: String, _ rows: [[String]]) {
    figures.append(GridPage.Figure(name: name, svg: svg, rows: rows))
  }

  private static func scatter(_ table: ResultGrid.Table, _ title: String) -> ScatterChart {
    let groups = table.columns.indices.map { column in
      let points = table.rows.indices.compactMap { row -> ScatterChart.Point? in
        guard let cell = table.cells[row][column], let accuracy = cell[.accuracy], let rate = cell[.attackSuccessRate]
        else { return nil }
        return ScatterChart.Point(name: table.rows[row].text, x: accuracy.mean, y: rate.mean)
      }
      return (name: table.text(ofColumn: column), points: points)
    }
    return ScatterChart(title: title, xLabel: "ACC", yLabel: "ASR", groups: groups)
  }

  private static func figure(_ title: String, _ legend: String, _ svg: String, style: String = "") -> String {
    "<figure\(style.isEmpty ? "" : " class=\"\(style)\"")><figcaption>\(HTMLText.escape(title))</figcaption>\(legend)"
      + "<div class=\"plot\">\(svg)</div></figure>\n"
  }

  private static func lines(_ legend: [(name: String, color: Int, shape: Int)]) -> String {
    let items = legend.map {
      "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><line class=\"line s\($0.color)\" x1=\"1\" y1=\"5\" x2=\"25\" "
        + "y2=\"5\"/><circle class=\"dot s\($0.color)\" cx=\"13\" cy=\"5\" r=\"2.6\"/></svg>\(HTMLText.escape($0.name))</li>"
    }
    return "<ul class=\"legend\">\(items.joined())</ul>"
  }

  private static func dots(_ legend: [(name: String, color: Int, shape: Int)]) -> String {
    let items = legend.map {
      "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\">"
        + ScatterChart.marker($0.shape, "dot s\($0.color)", 13, 5, "") + "</svg>\(HTMLText.escape($0.name))</li>"
    }
    return "<ul class=\"legend\">\(items.joined())</ul>"
  }
}
