import Files
import Experiments
import Foundation
import Support

/// What the page template shows, as text that is ready to be set. Property names are the names in the template.
///
/// Mustache looks a name up in the enclosing values when the inner one has none, so optional properties have names of
/// their own.
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

  struct Flags { var notes: [FlagNote] }
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
  var poisonedImages: ImageGallery?
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
      shortID: String(record.id.prefix(12)), tone: verdict.tone.rawValue, toneWord: verdict.word,
      toneSymbol: verdict.tone.symbol,
      sentence: verdict.sentence, flags: Self.flags(record), scoreSection: Self.scores(record),
      curves: try Self.curves(metrics, plotly: plotly),
      findingsSection: Self.findings(record, in: directory), samples: ImageGallery(samplesOf: record, in: directory),
      poisonedImages: ImageGallery(poisonedImagesOf: record, in: directory),
      perturbations: ImageGallery(perturbationsOf: record, in: directory), poisonFacts: Self.poison(record),
      defenseFacts: Self.defense(record), datasetFacts: Self.dataset(record), times: Self.times(record),
      settings: Self.settings(record),
      environment: Self.environment(record), reproduction: record.command.map { Reproduction(commandLine: $0) },
      footer:
        "Written by Antidote \(record.environment.antidote) from record.json, metrics.jsonl and the images in samples/."
    )
  }

  private static func subtitle(_ record: RunRecord) -> String {
    var parts: [String] = []
    if let attack = record.poison?.attack { parts.append(attack) }
    if let defense = record.defense?.name { parts.append(defense) }
    if let dataset = record.dataset?.name { parts.append(dataset) }
    parts.append(NumberText.date(record.created))
    if let duration = record.duration { parts.append(formatDuration(duration)) }
    return parts.joined(separator: " · ")
  }

  private static func flags(_ record: RunRecord) -> Flags? {
    guard !record.flags.isEmpty else { return nil }
    return Flags(
      notes: record.flags.map { raised in
        FlagNote(
          flagTitle: raised.flag?.title ?? raised.id, flagMessage: raised.message,
          flagExplanation: raised.flag?.explanation
            ?? "A newer version of Antidote raised this flag and can explain it.",
          flagID: raised.id)
      })
  }
}
