import Files
import Experiments
import Support

/// The epochs of each stage as charts.
extension ReportPage {
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

  static func curves(_ metrics: [MetricsEntry], plotly: PlotlyLibrary) throws -> CurveSection? {
    let stages = StageCharts.all(from: metrics)
    guard !stages.isEmpty else { return nil }
    let shown = stages.map { stage in
      CurveStage(
        stageTitle: stage.title,
        charts: stage.charts.map { chart in
          CurveChart(
            chartID: chart.id, chartTitle: chart.title, svg: SVGChart.draw(chart),
            legend: chart.series.map {
              LegendEntry(
                legendName: $0.name, style: $0.style, side: chart.right == nil ? nil : $0.onRightAxis ? "right" : "left"
              )
            })
        })
    }
    let interactive = plotly == .installed ? Interactive(json: try PlotlyChart.json(stages.flatMap(\.charts))) : nil
    let isMain = stages.map { stage in stages.count <= 6 || stage.charts.contains { $0.id.hasSuffix("-scores") } }
    let main = zip(shown, isMain).filter(\.1).map(\.0)
    let folded = zip(shown, isMain).filter { !$0.1 }.map(\.0)
    return CurveSection(
      stages: main,
      helpers: folded.isEmpty ? nil : FoldedStages(foldedCount: formatCount(folded.count), folded: folded),
      staticNote: plotly.note, interactive: interactive)
  }
}
