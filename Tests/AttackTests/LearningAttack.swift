import Backdoor
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Tests of attacks that learn before they poison: all learn on the suite's data, from the same seed.
protocol LearningAttackSuite {
  var data: ImageDataset { get }
}

extension LearningAttackSuite {
  var seed: Seed { 5 }

  func training(_ checkpoints: (any CheckpointStore)? = nil) -> TrainingContext {
    TrainingContext(precision: .float32, seed: seed, checkpoints: checkpoints)
  }
  func context(_ training: TrainingContext) -> AttackContext {
    AttackContext(train: data, seed: seed, training: training, architecture: data.tinyArchitecture)
  }

  /// Kills an attack at the beginning of each of its stages and within it, every time in a new process, so to speak: in
  /// the end it has learned what an undisturbed one learns, to the bit.
  /// - Parameter stages: of training, that the attack has at least.
  func expectResumes(_ attack: some Attack, stages: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let undisturbed = try attack.learn(context(training()))
    let store = MemoryCheckpoints()
    var (runs, seen) = (0, Set<String>())
    while true {
      runs += 1
      let training = training(store)
      var stage = ""
      training.onStart = { name, finished in
        stage = name
        if finished == 0, seen.insert(name).inserted { throw Stop() }
      }
      training.onEpoch = { report in
        if report.epoch == 2, seen.insert("\(stage), epoch 2").inserted { throw Stop() }
      }
      do {
        let learned = try attack.learn(context(training))
        #expect(learned.keys.sorted() == undisturbed.keys.sorted(), sourceLocation: sourceLocation)
        for (key, tensor) in undisturbed {
          expectSame(try #require(learned[key]), tensor, key, sourceLocation: sourceLocation)
        }
        break
      } catch is Stop {}
    }
    #expect(runs > 2 * stages, "\(runs) runs: \(seen.sorted())", sourceLocation: sourceLocation)
  }
}

private struct Stop: Error {}

/// What a user would read, or "no error".
func errorText(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}

/// The network of `make_learned_attacks.py`, `make_adaptive_attacks.py` and `make_training_attacks.py`.
/// - Parameter isTilted: as in the first one, the last layer reads its inputs with weights of different sizes.
func goldenNetwork(isTilted: Bool = false) -> PreActResNet18 {
  PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8)
    .scaleWeights(columns: isTilted ? 1 + 0.2 * pattern([1, 32], 0.9) : nil)
}
