import Backdoor
import Files
import Support
import Training

extension ExperimentConfiguration {
  /// What training with the recipe is on so many images.
  func training(_ stage: String, on count: Int) -> PlannedWork {
    PlannedWork(stage, images: Double(recipe.epochs * count))
  }

  /// What the attacker trains before there is a model: the recipes in the attack's settings, as far as they show.
  /// - Parameter count: the attacker's images.
  func attackWork(on count: Int) throws -> [PlannedWork] {
    guard let attack = try makeAttack(), type(of: attack).trainsNetworks else { return [] }
    if attack is any TrainingAttack { return [training("attack", on: count)] }
    let settings = try JSONValue(encoding: attack.configuration)
    let epochs = [settings["surrogate"], settings["pretrain"], settings["autoencoder"], settings].compactMap {
      $0?["epochs"]?.doubleValue
    }
    let times = 1 + (settings["retrain"]?.doubleValue ?? 0)
    return [PlannedWork("attack", images: epochs.reduce(0, +) * times * Double(count))]
  }
}
