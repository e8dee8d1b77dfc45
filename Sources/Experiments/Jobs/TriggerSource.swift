import Backdoor
import Support
import Training
import Vision

/// Which triggers a model is measured by.
public enum TriggerSource: Sendable {
  /// None: accuracy alone.
  case none
  /// Those of a `poison.json`.
  case manifest(path: String)
  /// Those that the configuration's attack makes.
  case attack

  /// The implants, and the seed of the run that they belong to.
  func implants(_ configuration: ExperimentConfiguration, for data: ImageDataset) throws -> (implants: [Implant], seed: Seed) {
    switch self {
    case .none: return ([], configuration.seed)
    case .manifest(let path):
      let manifest = try PoisonManifest(contentsOf: path)
      return (try manifest.makeImplants(for: data, source: path), Seed(manifest.seed))
    case .attack:
      let implants = try configuration.makeAttack()?.implants(for: data.shape, seed: configuration.seed.stream("attack"))
      return (implants ?? [], configuration.seed)
    }
  }
}
