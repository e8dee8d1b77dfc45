import Experiments
import Foundation
import Testing

@testable import Reporting

struct ChartTests {
  @Test func scalesHaveRoundTicks() {
    func close(_ a: [Double], _ b: [Double]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-12 }
    }
    #expect(close(AxisScale(covering: [0.1, 2.3]).ticks, [0, 0.5, 1, 1.5, 2, 2.5]))
    #expect(close(AxisScale(covering: [0.0001]).ticks, [0, 0.00002, 0.00004, 0.00006, 0.00008, 0.0001]))
    #expect(close(AxisScale(covering: [90, 100]).ticks, [90, 92, 94, 96, 98, 100]))
    #expect(close(AxisScale(covering: [-1, 1]).ticks, [-1, -0.5, 0, 0.5, 1]))
    for values in [[], [0], [-3], [1e300], [0, 1e-300], [5, 5.0000000000000001]] {
      let scale = AxisScale(covering: values)
      #expect(scale.lower < scale.upper && scale.ticks.count >= 2, "\(values)")
      #expect(values.allSatisfy { scale.lower <= $0 && $0 <= scale.upper * (1 + 1e-9) }, "\(values)")
    }
    #expect(AxisScale.epochs([1, 20]).ticks == [5, 10, 15, 20])
    #expect(AxisScale.epochs([0, 3]).ticks == [0, 1, 2, 3])
    #expect(AxisScale.epochs([7]).ticks == [7])
  }

  @Test func aGapIsNotDrawn() {
    let points = [(epoch: 1, value: Double.nan), (2, 1), (3, 2), (4, .infinity), (5, 3), (6, .nan)]
    #expect(Chart.segments(points).map { $0.map(\.epoch) } == [[2, 3], [5]])
    let chart = Chart(
      id: "c", title: "t", left: .init(label: "loss"), series: [.init(name: "n", style: 0, points: points)])
    let svg = SVGChart.draw(chart)
    #expect(svg.components(separatedBy: "<polyline").count == 2)
    #expect(svg.components(separatedBy: "<circle").count == 4)
    #expect(!svg.lowercased().contains("nan,") && !svg.contains("inf,"))
  }

  @Test func pointsLieWhereTheyBelong() {
    // The plot spans 48...504 across and 236...12 up: epoch 1 of 1...3 at the left end, 50% half way up.
    let points = [(epoch: 1, value: 0.0), (2, 0.5), (3, 1)]
    let chart = Chart(
      id: "c", title: "t", left: .init(label: "share", isShare: true),
      series: [.init(name: "n", style: 0, points: points)])
    #expect(SVGChart.draw(chart).contains("points=\"48,236 276,124 504,12\""))
  }

  @Test func anEpochWrittenTwiceCountsOnce() throws {
    let stages = StageCharts.all(from: [
      MetricsEntry(stage: "train", epoch: 2, values: ["accuracy": 0.1]),
      MetricsEntry(stage: "train", epoch: 1, values: ["accuracy": 0.3]),
      MetricsEntry(stage: "train", epoch: 2, values: ["accuracy": 0.2]),
    ])
    let points = try #require(stages.first?.charts.first?.series.first?.points)
    #expect(points.map(\.epoch) == [1, 2] && points.map(\.value) == [0.3, 0.2])
  }

  @Test func dataCannotEndTheirScriptElement() throws {
    let series = Chart.Series(name: "</script><b>", style: 0, points: [(1, 0.5), (2, .nan)])
    let json = try PlotlyChart.json([Chart(id: "c", title: "t", left: .init(label: "loss"), series: [series])])
    #expect(!json.contains("<") && json.contains("\\u003c"))
    #expect(json.contains("\"x\":[1,2],\"y\":[0.5,null]"))
  }

  @Test func aStageWithNothingToPlotHasNoChart() {
    #expect(StageCharts.all(from: [MetricsEntry(stage: "train", epoch: 1, values: ["seconds": 3])]).isEmpty)
    let charts = StageCharts.all(from: [
      MetricsEntry(stage: "isolate", epoch: 1, values: ["trainLoss": 3, "learningRate": 0.1])
    ])
    #expect(charts.map(\.title) == ["Isolate"] && charts[0].charts.map(\.title) == ["Loss and learning rate"])
    #expect(charts[0].charts[0].series.map(\.onRightAxis) == [false, true])
  }
}
