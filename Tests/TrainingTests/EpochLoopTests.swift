import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// What every stage gets from the loop: reports, the check for NaN, checkpoints, exact resume.
@Suite struct EpochLoopTests {
  private let data = ImageDataset.tiny(count: 32)

  /// Each with state of its own that a checkpoint has to carry.
  enum Setup: String, CaseIterable {
    case momentum, nesterov, adam, adamw, oneCycle, dropout

    var recipe: Recipe {
      var recipe = Recipe()
      recipe.epochs = 3
      recipe.batch = 8
      recipe.learningRate = 0.05
      recipe.crop = 2
      recipe.flip = true
      recipe.schedule = .cosine
      recipe.nesterov = self == .nesterov
      if self == .adam || self == .dropout { recipe.optimizer = .adam }
      if self == .adamw { recipe.optimizer = .adamw }
      if self == .oneCycle { recipe.schedule = .oneCycle }
      return recipe
    }
    func model(for data: ImageDataset) throws -> Classifier {
      self == .dropout ? WithDropout(for: data) : try .tiny(for: data)
    }
  }

  private func train(_ setup: Setup, _ context: TrainingContext) throws -> [(key: String, tensor: Tensor)] {
    let model = try setup.model(for: data)
    try Trainer(setup.recipe).train(model, on: data, context: context)
    return model.snapshot()
  }

