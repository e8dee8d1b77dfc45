import Testing
import Torch
import TorchNN

@Test func snakeCaseKeys() {
  let norm = BatchNorm2d(3)
  #expect(norm.stateDict().keys == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"])
}
