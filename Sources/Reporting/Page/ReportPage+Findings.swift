import Evaluation
import Experiments
import Files
import Foundation
import Support

/// What the defense said about the training samples.
extension ReportPage {
  struct FindingsSection {
    var findingsLead: String
    var findingFacts: [Fact]
    var drawings: Drawings?
    var groups: [PictureGroup]
  }

  struct Drawings {
    var histograms: [Drawing]
    var maps: [Drawing]
  }

  struct Drawing {
    var drawingTitle: String
    var drawingNote: String
    var drawingSVG: String
    var drawingLegend: [LegendColor]
  }

  struct LegendColor {
    var swatchClass: String
    var swatchColor: String?
    var colorName: String
  }

  struct PictureGroup {
    var groupTitle: String
    var groupNote: String
    var groupImages: [SampleImage]
  }

  static func findings(_ record: RunRecord, in directory: String) -> FindingsSection? {
    guard let findings = record.findings else { return nil }
    let drawings = Drawings(
      histograms: findings.histograms.map(drawing), maps: findings.maps.map { drawing($0, record) })
    return FindingsSection(
      findingsLead: lead(findings.detection),
      findingFacts: (findings.detection.map(facts) ?? []) + facts(findings.filteringRates ?? []),
      drawings: drawings.histograms.isEmpty && drawings.maps.isEmpty ? nil : drawings,
      groups: groups(findings, record, directory))
  }

  private static func lead(_ detection: DetectionMetrics?) -> String {
    guard let detection, detection.rejectedCount > 0 else {
      return "What the defense measured on the training samples."
    }
    let kept =
      "It kept \(formatCount(detection.keptCount)) of \(formatCount(detection.keptCount + detection.rejectedCount)) "
      + "samples"
    guard let caught = detection.truePositiveRate, let lost = detection.falsePositiveRate else {
      return "\(kept). Every sample's values are in samples.csv."
    }
    return
      "\(kept); \(NumberText.percent(caught)) of the poison and \(NumberText.percent(lost)) of the clean samples are "
      + "among the "
      + "rejected. Which samples were poisoned is known to this report and not to the defense. Every sample's values "
      + "are in samples.csv."
  }

  private static func facts(_ detection: DetectionMetrics) -> [Fact] {
    func part(_ count: Int, _ whole: Int, _ share: Double?) -> String {
      "\(formatCount(count)) of \(formatCount(whole)) (\(NumberText.percent(share)))"
    }
    var facts: [Fact] = []
    let (poisoned, rejected) = (detection.poisonedCount, detection.rejectedCount)
    if poisoned > 0, rejected > 0 {
      facts.append(
        Fact(name: "Poison rejected", text: part(poisoned - detection.poisonKept, poisoned, detection.truePositiveRate))
      )
      let clean = detection.cleanCount
      facts.append(
        Fact(name: "Clean rejected", text: part(detection.cleanRejected, clean, detection.falsePositiveRate)))
      facts.append(
        Fact(
          name: "Poison kept",
          text: part(detection.poisonKept, detection.keptCount, detection.poisonShareKept) + " kept"))
      facts.append(
        Fact(
          name: "Precision",
          text:
            "\(NumberText.fixed(detection.precision, decimals: 3)): \(formatCount(poisoned - detection.poisonKept)) of the "
            + "\(formatCount(rejected - detection.coverRejected)) rejected samples are poisoned"))
      if detection.coverCount > 0 {
        facts.append(
          Fact(
            name: "Cover samples rejected",
            text: part(detection.coverRejected, detection.coverCount, detection.coverRejectedRate)
              + ": changed images with true labels, in none of the other shares"))
      }
    } else if rejected > 0 {
      facts.append(Fact(name: "Rejected", text: formatCount(rejected)))
    }
    if let area = detection.areaUnderROC {
      facts.append(
        Fact(
          name: "AUC",
          text: String(format: "%.3f", area) + ": how often a poisoned sample is more suspicious than a clean one"))
    }
    return facts
  }

