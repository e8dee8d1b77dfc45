import Torch
import TorchNN

/// A change to pixels as the parameter of an optimisation, so that it is checkpointed like a model.
final class PixelChange: Module {
  @Parameter var value: Tensor
  init(_ value: Tensor) { self.value = value }
}
