public import Files
public import Foundation
import Support

/// What is kept of one run: what was asked, on what, with what, and what came out.
///
/// It is stored as `record.json` in the run's directory, and it is all that a report reads besides `metrics.jsonl` and
/// the sample images. Shares (accuracy, attack success rate, risks) are fractions in [0, 1], times are seconds, sizes
/// are bytes, dates are ISO 8601 in UTC with whole seconds. A number that is not finite is stored as "NaN", "Infinity"
/// or "-Infinity".
public struct RunRecord: Codable, Sendable, Equatable {
  /// The version of the file format that this program writes. A record of any other version is refused when it is read.
  public static let supportedFormat = 1

  public var formatVersion = RunRecord.supportedFormat
  /// The run's identity: the hash of its resolved configuration.
  public var id: String
  public var title: String
  public var status = Status.running
  /// Why the run failed; `nil` unless `status` is `.failed`.
  public var failure: String?
  public var created = Date()
  public var finished: Date?
  /// Wall-clock seconds that processes spent on the run: without the time between two of them, and without the training
  /// of a model that was taken from another run.
  public var seconds: Double?
  /// The command line that repeats this run.
  public var command: String?
  /// The resolved configuration: every setting, defaults included.
  public var configuration: JSONValue
  public var environment: Environment
  public var dataset: Dataset?
  public var poison: Poison?
  public var defense: Defense?
  public var stages: [Stage] = []
  /// One entry for each measured model, in the order in which they were measured.
  public var measurements: [Measurement] = []
  /// The perturbations that the risks were searched among, and whose they are; `nil` where no risks were measured.
  public var riskSearch: String?
  /// The defense effectiveness rating, in [0, 1]; see ``DefenseEffectiveness``.
  public var defenseEffectiveness: Double?
  public var flags: [RaisedFlag] = []
  public var samples: [Sample] = []
  /// Training images that the attacker changed, poisoned ones first.
  public var poisonedImages: [PoisonedImage] = []
  public var perturbations: [Perturbation] = []
  /// What the defense said about the training samples, if it said anything.
  public var findings: Findings?
  /// What the defense said about the model that it was given, if it judges models.
  public var verdict: ModelVerdict?
  /// Of a training-time defense: a last epoch may be a lucky or an unlucky one.
  public var lastEpochs: EpochMeans?
  /// What was made for the parts of the run that others take over, by file name.
  public var artifacts: [String: Artifact] = [:]

  /// Where a run stands.
  public enum Status: String, Codable, Sendable, CaseIterable {
    case running, interrupted, finished, failed
  }
}
