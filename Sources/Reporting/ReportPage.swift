import Experiments
import Files
import Foundation
import Support

/// What the page template shows, as text that is ready to be set. Property names are the names in the template.
///
/// Mustache looks a name up in the enclosing values when the inner one has none, so optional properties have names of their own.
struct ReportPage {
  struct Fact {
    var name: String
    var text: String
  }

  struct FlagNote {
    var flagTitle: String
    var flagMessage: String
    var flagExplanation: String
    var flagID: String
  }

  struct ScoreSection {
    var columns: [String]
    var changes: Bool
    var scores: [ScoreRow]
    var riskRows: RiskRows?
    var lastEpochs: String?
    var rating: Rating?
  }

  struct RiskRows {
    var risks: [ScoreRow]
    var width: Int
  }

  struct ScoreRow {
    var abbreviation: String
    var name: String
    var explanation: String
    var cells: [ScoreCell]
    var changeCell: ChangeCell?
  }

  struct ScoreCell {
    var column: String
    var value: String
    var details: [String]
  }

  struct ChangeCell {
    var difference: String
    var trend: String
    var unit: String
  }

  struct Rating {
    var ratingValue: String
    var ratingExplanation: String
    var span: Int
  }

  struct CurveSection {
    var stages: [CurveStage]
    /// Helper stages, folded away where there are many.
    var helpers: FoldedStages?
    var staticNote: String?
    var interactive: Interactive?
  }

  struct FoldedStages {
    var foldedCount: String
    var folded: [CurveStage]
  }

  struct Interactive {
    var json: String
  }

  struct CurveStage {
    var stageTitle: String
    var charts: [CurveChart]
  }

  struct CurveChart {
    var chartID: String
    var chartTitle: String
    var svg: String
    var legend: [LegendEntry]
  }

  struct LegendEntry {
    var legendName: String
    var style: Int
    var side: String?
  }

  struct StageTime {
    var stageName: String
    var time: String
    var epochs: String
    var speed: String
    var memory: String
  }

  struct TimeSection {
    var rows: [StageTime]
    var total: String
  }

  struct Flags { var notes: [FlagNote] }
  struct Settings { var sections: [SettingsGroup] }

  struct SettingsGroup {
    var sectionName: String
    var sectionCount: String
    var entries: [SettingsSection.Row]
  }

  struct Reproduction { var commandLine: String }

  var style = ReportStyle.text
  var script = ReportScript.text
  var pageTitle: String
  var subtitle: String
  var status: String
  var runID: String
  var shortID: String
  var tone: String
  var toneWord: String
  var toneSymbol: String
  var sentence: String
  var flags: Flags?
  var scoreSection: ScoreSection?
  var curves: CurveSection?
  var findingsSection: FindingsSection?
  var samples: ImageGallery?
  var perturbations: ImageGallery?
  var poisonFacts: [Fact]
  var defenseFacts: [Fact]
  var datasetFacts: [Fact]
  var times: TimeSection?
  var settings: Settings?
  var environment: [Fact]
  var reproduction: Reproduction?
  var footer: String
}

extension ReportPage {
  /// - Parameters:
  ///   - directory: The run's folder, for the images.
  ///   - plotly: Whether curves can be interactive.
  /// - Throws: An `EncodingError`; none is expected.
  init(record: RunRecord, metrics: [MetricsEntry], directory: String, plotly: PlotlyLibrary) throws {
    let verdict = Verdict(record)
    self.init(
      pageTitle: record.title, subtitle: Self.subtitle(record), status: record.status.rawValue, runID: record.id,
      shortID: String(record.id.prefix(12)), tone: verdict.tone.rawValue, toneWord: verdict.word, toneSymbol: verdict.tone.symbol,
      sentence: verdict.sentence, flags: Self.flags(record), scoreSection: Self.scores(record),
      curves: try Self.curves(metrics, plotly: plotly),
      findingsSection: Self.findings(record, in: directory), samples: ImageGallery(samplesOf: record, in: directory),
      perturbations: ImageGallery(perturbationsOf: record, in: directory), poisonFacts: Self.poison(record),
      defenseFacts: Self.defense(record), datasetFacts: Self.dataset(record), times: Self.times(record), settings: Self.settings(record),
      environment: Self.environment(record), reproduction: record.command.map { Reproduction(commandLine: $0) },
      footer: "Written by Antidote \(record.environment.antidote) from record.json, metrics.jsonl and the images in samples/.")
  }

