public import Torch

/// What a method remembers between steps besides model and optimizer, such as the last score of each sample: tensors by
/// name, which steps change in place. Part of the stage's checkpoint, so that a resumed run ends with the same bits.
public final class TrainingState {
  public let tensors: [String: Tensor]

  public init(_ tensors: [String: Tensor]) { self.tensors = tensors }

  /// - Parameter name: one of those that the state was made with.
  public subscript(_ name: String) -> Tensor {
    guard let tensor = tensors[name] else { preconditionFailure("the training state has no tensor named \(name)") }
    return tensor
  }

  /// Takes over saved values.
  /// - Throws: `TrainingError.checkpoint` where names, shapes or dtypes are others.
  func load(_ saved: [String: Tensor], stage: String) throws(TrainingError) {
    guard Set(saved.keys) == Set(tensors.keys),
      tensors.allSatisfy({ saved[$0]?.shape == $1.shape && saved[$0]?.dtype == $1.dtype })
    else {
      throw TrainingError.checkpoint(
        "the checkpoint of stage \(stage) does not hold what the method remembers between steps "
          + "(\(tensors.keys.sorted().joined(separator: ", "))). Remove it to start the stage over.")
    }
    noGrad { for (name, tensor) in saved { tensors[name]?.copy_(tensor) } }
  }
}
