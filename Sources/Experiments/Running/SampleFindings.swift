import Backdoor
import Evaluation
import Files
import Foundation
import Support
import Torch
import Vision

/// What a defense said about the training samples, beside what is known about them: numbers, histograms, maps and
/// pictures for the record, and a table of all samples.
struct SampleFindings {
  static let tableName = "samples.csv"

  private let outcome: DefenseOutcome
  private let data: ImageDataset
  private let labels: [Int]
  private let poison: Set<Int>
  private let covers: Set<Int>

  /// - Parameters:
  ///   - poisoned: positions of the poisoned samples in `data`; empty where nobody knows.
  ///   - covers: positions of the cover samples.
  init(_ outcome: DefenseOutcome, data: ImageDataset, poisoned: [Int] = [], covers: [Int] = []) {
    self.outcome = outcome
    self.data = data
    labels = data.labelArray()
    poison = Set(poisoned)
    self.covers = Set(covers)
  }

  var isEmpty: Bool { !hasJudgements && outcome.embeddings.isEmpty }

  /// The record's part, without the maps, which take their time.
  /// - Parameter pictures: how many of each kind.
  func record(pictures count: Int, in directory: RunDirectory) throws -> RunRecord.Findings? {
    guard !isEmpty else { return nil }
    var findings = RunRecord.Findings()
    if let detection {
      findings.detection = detection
      let lost = lostClasses.map { data.classNames[$0] }
      findings.lostClasses = lost.isEmpty ? nil : lost
      let rates = FilteringRate.all(
        suspicion: outcome.suspicion, labels: labels, poisoned: poison, covers: covers)
      findings.filteringRates = rates.isEmpty ? nil : rates
    }
    findings.histograms = outcome.scores.compactMap(histogram)
    findings.pictures = try pictures(count, in: directory)
    return findings
  }

  /// Whether the defense judged samples.
  var hasJudgements: Bool { outcome.filtered != nil || outcome.suspicion != nil || !outcome.scores.isEmpty }

  /// How well the defense told poisoned samples from others; nil where it judges none.
  var detection: DetectionMetrics? {
    guard outcome.filtered != nil || outcome.suspicion != nil else { return nil }
    return DetectionMetrics(
      rejected: outcome.filtered?.rejected ?? [], suspicion: outcome.suspicion, poisoned: poison, covers: covers,
      count: data.count)
  }

  /// Classes that the defense kept no sample of.
  private var lostClasses: [Int] {
    guard let filtered = outcome.filtered else { return [] }
    let kept = Set(filtered.kept.map { labels[$0] })
    return Set(labels).subtracting(kept).filter { data.classNames.indices.contains($0) }.sorted()
  }

  /// What to say to a person where a filter rejects so much that its decisions are worth little; nil where it does not.
  var warning: String? {
    guard let filtered = outcome.filtered, !filtered.rejected.isEmpty else { return nil }
    let lost = lostClasses.map { data.classNames[$0] }
    guard 2 * filtered.rejected.count > data.count || !lost.isEmpty else { return nil }
    let names = formatNames(lost)
    return "warning: the defense rejected \(formatCount(filtered.rejected.count)) of \(formatCount(data.count)) samples"
      + (lost.isEmpty ? "" : ", among them all of \(names)")
      + ". Do not train on the rest alone: rank the samples (antidote filter --most-suspicious N) and look at the first, or "
      + "give the defense settings for a small set."
  }

  /// One line a sample, with everything that the defense said about it.
  /// - Parameters:
  ///   - folder: where the table goes; relative paths of samples are as seen from there.
  ///   - answers: the class that a model gives each sample, where that is told.
  func table(in folder: String, answers: [String]? = nil) -> String {
    let rejected = outcome.filtered.map { Set($0.rejected) }
    var columns: [(name: String, value: (Int) -> String)] = [("index", { "\($0)" })]
    if let sources = data.sources {
      var places: [String: String] = [:]
      for source in sources where places[source.file] == nil {
        places[source.file] = CSVTable.field(Path.relative(source.file, from: folder))
      }
      columns.append((SampleColumn.path, { places[sources[$0].file] ?? "" }))
      if sources.contains(where: { $0.row != nil }) {
        columns.append((SampleColumn.row, { sources[$0].row.map(String.init) ?? "" }))
      }
    }
    if labels.contains(where: { $0 >= 0 }) {
      let names = data.classNames.map(CSVTable.field)
      columns.append((SampleColumn.label, { [labels] in "\(labels[$0])" }))
      columns.append(
        (SampleColumn.className, { [labels] in names.indices.contains(labels[$0]) ? names[labels[$0]] : "" }))
    }
    if let answers { columns.append((SampleColumn.answer, { CSVTable.field(answers[$0]) })) }
    if let rejected {
      columns.append((SampleColumn.decision, { (rejected.contains($0) ? SampleDecision.rejected : .kept).rawValue }))
      columns.append((SampleColumn.kept, { rejected.contains($0) ? "0" : "1" }))
    }
    if let suspicion = outcome.suspicion {
      let ranks = Self.ranks(suspicion)
      columns.append((SampleColumn.suspicion, { Self.text(suspicion[$0]) }))
      columns.append((SampleColumn.rank, { "\(ranks[$0])" }))
    }
    for score in outcome.scores { columns.append((CSVTable.field(score.title), { Self.text(score.values[$0]) })) }
    if !poison.isEmpty { columns.append(("poisoned", { [poison] in poison.contains($0) ? "1" : "0" })) }
    if !covers.isEmpty { columns.append(("cover", { [covers] in covers.contains($0) ? "1" : "0" })) }
    var text = columns.map(\.name).joined(separator: ",") + "\n"
    for index in labels.indices { text += columns.map { $0.value(index) }.joined(separator: ",") + "\n" }
    return text
  }

