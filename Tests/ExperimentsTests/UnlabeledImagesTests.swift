import Backdoor
import Experiments
import Files
import Support
import TestData
import Testing
import Torch
import Training
import Vision

/// Images without labels: taken out of what is poisoned, and from another data set.
@Suite struct UnlabeledImagesTests {
  private let data = ImageDataset.tiny(count: 40, size: 32)

  private func cell(_ clean: JSONValue) throws -> Cell {
    let c = try ExperimentConfiguration(["attack": ["rate": 0.5], "clean": clean])
    return try Cell(c, data: (train: data, test: data), context: TrainingContext(precision: .float32, seed: 3))
  }
  private func pictures(_ data: ImageDataset) -> [[UInt8]] {
    (0..<data.count).map { data.images[$0].array(UInt8.self) }
  }

  /// Neither in the set that is poisoned nor with a label.
  @Test func areTakenOutOfWhatIsPoisoned() throws {
    let cell = try cell(["unlabeled": 0.3, "share": 0])
    let unlabeled = try #require(cell.unlabeled)
    #expect(unlabeled.count == 12 && unlabeled.labelArray().allSatisfy { $0 == -1 })
    let outcome = try #require(cell.attackOutcome)
    #expect(cell.trainSet.count == 28 && outcome.train.indices.count == 14)
    let kept = Set(pictures(cell.trainSet))
    #expect(pictures(unlabeled).allSatisfy { !kept.contains($0) })
    let all = Set(pictures(data))
    #expect(pictures(unlabeled).allSatisfy(all.contains), "as they are, without trigger")
    #expect(try self.cell([:]).unlabeled == nil && self.cell([:]).trainSet.count == 40)
  }

  @Test func comeFromAnotherSetToo() throws {
    let other = try cell(["unlabeledFrom": "generated", "unlabeledCount": 7])
    let found = try #require(other.unlabeled)
    #expect(found.count == 7 && found.images.shape == [7, 3, 32, 32] && found.labelArray().allSatisfy { $0 == -1 })
    #expect(other.trainSet.count == 40, "nothing is taken out of the training set")
    let both = try #require(try cell(["unlabeledFrom": "generated", "unlabeledCount": 7, "unlabeled": 0.3]).unlabeled)
    #expect(both.count == 19 && Array(pictures(both).suffix(7)) == pictures(found))
  }

  @Test func whatCannotBeIsRefused() throws {
    for (clean, words) in [
      (["unlabeledFrom": "cifar100"], "clean.unlabeledPath"), (["unlabeledCount": 5], "clean.unlabeledFrom names none"),
    ] as [(JSONValue, String)] {
      let error = #expect(throws: JobError.self) { try cell(clean) }
      #expect(error?.description.contains(words) == true)
    }
  }
}
