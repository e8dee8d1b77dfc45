import Backdoor
import Evaluation
import Support
import TestData
import TestFiles
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Experiments

/// What is noted after epochs: of the samples that an epoch learned from, the share that was poisoned; scores after
/// each so many epochs and after the last.
@Suite struct EpochObserverTests {
  private let data = ImageDataset.tiny(count: 20, size: 10)
  private let folder = try? TemporaryFolder()

  /// Five epochs of three steps of six images; of each step the first `taken` are learned from.
  private func entries(every: Int, taken: Int? = 4, poisoned: Set<Int> = [1, 4, 5, 9, 11, 15, 17]) throws
    -> (entries: [MetricsEntry], learned: [[Int]])
  {
    let context = TrainingContext(device: .cpu, precision: .float32, seed: 1)
    let log = MetricsLog(path: try #require(folder).path("metrics-\(every)-\(taken ?? 0)-\(poisoned.count).jsonl"))
    let measurer = ModelMeasurer(BackdoorEvaluator(test: data.subset([0, 1, 2]), tasks: [], seed: 1))
    EpochObserver(every: every, measurer: measurer, poisoned: poisoned, log: log).observe(context)
    let model = try Classifier.tiny(for: data, width: 2)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch) = (5, 6)
    var learned: [[Int]] = [[], [], [], [], []]
    try Trainer(recipe, stage: "stage").train(model, on: data, context: context) { batch in
      let rows = taken.map { Tensor.arange(0..<$0) }
      if let rows { learned[batch.epoch] += batch.indices[rows].array(Int64.self).map(Int.init) }
      return BatchLoss(F.crossEntropy(model(batch.images), batch.labels), rows: rows)
    }
    return (try log.read(), learned)
  }

  @Test func theShareOfPoisonIsOfWhatWasLearned() throws {
    let poisoned: Set = [1, 4, 5, 9, 11, 15, 17]
    let (entries, learned) = try entries(every: 0)
    #expect(entries.count == 5 && learned.allSatisfy { $0.count == 12 })
    let shares = learned.map { Double($0.count(where: poisoned.contains)) / 12 }
    #expect(Set(shares).count > 1)
    #expect(entries.map { $0.values["poisonShareLearned"] } == shares)
    #expect(try self.entries(every: 0, poisoned: []).entries.allSatisfy { $0.values["poisonShareLearned"] == nil })
    #expect(try self.entries(every: 0, taken: nil).entries.allSatisfy { $0.values["poisonShareLearned"] == nil })
  }

  @Test(arguments: [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (3, [3, 5]), (7, [5])] as [(Int, [Int])])
  func measuredAfter(_ every: Int, _ epochs: [Int]) throws {
    let entries = try entries(every: every).entries
    #expect(entries.map(\.epoch) == [1, 2, 3, 4, 5])
    #expect(entries.filter { $0.values["accuracy"] != nil }.map(\.epoch) == epochs)
  }
}
