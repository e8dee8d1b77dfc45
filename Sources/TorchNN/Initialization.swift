public import Torch

/// PyTorch's default initialisations. Randomness is an argument; all draws happen on the CPU in float32, so that the
/// same seed gives the same weights on every device.
public enum Initialization {
  /// U(-1/sqrt(fanIn), 1/sqrt(fanIn)): the default of Linear and Conv2d for weights and biases (Kaiming uniform with a
  /// = sqrt 5).
  public static func uniform(_ shape: Shape, fanIn: Int, _ generator: Generator) -> Tensor {
    let bound = 1 / Double(max(fanIn, 1)).squareRoot()
    return generator.uniform(shape, -bound, bound)
  }
  /// N(0, sqrt(2 / fan)): Kaiming normal for ReLU.
  public static func kaimingNormal(_ shape: Shape, fan: Int, _ generator: Generator) -> Tensor {
    generator.normal(shape) * (2 / Double(max(fan, 1))).squareRoot()
  }
}