  /// Three epochs of four batches: the loop looks for Ctrl-C 15 times.
  @Test(arguments: Setup.allCases, [0, 3, 7, 12]) func resumesWithTheSameBits(_ setup: Setup, _ checks: Int) throws {
    let whole = try train(setup, TrainingContext(precision: .float32, seed: 3))
    let store = MemoryCheckpoints()
    #expect(throws: Interrupted.self) {
      try Interruption.simulated(afterChecks: checks) {
        try train(setup, TrainingContext(precision: .float32, seed: 3, checkpoints: store))
      }
    }
    let stored = try store.load(stage: "train")
    #expect(stored?.epoch == (checks < 5 ? nil : checks / 5))
    let resumed = try train(setup, TrainingContext(precision: .float32, seed: 3, checkpoints: store))
    expectSame(resumed, whole, "\(setup) after \(checks) checks")
  }

  /// Interrupted again and again, and through files.
  @Test func manyInterruptions() throws {
    let whole = try train(.momentum, TrainingContext(precision: .float32, seed: 3))
    try withTemporaryFolder { folder in
      final class Files: CheckpointStore {
        let folder: String
        init(_ folder: String) { self.folder = folder }
        func load(stage: String) throws -> Checkpoint? {
          guard let text = try? Checkpoint(contentsOf: "\(folder)/\(stage).safetensors") else { return nil }
          return text
        }
        func save(_ checkpoint: Checkpoint, stage: String) throws {
          try checkpoint.write(to: "\(folder)/\(stage).safetensors")
        }
      }
      var found: [(key: String, tensor: Tensor)]?
      for _ in 0..<10 where found == nil {
        do {
          found = try Interruption.simulated(afterChecks: 6) {
            try train(.momentum, TrainingContext(precision: .float32, seed: 3, checkpoints: Files(folder)))
          }
        } catch is Interrupted {}
      }
      expectSame(try #require(found), whole)
    }
  }

  /// A finished stage is not trained again.
  @Test func finishedStagesStay() throws {
    let store = MemoryCheckpoints()
    let context = TrainingContext(precision: .float32, seed: 3, checkpoints: store)
    let first = try train(.momentum, context)
    var epochs = 0
    context.onEpoch = { _ in epochs += 1 }
    expectSame(try train(.momentum, context), first)
    #expect(epochs == 0)
  }

  @Test func calls() throws {
    let store = MemoryCheckpoints()
    let context = TrainingContext(precision: .float32, seed: 3, checkpoints: store)
    var calls: [String] = []
    context.onStart = { stage, finished in calls.append("\(stage) from \(finished)") }
    context.onEpoch = { report in
      #expect(report.epochs == 3 && report.model is Classifier)
      #expect(report.values.map(\.key) == ["loss", "learningRate", "seconds", "imagesPerSecond"])
      #expect(report.values.allSatisfy { $0.value.isFinite && $0.value >= 0 })
      let stored = try store.load(stage: report.stage)
      #expect(stored?.epoch ?? 0 == report.epoch - 1, "the report comes before the checkpoint")
      calls.append("\(report.stage) \(report.epoch)")
    }
    #expect(throws: Interrupted.self) {
      try Interruption.simulated(afterChecks: 7) { _ = try train(.momentum, context) }
    }
    _ = try train(.momentum, context)
    #expect(calls == ["train from 0", "train 1", "train from 1", "train 2", "train 3"])
  }

  /// The last good checkpoint is kept, and the error says where the loss broke.
  @Test(arguments: [Float.nan, .infinity]) func lossBreaks(_ value: Float) throws {
    let store = MemoryCheckpoints()
    let context = TrainingContext(precision: .float32, seed: 3, checkpoints: store)
    var steps = 0
    let error = #expect(throws: TrainingError.self) {
      let model = try Setup.momentum.model(for: data)
      try Trainer(Setup.momentum.recipe).train(model, on: data, context: context) { batch in
        steps += 1
        let loss = F.crossEntropy(model(batch.images), batch.labels)
        return BatchLoss(steps == 6 ? loss * Double(value) : loss)
      }
    }
    guard case .lossNotFinite("train", 2, let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!found.isFinite && steps == 8)
    let stored = try store.load(stage: "train")
    let kept = try #require(stored)
    #expect(kept.epoch == 1)
    #expect(kept.tensors.allSatisfy { $0.tensor.to(.float32).isFinite().all().intItem() == 1 })
  }

  /// Means are over images, not over batches.
  @Test func meansAreOverImages() throws {
    let model = try Classifier.tiny(for: data)
    let context = TrainingContext(precision: .float32)
    var values: [(key: String, value: Double)] = []
    context.onEpoch = { values = $0.values }
    try EpochLoop(stage: "s", epochs: 1, imagesPerEpoch: 4, context: context).run(
      model: model, optimizer: SGD(model.parameters(), learningRate: 0.5)
    ) { _, meter in
      try meter.step(images: 3, ["loss": Tensor.full([], 1), "other": Tensor.full([], 2)])
      try meter.step(images: 1, ["loss": Tensor.full([], 5), "other": Tensor.full([], 2)])
    }
    #expect(values[0] == ("loss", 2) && values[1] == ("other", 2) && values[2] == ("learningRate", 0.5))
  }

  /// A checkpoint of another model is an error that names the stage, not a wrong model.
  @Test func foreignCheckpoint() throws {
    let store = MemoryCheckpoints()
    _ = try train(.momentum, TrainingContext(precision: .float32, seed: 3, checkpoints: store))
    let other = try Classifier.tiny(for: data, width: 8)
    let error = #expect(throws: (any Error).self) {
      try Trainer(Setup.momentum.recipe).train(
        other, on: data, context: TrainingContext(precision: .float32, checkpoints: store))
    }
    #expect("\(String(describing: error))".contains("stage train"))
  }

  @Test func damagedCheckpointFile() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/checkpoint.safetensors"
      try Safetensors.save([("model.weight", Tensor.ones([2]))], metadata: [:], to: path)
      let error = #expect(throws: TrainingError.self) { _ = try Checkpoint(contentsOf: path) }
      #expect(error?.description.contains(path) == true)
      try Checkpoint(epoch: 4, tensors: [("a", Tensor.ones([2]))]).write(to: path)
      let back = try Checkpoint(contentsOf: path)
      #expect(back.epoch == 4 && back.tensors.map(\.key) == ["a"])
    }
  }
}
