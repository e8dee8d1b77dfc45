public import Torch
public import TorchNN

extension Module {
  /// What the networks of the goldens have beyond the filling rule, so that they tell images apart: weights of layers
  /// times `factor`, those of the last linear layer times `linear`.
  /// - Parameter columns: one more factor for each input of the last layer, 1 x D.
  @discardableResult
  public func scaleWeights(by factor: Double = 0.7, linear: Double = 8, columns: Tensor? = nil) -> Self {
    noGrad {
      for (key, tensor) in namedParameters() where tensor.rank >= 2 {
        tensor.mul_(key == "linear.weight" ? linear : factor)
        if key == "linear.weight", let columns { tensor.mul_(columns) }
      }
    }
    return self
  }
}
