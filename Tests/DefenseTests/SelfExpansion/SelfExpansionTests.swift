import Backdoor
@testable import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The whole defense: exact resume, determinism, what it gives back, and what it refuses.
@Suite struct SelfExpansionTests {
  private let data = ImageDataset.tiny(count: 100)

  private func configuration(_ edit: (inout SelfExpansion.Configuration) -> Void = { _ in })
    -> SelfExpansion.Configuration
  {
    var configuration = SelfExpansion.Configuration()
    configuration.filter = .tiny()
    configuration.recipe.epochs = 3
    configuration.recipe.batch = 20
    edit(&configuration)
    return configuration
  }
  private func run(
    _ context: TrainingContext, seed: Seed = 2, on data: ImageDataset? = nil,
    _ edit: (inout SelfExpansion.Configuration) -> Void = { _ in }
  ) throws -> DefenseOutcome {
    let set = data ?? self.data
    let input = try DefenseInput(
      for: SelfExpansion.self, training: context, seed: seed,
      architecture: set.tinyArchitecture, poisonedTrain: set)
    return try SelfExpansion(configuration(edit)).run(input)
  }
  private func context(_ store: (any CheckpointStore)? = nil, seed: Seed = 2) -> TrainingContext {
    TrainingContext(precision: .float32, seed: seed, checkpoints: store)
  }

  private func expectEqual(_ found: DefenseOutcome, _ expected: DefenseOutcome, _ what: String) throws {
    expectSame(try #require(found.model).snapshot(), try #require(expected.model).snapshot(), what)
    #expect(
      found.filtered?.kept == expected.filtered?.kept && found.filtered?.rejected == expected.filtered?.rejected,
      "\(what)")
    #expect(
      found.suspicion == expected.suspicion && found.scores.map(\.values) == expected.scores.map(\.values), "\(what)")
  }

  private struct Killed: Error {}

  /// An undisturbed run; nobody changes it.
  nonisolated(unsafe) private static let undisturbed = Result { try Self().run(Self().context()) }

  /// Killed before the checkpoint of an epoch: inside a round (2), at a round's first (6) and last (5) iteration, in
  /// the second bag, in a learner's first and last epoch, in self-training and in the final training.
  @Test(arguments: [
    ("ispl-search", 1), ("ispl-search", 2), ("ispl-search", 5), ("ispl-search", 6), ("ispl-search", 16),
    ("ispl-learners", 1),
    ("ispl-learners", 3), ("ispl-learners", 6), ("ispl-self-training", 2), ("self-expansion", 3),
  ]) func resumesWithTheSameBits(_ stage: String, _ epoch: Int) throws {
    let whole = try Self.undisturbed.get()
    let store = MemoryCheckpoints()
    let first = context(store)
    first.onEpoch = { if $0.stage == stage && $0.epoch == epoch { throw Killed() } }
    #expect(throws: Killed.self) { try run(first) }
    #expect((try store.load(stage: stage)?.epoch ?? 0) == epoch - 1)
    let second = context(store)
    var done: [String] = []
    second.onEpoch = { done.append("\($0.stage) \($0.epoch)") }
    try expectEqual(run(second), whole, "\(stage) \(epoch)")
    #expect(done.first == "\(stage) \(epoch)", "nothing is done twice")
  }

  /// Ctrl-C again and again, in the middle of epochs too.
  @Test func manyInterruptions() throws {
    let whole = try Self.undisturbed.get()
    let store = MemoryCheckpoints()
    var found: DefenseOutcome?
    var interruptions = 0
    for checks in 0..<400 where found == nil {
      do {
        found = try Interruption.simulated(afterChecks: 9 + checks % 7) { try run(context(store)) }
      } catch is Interrupted { interruptions += 1 }
    }
    #expect(interruptions > 10)
    try expectEqual(try #require(found), whole, "after \(interruptions) interruptions")
  }

  @Test func isDeterministic() throws {
    let one = try run(context())
    try expectEqual(run(context()), one, "again")
    let other = try run(context(seed: 3), seed: 3)
    #expect(one.scores.map(\.values) != other.scores.map(\.values), "the seed matters")
  }

  /// The filter alone decides as the defense does; self-training only gives back, and only where it is on.
  @Test func filterAlone() throws {
    let whole = try run(context())
    func filter(_ settings: ExpansionSettings) throws -> DefenseOutcome {
      let input = try DefenseInput(
        for: InverseSelfPacedLearning.self, training: context(), seed: 2,
        architecture: data.tinyArchitecture,
        poisonedTrain: data)
      return try InverseSelfPacedLearning(settings).run(input)
    }
    let alone = try filter(.tiny())
    #expect(alone.model == nil && alone.filtered?.kept == whole.filtered?.kept && alone.suspicion == whole.suspicion)
    let without = try #require(try filter(.tiny { $0.selfTraining = 0 }).filtered)
    let with = try #require(alone.filtered)
    #expect(Set(with.kept).isSuperset(of: without.kept) && (with.kept + with.rejected).sorted() == Array(0..<100))
    let twice = try #require(try filter(.tiny { $0.selfTraining = 2 }).filtered)
    #expect(Set(twice.kept).isSuperset(of: with.kept) && Set(twice.kept).count == twice.kept.count)
    let componentwise = try #require(try filter(.tiny { $0.ballot = .component }).filtered)
    #expect((componentwise.kept + componentwise.rejected).sorted() == Array(0..<100))
  }

  @Test func selfTrainingReturnsWhatItWouldLabelAlike() {
    #expect(SelfTraining.agreeing([4, 7, 9, 12], predicted: [1, 0, 2, 2], labels: [1, 1, 2, 0]) == [4, 9])
    #expect(SelfTraining.agreeing([], predicted: [], labels: []) == [])
  }

  /// By hand, from 1/2: right, wrong, wrong; then right, right, wrong.
  @Test func runningVoteWeighsEarlierTurns() {
    func turn(_ agreement: Tensor, _ agrees: [Double]) -> Tensor {
      SelfTraining.running(agreement, agrees: Tensor(agrees), eta: 0.8)
    }
    let once = turn(Tensor([0.5, 0.5, 0.5] as [Double]), [1, 0, 0])
    expectClose(once, Tensor([0.6, 0.4, 0.4] as [Double]))
    expectClose(turn(once, [1, 1, 0]), Tensor([0.68, 0.52, 0.32] as [Double]))
  }

  @Test func refuses() throws {
    func message(on set: ImageDataset? = nil, _ edit: (inout SelfExpansion.Configuration) -> Void) -> String? {
      #expect(throws: DefenseError.self) { try run(context(), on: set, edit) }?.description
    }
    #expect(
      message { $0.filter.stopAt = 100 }
        == "defense.filter.stopAt 100: the training set has only 100 samples, so no round would begin. Choose a "
        + "smaller number, such as 4."
    )
    #expect(message { $0.filter.learner.epochs = 0 }?.contains("defense.filter.learner.epochs 0") == true)
    var labels = data.labels.array(Int64.self)
    labels[13] = -1
    #expect(message(on: data.relabeled(Tensor(labels))) { _ in }?.contains("sample 13 has no label") == true)
  }
}
