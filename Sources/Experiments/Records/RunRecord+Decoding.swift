import Files
import Foundation
import Support

extension RunRecord {
  enum CodingKeys: String, CodingKey {
    case formatVersion, id, title, status, failure, created, finished, seconds, command, configuration, environment,
      dataset, poison
    case defense, stages, measurements, riskSearch, defenseEffectiveness, flags, samples, poisonedImages,
      perturbations, findings, lastEpochs, verdict
    case artifacts
  }

  /// A record written in a format that this program does not read.
  struct UnknownFormat: Error {
    let version: Int
  }

  /// Lists that are absent read as empty ones.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    formatVersion = try fields.decode(Int.self, forKey: .formatVersion)
    guard formatVersion == Self.supportedFormat else { throw UnknownFormat(version: formatVersion) }
    id = try fields.decode(String.self, forKey: .id)
    title = try fields.decode(String.self, forKey: .title)
    status = try fields.decode(Status.self, forKey: .status)
    failure = try fields.decodeIfPresent(String.self, forKey: .failure)
    created = try fields.decode(Date.self, forKey: .created)
    finished = try fields.decodeIfPresent(Date.self, forKey: .finished)
    seconds = try fields.decodeIfPresent(Double.self, forKey: .seconds)
    command = try fields.decodeIfPresent(String.self, forKey: .command)
    configuration = try fields.decode(JSONValue.self, forKey: .configuration)
    environment = try fields.decode(Environment.self, forKey: .environment)
    dataset = try fields.decodeIfPresent(Dataset.self, forKey: .dataset)
    poison = try fields.decodeIfPresent(Poison.self, forKey: .poison)
    defense = try fields.decodeIfPresent(Defense.self, forKey: .defense)
    stages = try fields.decodeIfPresent([Stage].self, forKey: .stages) ?? []
    measurements = try fields.decodeIfPresent([Measurement].self, forKey: .measurements) ?? []
    riskSearch = try fields.decodeIfPresent(String.self, forKey: .riskSearch)
    defenseEffectiveness = try fields.decodeIfPresent(Double.self, forKey: .defenseEffectiveness)
    flags = try fields.decodeIfPresent([RaisedFlag].self, forKey: .flags) ?? []
    samples = try fields.decodeIfPresent([Sample].self, forKey: .samples) ?? []
    poisonedImages = try fields.decodeIfPresent([PoisonedImage].self, forKey: .poisonedImages) ?? []
    perturbations = try fields.decodeIfPresent([Perturbation].self, forKey: .perturbations) ?? []
    findings = try fields.decodeIfPresent(Findings.self, forKey: .findings)
    verdict = try fields.decodeIfPresent(ModelVerdict.self, forKey: .verdict)
    lastEpochs = try fields.decodeIfPresent(EpochMeans.self, forKey: .lastEpochs)
    artifacts = try fields.decodeIfPresent([String: Artifact].self, forKey: .artifacts) ?? [:]
  }
}
