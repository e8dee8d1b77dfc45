import Torch
import TorchNN

/// Which side of a layer keeps the variance of its signal under a Kaiming normal draw.
enum FanMode {
  /// Inputs times kernel area: activations keep their variance.
  case fanIn
  /// Outputs times kernel area: gradients keep theirs.
  case fanOut
}

extension Module {
  /// Draws the weights of all convolutions of the tree from N(0, 2 / fan), as `torch.nn.init.kaiming_normal_` for ReLU
  /// does. Biases become 0 with `zeroBias`, and stay as they are without.
  func drawConvolutions(_ mode: FanMode, zeroBias: Bool = false, _ generator: Generator) {
    noGrad {
      for case let conv as Conv2d in modules().map(\.module) {
        let shape = conv.weight.shape
        let fan = (mode == .fanIn ? shape[1] : shape[0]) * shape[2] * shape[3]
        conv.weight.copy_(Initialization.kaimingNormal(shape, fan: fan, generator))
        if zeroBias { conv.bias?.wrappedValue.zero_() }
      }
    }
  }

  /// Draws the weights of all convolutions and linear layers of the tree from N(0, deviation), with biases 0, as timm and
  /// torchvision do in networks with layer normalisation. (They cut the distribution at +-2, a hundred deviations.)
  func drawNormal(_ deviation: Double, _ generator: Generator) {
    noGrad {
      for (_, module) in modules() {
        let (weight, bias): (Tensor, Bias?)
        switch module {
        case let layer as Conv2d: (weight, bias) = (layer.weight, layer.bias)
        case let layer as Linear: (weight, bias) = (layer.weight, layer.bias)
        default: continue
        }
        weight.copy_(generator.normal(weight.shape) * deviation)
        bias?.wrappedValue.zero_()
      }
    }
  }
}

extension Sequential {
  /// The outputs of the layers at these places, and that of the last layer.
  func outputs(_ x: Tensor, at places: [Int]) -> (stages: [Tensor], last: Tensor) {
    var x = x
    var stages: [Tensor] = []
    for (index, entry) in layers.enumerated() {
      x = entry.layer(x)
      if places.contains(index) { stages.append(x) }
    }
    return (stages, x)
  }
}

/// Means over height and width: N x C x H x W to N x C.
func globalAveragePool(_ x: Tensor) -> Tensor { F.adaptiveAvgPool2d(x, 1, 1).flattened(1) }
