import Foundation
public import Torch
public import TorchNN

// The closed forms that the goldens were made with; Tests/Goldens/goldens.py defines them.

/// `float32(sin(0.7 i + phase)) * float32(scale)` at the flat index i.
public func pattern(_ shape: Shape, _ phase: Double, _ scale: Double = 1) -> Tensor {
  Tensor((0..<shape.reduce(1, *)).map { Float(sin(0.7 * Double($0) + phase)) * Float(scale) }, shape: shape)
}

/// Numbers in (-1, 1) without the low rank of `pattern`.
public func noise(_ shape: Shape, _ phase: Double, _ scale: Double = 1) -> Tensor {
  let values = (0..<shape.reduce(1, *)).map { index -> Float in
    let value = 43758.5453 * sin(12.9898 * Double(index + 1) + 78.233 * phase)
    return Float(2 * (value - value.rounded(.down)) - 1) * Float(scale)
  }
  return Tensor(values, shape: shape)
}

/// Pixels in [0, 1].
public func imagePattern(_ shape: Shape, _ phase: Double) -> Tensor { 0.5 + 0.5 * pattern(shape, phase) }

/// The loss of the layer goldens.
public func weightedSum(_ output: Tensor) -> Tensor { (output * pattern(output.shape, 0.3).to(output.dtype)).sum() }

/// The value of a state dict's tensor by the filling rule.
public func filled(_ name: String, _ shape: Shape, _ phase: Double, noisy: Bool = false) -> Tensor {
  if shape.count >= 2 {
    let fanIn = Double(shape.reduce(1, *)) / Double(shape[0])
    return noisy
      ? noise(shape, phase, (6 / fanIn).squareRoot()) : pattern(shape, phase, (2 / fanIn).squareRoot())
  }
  let values = noisy ? noise(shape, phase) : pattern(shape, phase)
  switch name.split(separator: ".").last {
  case "weight": return 1 + 0.1 * values
  case "bias", "running_mean": return 0.1 * values
  case "running_var": return 1 + 0.5 * values.abs()
  default: preconditionFailure("the filling rule does not cover \(name) \(shape)")
  }
}

extension Module {
  /// Gives every floating tensor of the state its value by the filling rule.
  @discardableResult
  public func fillWithPattern(phaseOffset: Double = 0, noisy: Bool = false) -> Self {
    let floating = stateDict().entries.filter { $0.tensor.dtype.isFloatingPoint }
    noGrad {
      for (index, entry) in floating.enumerated() {
        entry.tensor.copy_(filled(entry.key, entry.tensor.shape, Double(index) + phaseOffset, noisy: noisy))
      }
    }
    return self
  }
}