  /// The place of each sample from the most suspicious one on, from 1; NaN counts as least suspicious, and of equal
  /// samples the first comes first.
  static func ranks(_ suspicion: [Double]) -> [Int] {
    let values = suspicion.map { $0.isNaN ? -.infinity : $0 }
    var ranks = [Int](repeating: 0, count: values.count)
    for (rank, index) in values.indices.sorted(by: { (values[$1], $0) < (values[$0], $1) }).enumerated() {
      ranks[index] = rank + 1
    }
    return ranks
  }
  private static func text(_ value: Double) -> String { String(format: "%.6g", value) }

  /// Forty bins between the values' 0.5% and 99.5% quantiles, so that a few outliers do not squeeze the rest into one
  /// bin.
  private func histogram(_ score: SampleScores) -> RunRecord.Histogram? {
    let sorted = score.values.filter(\.isFinite).sorted()
    guard let least = sorted.first, let most = sorted.last, least < most else { return nil }
    var (lower, upper) = (sorted[sorted.count / 200], sorted[sorted.count - 1 - sorted.count / 200])
    let threshold = score.threshold.flatMap { $0.isFinite ? $0 : nil }
    if let threshold { (lower, upper) = (min(lower, threshold), max(upper, threshold)) }
    if lower == upper { (lower, upper) = (least, most) }
    if lower > 0, lower < 0.01 * upper { lower = 0 }
    let bins = 40
    var (clean, poisoned) = ([Int](repeating: 0, count: bins), [Int](repeating: 0, count: bins))
    var cover = [Int](repeating: 0, count: bins)
    for (index, value) in score.values.enumerated() where value.isFinite {
      let bin = Int(min(max((value - lower) / (upper - lower) * Double(bins), 0), Double(bins - 1)))
      if poison.contains(index) {
        poisoned[bin] += 1
      } else if covers.contains(index) {
        cover[bin] += 1
      } else {
        clean[bin] += 1
      }
    }
    return RunRecord.Histogram(
      title: score.title, lower: lower, upper: upper, clean: clean, poisoned: poisoned,
      cover: covers.isEmpty ? nil : cover, threshold: threshold)
  }

  /// Maps of the features that the defense handed over, by t-SNE.
  func maps(_ settings: EvaluationSettings, seed: Seed, progress: any ProgressReporter) -> [RunRecord.SampleMap] {
    outcome.embeddings.compactMap { embedding in
      let rows = MapSelection(settings).rows(
        of: embedding.indices.map(poison.contains), seed.generator("map/\(embedding.title)"))
      guard !rows.isEmpty else { return nil }
      progress.message("\(embedding.title): t-SNE of \(rows.count) points")
      return map(
        Embedding(
          title: embedding.title,
          features: embedding.features[Tensor(rows.map(Int64.init)).to(embedding.features.device)],
          indices: rows.map { embedding.indices[$0] }))
    }
  }

  private func map(_ embedding: Embedding) -> RunRecord.SampleMap {
    let points = TSNE()(embedding.features.to(.cpu))
    func rounded(_ column: Int) -> [Double] {
      points.selected(1, column).array(Float.self).map { (Double($0) * 100).rounded() / 100 }
    }
    return RunRecord.SampleMap(
      title: embedding.title, x: rounded(0), y: rounded(1), labels: embedding.indices.map { labels[$0] },
      poisoned: embedding.indices.map(poison.contains))
  }

  /// Of the rejected the most suspicious, of the kept the least suspicious: what the defense was surest about, mistakes
  /// included.
  private func pictures(_ count: Int, in directory: RunDirectory) throws -> [RunRecord.Picture] {
    guard count > 0, let filtered = outcome.filtered else { return [] }
    let suspicion = outcome.suspicion
    var result: [RunRecord.Picture] = []
    for (positions, kept) in [(filtered.rejected, false), (filtered.kept, true)] {
      let order = suspicion.map { s in positions.sorted { kept ? s[$0] < s[$1] : s[$0] > s[$1] } } ?? positions
      let kinds: [(poisoned: Bool, cover: Bool)] = [(true, false), (false, true), (false, false)]
      for kind in kinds {
        let mine = order.lazy.filter { poison.contains($0) == kind.poisoned && covers.contains($0) == kind.cover }
        for index in mine.prefix(count) {
          let file = "\(RunDirectory.samplesName)/training-\(index).png"
          try AtomicFile.write(try DecodedImage(data.images[index]).encodePNG(), to: directory.file(file))
          result.append(
            RunRecord.Picture(
              index: index, label: labels[index], poisoned: kind.poisoned, cover: kind.cover ? true : nil, kept: kept,
              suspicion: suspicion?[index], file: file))
        }
      }
    }
    return result
  }
}
