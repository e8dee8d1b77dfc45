public import Files
public import Foundation
import Support

/// Everything that is worth keeping about one run: what was asked, on what, with what, and what came out.
///
/// It is stored as `record.json` in the run's directory, and it is all that a report reads besides `metrics.jsonl` and the
/// sample images. Shares (accuracy, attack success rate, risks) are fractions in [0, 1], times are seconds, sizes are bytes,
/// dates are ISO 8601 in UTC with whole seconds. A number that is not finite is stored as "NaN", "Infinity" or "-Infinity".
public struct RunRecord: Codable, Sendable, Equatable {
  /// The version of the file format; a record of any other version is refused when it is read.
  public let formatVersion: RunRecordFormat
  /// The run's identity: the hash of its resolved configuration.
  public var id: String
  public var title: String
  public var status: Status
  /// Why the run failed; `nil` unless `status` is `.failed`.
  public var failure: String?
  public var created: Date
  public var finished: Date?
  /// The command line that repeats this run.
  public var command: String?
  /// The resolved configuration: every setting, defaults included.
  public var configuration: JSONValue
  public var environment: Environment
  public var dataset: Dataset?
  public var poison: Poison?
  public var defense: Defense?
  public var stages: [Stage]
  /// One entry for each measured model, in the order in which they were measured.
  public var measurements: [Measurement]
  /// Of a training-time defense: a last epoch may be a lucky or an unlucky one.
  public var lastEpochs: EpochMeans?
  /// The defense effectiveness rating, in [0, 1]; see ``DefenseEffectiveness``.
  public var defenseEffectiveness: Double?
  public var flags: [RaisedFlag]
  public var samples: [Sample]
  public var perturbations: [Perturbation]
  /// What the defense said about the training samples, if it said anything.
  public var findings: Findings?

  /// Where a run stands.
  public enum Status: String, Codable, Sendable, CaseIterable {
    case running, interrupted, finished, failed
  }

  public init(
    id: String,
    title: String,
    status: Status = .running,
    failure: String? = nil,
    created: Date = Date(),
    finished: Date? = nil,
    command: String? = nil,
    configuration: JSONValue,
    environment: Environment,
    dataset: Dataset? = nil,
    poison: Poison? = nil,
    defense: Defense? = nil,
    stages: [Stage] = [],
    measurements: [Measurement] = [],
    defenseEffectiveness: Double? = nil,
    flags: [RaisedFlag] = [],
    samples: [Sample] = [],
    perturbations: [Perturbation] = [],
    findings: Findings? = nil,
    lastEpochs: EpochMeans? = nil
  ) {
    self.formatVersion = RunRecordFormat()
    self.id = id
    self.title = title
    self.status = status
    self.failure = failure
    self.created = created.inWholeSeconds
    self.finished = finished?.inWholeSeconds
    self.command = command
    self.configuration = configuration
    self.environment = environment
    self.dataset = dataset
    self.poison = poison
    self.defense = defense
    self.stages = stages
    self.measurements = measurements
    self.defenseEffectiveness = defenseEffectiveness
    self.flags = flags
    self.samples = samples
    self.perturbations = perturbations
    self.findings = findings
    self.lastEpochs = lastEpochs
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion, id, title, status, failure, created, finished, command, configuration, environment, dataset, poison
    case defense, stages, measurements, defenseEffectiveness, flags, samples, perturbations, findings, lastEpochs
  }

  /// Lists that are absent read as empty ones.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    formatVersion = try fields.decode(RunRecordFormat.self, forKey: .formatVersion)
    id = try fields.decode(String.self, forKey: .id)
    title = try fields.decode(String.self, forKey: .title)
    status = try fields.decode(Status.self, forKey: .status)
    failure = try fields.decodeIfPresent(String.self, forKey: .failure)
    created = try fields.decode(Date.self, forKey: .created)
    finished = try fields.decodeIfPresent(Date.self, forKey: .finished)
    command = try fields.decodeIfPresent(String.self, forKey: .command)
    configuration = try fields.decode(JSONValue.self, forKey: .configuration)
    environment = try fields.decode(Environment.self, forKey: .environment)
    dataset = try fields.decodeIfPresent(Dataset.self, forKey: .dataset)
    poison = try fields.decodeIfPresent(Poison.self, forKey: .poison)
    defense = try fields.decodeIfPresent(Defense.self, forKey: .defense)
    stages = try fields.decodeIfPresent([Stage].self, forKey: .stages) ?? []
    measurements = try fields.decodeIfPresent([Measurement].self, forKey: .measurements) ?? []
    defenseEffectiveness = try fields.decodeIfPresent(Double.self, forKey: .defenseEffectiveness)
    flags = try fields.decodeIfPresent([RaisedFlag].self, forKey: .flags) ?? []
    samples = try fields.decodeIfPresent([Sample].self, forKey: .samples) ?? []
    perturbations = try fields.decodeIfPresent([Perturbation].self, forKey: .perturbations) ?? []
    findings = try fields.decodeIfPresent(Findings.self, forKey: .findings)
    lastEpochs = try fields.decodeIfPresent(EpochMeans.self, forKey: .lastEpochs)
  }
}

/// The format version of a record file: only the version that this program writes can be decoded.
public struct RunRecordFormat: Codable, Sendable, Equatable {
  /// The version written by this program.
  public static let supported = 1

  public let version: Int

  public init() { version = Self.supported }

  /// - Throws: ``RunRecordFormat/Unknown`` for any version but ``supported``.
  public init(from decoder: any Decoder) throws {
    version = try decoder.singleValueContainer().decode(Int.self)
    guard version == Self.supported else { throw Unknown(version: version) }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(version)
  }

  /// A record written in a format that this program does not know.
  public struct Unknown: Error, Equatable {
    public let version: Int
  }
}

extension Date {
  /// What survives a round trip through ISO 8601 without fractions.
  var inWholeSeconds: Date {
    Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down))
  }
}
