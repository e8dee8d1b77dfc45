public import Audit
import Files
import Foundation
import Support

/// What an audit found: `audit.json`, and what the page is made of. Shares are fractions in [0, 1]. Classes are
/// positions in `classNames`.
public struct AuditResult: Codable, Sendable {
  /// Clean models that the model was compared with.
  public struct Bank: Codable, Sendable {
    public var models: Int
    /// Where they came from: the file or folder.
    public var source: String
    public var dataset: String
    public var architectures: [String]
    /// Smallest and largest, where they are known.
    public var accuracies: [Double]
    /// nil where it is not known of all.
    public var meanAccuracy: Double?
    /// Scores of the audited model and of the clean ones, and the audited one's by class.
    public var score: BankScore
    /// By statistic, then class: mean and deviation over the bank.
    public var means: [String: [Double]]
    public var deviations: [String: [Double]]
  }

  /// The found trigger on a purified copy.
  public struct Confirmation: Codable, Sendable {
    public var successBefore: ShareInterval
    public var successAfter: ShareInterval
    public var accuracyBefore: ShareInterval
    public var accuracyAfter: ShareInterval
    /// The cleaned model's file, where one was asked for.
    public var file: String?
    /// p of the cleaned model against the same bank.
    public var pValue: Double?
    public var verdict: AuditVerdict?
    /// The class that stands out in the cleaned model.
    public var label: Int?
  }

  /// Which of the user's images seem to carry a trigger.
  public struct Images: Codable, Sendable {
    public var folder: String
    public var count: Int
    /// So many clean images p-values are over.
    public var cleanImages: Int
    /// Largest expected share of images without a trigger among the flagged ones.
    public var level: Double
    /// Files, the most suspicious first.
    public var flagged: [String]
    /// What the model takes them for.
    public var answers: [Int]
  }

  /// What a budget of time was spent on.
  public struct Time: Codable, Sendable {
    /// In seconds.
    public var budget: Double
    /// Seconds until the last class was measured, those of this process.
    public var measuring: Double
    /// Classes that were measured with a part of the steps, to choose those that were measured in full.
    public var rounds: [ClassHalving.Round]
    /// Classes that were not measured in full, ascending.
    public var leftOut: [Int]
  }

  public var formatVersion = 2
  public var model: String
  public var modelDigest: String
  public var architecture: String
  public var dataset: String
  public var classNames: [String]
  /// Images that triggers were found with, and other ones that they were measured on.
  public var searchImages: Int
  public var heldOutImages: Int
  public var hasLabels: Bool
  /// On the held-out images; nil without labels.
  public var accuracy: ShareInterval?

  public var verdict: AuditVerdict
  public var level: Double
  public var pValue: Double
  public var smallestPValue: Double
  /// What the p-value takes clean models for.
  public var null: String
  /// The class that stands out, whatever the verdict.
  public var label: Int
  /// What the verdict rests on: the sum of the statistics' largest standardised values, or without a bank the success of
  /// the class's patch.
  public var score: Double
  public var patchSuccess: ShareInterval
  /// Channels, height and width of the images; nil in files of an earlier version.
  public var imageShape: [Int]?
  public var patchPixels: Int
  public var perturbationSuccess: ShareInterval?
  public var epsilon: Double
  public var statistics: ClassStatistics
  public var settings: AuditSettings
  public var bank: Bank?
  public var confirmation: Confirmation?
  /// nil where no images were given.
  public var images: Images?
  /// nil without a budget.
  public var time: Time?
  /// What was not done, and why.
  public var notTested: [String]
  public var seed: Int
  public var seconds: Double
  /// Images of the page: which, the model's answer without a trigger, with the patch and with the perturbation.
  public var pictures: [Picture]

  public struct Picture: Codable, Sendable {
    public var file: String
    public var patched: String
    public var perturbed: String?
    public var answer: Int
    public var patchedAnswer: Int
    public var perturbedAnswer: Int?
  }

  /// The statistics that the verdict rests on: without clean models, the patch alone.
  public var statisticsThatCount: [AuditStatistic] {
    bank.map { bank in AuditStatistic.allCases.filter { bank.score.standardized[$0.rawValue] != nil } } ?? [.patch]
  }