  private static func subtitle(_ record: RunRecord) -> String {
    var parts: [String] = []
    if let attack = record.poison?.attack { parts.append(attack) }
    if let defense = record.defense?.name { parts.append(defense) }
    if let dataset = record.dataset?.name { parts.append(dataset) }
    parts.append(NumberText.date(record.created))
    let seconds = record.stages.reduce(0) { $0 + $1.seconds }
    if seconds > 0 { parts.append(formatDuration(seconds)) }
    return parts.joined(separator: " · ")
  }

  private static func flags(_ record: RunRecord) -> Flags? {
    guard !record.flags.isEmpty else { return nil }
    return Flags(
      notes: record.flags.map { raised in
        FlagNote(
          flagTitle: raised.flag?.title ?? raised.id, flagMessage: raised.message,
          flagExplanation: raised.flag?.explanation ?? "A newer version of Antidote raised this flag and can explain it.",
          flagID: raised.id)
      })
  }

  private static func scores(_ record: RunRecord) -> ScoreSection? {
    let table = ScoreTable(record)
    guard !table.scores.isEmpty else { return nil }
    let changes = (table.scores + table.risks).contains { $0.change != nil }
    func rows(_ rows: [ScoreTable.Row]) -> [ScoreRow] {
      rows.map { row in
        let change = ChangeCell(
          difference: row.change ?? NumberText.missing, trend: row.change == nil ? "same" : row.trend,
          unit: row.change == nil ? "" : row.trend == "same" ? "points" : "points, \(row.trend)")
        return ScoreRow(
          abbreviation: row.abbreviation, name: row.name, explanation: row.explanation,
          cells: zip(table.columns, row.cells).map { ScoreCell(column: $0, value: $1.value, details: $1.details) },
          changeCell: changes ? change : nil)
      }
    }
    let width = table.columns.count + (changes ? 1 : 0)
    return ScoreSection(
      columns: table.columns, changes: changes, scores: rows(table.scores),
      riskRows: table.risks.isEmpty ? nil : RiskRows(risks: rows(table.risks), width: width + 1), lastEpochs: record.lastEpochs?.sentence,
      rating: table.effectiveness.map {
        Rating(ratingValue: $0, ratingExplanation: Glossary.effectiveness.explanation, span: width)
      })
  }

  private static func curves(_ metrics: [MetricsEntry], plotly: PlotlyLibrary) throws -> CurveSection? {
    let stages = StageCharts.all(from: metrics)
    guard !stages.isEmpty else { return nil }
    let shown = stages.map { stage in
      CurveStage(
        stageTitle: stage.title,
        charts: stage.charts.map { chart in
          CurveChart(
            chartID: chart.id, chartTitle: chart.title, svg: SVGChart.draw(chart),
            legend: chart.series.map {
              LegendEntry(legendName: $0.name, style: $0.style, side: chart.right == nil ? nil : $0.onRightAxis ? "right" : "left")
            })
        })
    }
    let interactive = plotly == .installed ? Interactive(json: try PlotlyChart.json(stages.flatMap(\.charts))) : nil
    let isMain = stages.map { stage in stages.count <= 6 || stage.charts.contains { $0.id.hasSuffix("-scores") } }
    let main = zip(shown, isMain).filter(\.1).map(\.0)
    let folded = zip(shown, isMain).filter { !$0.1 }.map(\.0)
    return CurveSection(
      stages: main, helpers: folded.isEmpty ? nil : FoldedStages(foldedCount: formatCount(folded.count), folded: folded),
      staticNote: plotly.note, interactive: interactive)
  }

  private static func times(_ record: RunRecord) -> TimeSection? {
    guard !record.stages.isEmpty else { return nil }
    let rows = record.stages.map { stage in
      StageTime(
        stageName: StageCharts.title(of: stage.name), time: formatDuration(stage.seconds), epochs: formatCount(stage.epochs),
        speed: stage.imagesPerSecond.map { $0.isFinite && abs($0) < 1e15 ? formatCount(Int($0.rounded())) : NumberText.short($0) }
          ?? NumberText.missing,
        memory: stage.peakMemoryBytes.map(formatBytes) ?? NumberText.missing)
    }
    return TimeSection(rows: rows, total: formatDuration(record.stages.reduce(0) { $0 + $1.seconds }))
  }

  private static func settings(_ record: RunRecord) -> Settings? {
    let sections = SettingsSection.all(of: record.configuration)
    guard !sections.isEmpty else { return nil }
    return Settings(
      sections: sections.map { section in
        let count = section.rows.count
        return SettingsGroup(sectionName: section.name, sectionCount: "\(count) setting\(count == 1 ? "" : "s")", entries: section.rows)
      })
  }
}
