import TestFiles
import TestSupport
import Testing
import Torch
import Training

@testable import Experiments

@Suite struct FolderCheckpointsTests {
  @Test func aStageFindsItsOwnCheckpoint() throws {
    try withTemporaryFolder { folder in
      let checkpoints = FolderCheckpoints(folder)
      #expect(checkpoints.isEmpty)
      #expect(try checkpoints.load(stage: "train")?.epoch == nil)
      try checkpoints.save(Checkpoint(epoch: 3, tensors: [("w", Tensor([Float(1)]))]), stage: "train")
      #expect(try checkpoints.load(stage: "train")?.epoch == 3)
      #expect(try checkpoints.load(stage: "ft")?.epoch == nil)
      #expect(!checkpoints.isEmpty)
      checkpoints.removeAll()
      #expect(checkpoints.isEmpty)
      #expect(try checkpoints.load(stage: "train")?.epoch == nil)
    }
  }

  /// The file lies in the folder whatever the stage is called.
  @Test func stagesMayHaveAnyName() {
    #expect(FolderCheckpoints("/run").path(of: "train/../x") == "/run/checkpoint-train----x.safetensors")
  }
}