  /// The verdict in a sentence.
  public var sentence: String {
    let name = classNames[label]
    let p = "p = \(Self.number(pValue))"
    let effect =
      "a patch of \(patchPixels) pixels sends \(Self.percent(patchSuccess.share)) of held-out images of other classes "
      + "there"
    return switch verdict {
    case .backdoored: "Backdoored (\(p)): class \(name) stands out; \(effect)."
    case .suspicious: "Suspicious (\(p)): class \(name) stands out; \(effect)."
    case .noEvidence where !isJudged:
      "Cannot be judged: \(tooFew). Class \(name) stands out most; \(effect)."
    case .noEvidence: "No evidence of a backdoor (\(p)): class \(name) stands out most; \(effect)."
    }
  }

  /// Whether another verdict than `noEvidence` was possible.
  public var isJudged: Bool { !isOutclassed && smallestPValue <= AuditVerdict.threshold(level: level) }

  /// Whether it is more accurate than the clean models (`ReferenceBank.doubt(accuracy:)`).
  var isOutclassed: Bool { ReferenceBank.isOutclassed(meanAccuracy: bank?.meanAccuracy, by: accuracy) }

  /// Why no verdict but `noEvidence` was possible, and how the model stands all the same.
  private var tooFew: String {
    if isOutclassed { return "the model is more accurate than the clean models that it was compared with" }
    guard let bank else { return "there are no clean models like it to compare with (--reference)" }
    let higher = bank.score.cleanScores.count { $0 >= score }
    let place = higher == 0 ? "higher than all of them" : "no higher than \(higher) of them"
    return
      "with \(bank.models) clean models p is at least \(Self.number(smallestPValue)), and the model scores \(place)"
  }

  /// Three significant digits.
  public static func number(_ value: Double) -> String {
    guard value != 0, value.isFinite else { return "\(value)" }
    guard (1e-12..<1e12).contains(abs(value)) else { return String(format: "%.3g", value) }
    var scale = 1.0
    while abs(value) * scale < 100 { scale *= 10 }
    while abs(value) * scale >= 1000 { scale /= 10 }
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
  /// A whole percentage.
  public static func percent(_ share: Double) -> String { formatPercent(share, digits: 0) }
}

extension AuditResult {
  /// A line for each image that a trigger was looked for in: decision, score and p-value.
  public static let imagesTable = "images.csv"
  /// The file in an audit's folder.
  public static let fileName = "audit.json"

  /// Reads what an audit wrote into its folder.
  /// - Throws: an error that names the file.
  public init(folder: String) throws {
    let path = "\(folder)/\(Self.fileName)"
    guard let bytes = try FileSystem.readIfPresent(path) else {
      throw JobError.invalid("\(folder): no audit: \(Self.fileName) is missing. antidote audit --out writes one.")
    }
    do {
      let tree = try JSONValue(json: bytes, source: path)
      self = try tree.decode(AuditResult.self)
      settings = try SettingsTree.resolve(AuditSettings.self, overrides: tree["settings"] ?? [:], at: "settings")
    } catch {
      throw JobError.invalid("\(path): no audit of this version (\(error)).")
    }
    if let problem { throw JobError.invalid("\(path): \(problem). Audit the model again.") }
  }

  /// What does not fit together in a file; nil if nothing.
  private var problem: String? {
    guard formatVersion == 2 else { return "an audit of format \(formatVersion), and this version reads format 2" }
    let s = statistics
    let classes = classNames.indices
    func isNumbers(_ values: [Double]?, _ count: Int) -> Bool {
      values.map { $0.count == count && $0.allSatisfy(\.isFinite) } ?? true
    }
    guard !s.measured.isEmpty, s.measured.allSatisfy(classes.contains),
      zip(s.measured, s.measured.dropFirst()).allSatisfy(<), s.labels != nil || s.measured.count == classes.count,
      [s.margin, s.patch, s.patchSuccess, s.perturbation, s.perturbationSuccess].allSatisfy({
        isNumbers($0, s.measured.count)
      }), s.counts.count == s.measured.count
    else { return "the statistics are not one finite number for each class" }
    let score = bank?.score
    let lists = score.map { [$0.sums] + Array($0.standardized.values) } ?? []
    guard lists.allSatisfy({ isNumbers($0, score?.labels.count ?? 0) }),
      (score?.labels ?? []).allSatisfy(classes.contains)
    else { return "the scores are not one finite number for each class" }
    let named =
      [label] + [confirmation?.label].compactMap { $0 } + (images?.answers ?? []) + (time?.leftOut ?? [])
      + pictures.flatMap { [$0.answer, $0.patchedAnswer] + [$0.perturbedAnswer].compactMap { $0 } }
    return named.allSatisfy(classes.contains) ? nil : "it names a class that is not there"
  }
}