  /// How much of what a bound on the poison removes from the target class is poison.
  private static func facts(_ rates: [FilteringRate]) -> [Fact] {
    rates.map { rate in
      Fact(
        name: "Poison in the top \(formatCount(rate.removed)) of the target class",
        text:
          "\(formatCount(rate.poisonedRemoved)) (\(NumberText.percent(rate.share))): the filtering rate at a bound of "
          + "\(formatCount(rate.bound)) poisoned samples")
    }
  }

  private static func drawing(_ histogram: RunRecord.Histogram) -> Drawing {
    let (clean, poisoned) = (histogram.clean.reduce(0, +), histogram.poisoned.reduce(0, +))
    var legend = [
      LegendColor(
        swatchClass: "s0", colorName: poisoned > 0 ? "clean (\(formatCount(clean)))" : "all (\(formatCount(clean)))")
    ]
    if poisoned > 0 { legend.append(LegendColor(swatchClass: "s1", colorName: "poisoned (\(formatCount(poisoned)))")) }
    if let cover = histogram.cover?.reduce(0, +), cover > 0 {
      legend.append(LegendColor(swatchClass: "s2", colorName: "cover (\(formatCount(cover)))"))
    }
    return Drawing(
      drawingTitle: StageTitle.words(histogram.title),
      drawingNote: "share of each group; the first and the last bar also hold what lies beyond them",
      drawingSVG: HistogramChart.draw(histogram), drawingLegend: legend)
  }

  private static func drawing(_ map: RunRecord.SampleMap, _ record: RunRecord) -> Drawing {
    let classes = (map.labels.max() ?? 0) + 1
    var legend: [LegendColor] = []
    if map.poisoned.contains(true) { legend.append(LegendColor(swatchClass: "poisoned", colorName: "poisoned")) }
    for label in Set(map.labels).sorted().prefix(20) {
      legend.append(
        LegendColor(
          swatchClass: "", swatchColor: SampleMapChart.color(label, of: classes), colorName: record.className(label)))
    }
    return Drawing(
      drawingTitle: StageTitle.words(map.title), drawingNote: "t-SNE; colours are the given labels",
      drawingSVG: SampleMapChart.draw(map),
      drawingLegend: legend)
  }

  private static func groups(_ findings: RunRecord.Findings, _ record: RunRecord, _ directory: String) -> [PictureGroup]
  {
    let known = (findings.detection?.poisonedCount ?? 0) > 0
    let surest = (kept: "The least suspicious ones.", rejected: "The most suspicious ones.")
    let kinds: [(kept: Bool, poisoned: Bool, cover: Bool, title: String, note: String)] =
      known
      ? [
        (false, true, false, "Poisoned and rejected", surest.rejected),
        (false, false, true, "Cover samples rejected", surest.rejected),
        (false, false, false, "Clean and rejected: false alarms", surest.rejected),
        (true, true, false, "Poisoned and kept: missed", surest.kept),
        (true, false, true, "Cover samples kept", surest.kept), (true, false, false, "Clean and kept", surest.kept),
      ]
      : [(false, false, false, "Rejected", surest.rejected), (true, false, false, "Kept", surest.kept)]
    return kinds.compactMap { kind in
      let images = findings.pictures.filter {
        $0.kept == kind.kept && $0.poisoned == kind.poisoned && ($0.cover ?? false) == kind.cover
      }.map { picture in
        let name = record.className(picture.label)
        let suspicion = picture.suspicion.map { " \(NumberText.short($0))" } ?? ""
        return SampleImage(
          picture.file, in: directory, caption: name + suspicion,
          alternative: "Training image \(picture.index), labelled \(name)")
      }
      return images.isEmpty ? nil : PictureGroup(groupTitle: kind.title, groupNote: kind.note, groupImages: images)
    }
  }
}
