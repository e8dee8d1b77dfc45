public import Torch

/// A layer with parameters that shows what goes through it: methods that need more of a backward pass than gradients,
/// such as those of single samples, get it from a layer's input and the gradient at its output.
public protocol ObservableLayer: Layer {
  /// Called in each forward pass with input and output (before a fused activation); nil outside of such a method.
  var observer: ((_ input: Tensor, _ output: Tensor) -> Void)? { get set }
}
