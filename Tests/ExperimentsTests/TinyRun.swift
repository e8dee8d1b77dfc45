import Experiments
import Files
import Support
import Torch

/// Whole runs on a hundred generated images: changes to one configuration.
struct TinyRun {
  /// Two epochs of three batches, then two epochs of two batches.
  private static let base: JSONValue = [
    "precision": "float32", "dataset": ["train": 96, "test": 40, "size": 28], "model": ["name": "cnn", "width": 4],
    "recipe": ["epochs": 2, "batch": 32], "attack": ["rate": 0.2], "defense": ["epochs": 2, "batch": 10, "steps": 2],
    "clean": ["count": 20], "evaluation": ["riskSamples": 16, "samples": 3],
  ]

  /// Settings of decoupled training, for as short.
  static let decoupled: JSONValue = [
    "pretrain": ["epochs": 2, "batch": 32], "tune": ["epochs": 2, "batch": 32],
    "finetune": ["epochs": 2, "iterations": 2, "batch": 8],
  ]

  func configuration(_ changes: JSONValue = [:]) throws -> ExperimentConfiguration {
    // Another defense brings its own settings.
    var base = Self.base
    if changes["defense"] != nil { base["defense"] = nil }
    return try ExperimentConfiguration(SettingsTree.merge(base, changes))
  }
  func run(
    _ folder: String, _ changes: JSONValue = [:], progress: any ProgressReporter = SilentProgress(),
    claims: (any StageClaims)? = nil
  ) throws -> RunRecord {
    try ExperimentRunner(
      configuration(changes), folder: folder, progress: progress, command: "antidote run", claims: claims
    ).run()
  }
  /// The tensors of a model that a run left.
  func model(_ folder: String, _ name: String = RunDirectory.modelName) throws -> [(key: String, tensor: Tensor)] {
    try Safetensors.load("\(folder)/\(name)").tensors.map { ($0.key, $0.tensor) }
  }
}
