public import Torch

/// Changes parameters by their gradients. Semantics equal `torch.optim`'s; the arithmetic is LibTorch's fused kernels.
open class Optimizer {
  public let parameters: [Tensor]
  public var learningRate: Double

  public init(_ parameters: [Tensor], learningRate: Double) {
    precondition(!parameters.isEmpty, "an optimizer needs at least one parameter")
    self.parameters = parameters
    self.learningRate = learningRate
  }

  /// One step from the gradients in `parameters`; those without a gradient stay as they are.
  public final func step() {
    noGrad {
      var indices: [Int] = []
      var gradients: [Tensor] = []
      for (index, parameter) in parameters.enumerated() {
        guard let gradient = parameter.grad else { continue }
        indices.append(index)
        gradients.append(gradient)
      }
      if !indices.isEmpty { update(indices, gradients) }
    }
  }

  /// One step from given gradients, one for each parameter.
  public final func step(gradients: [Tensor]) {
    precondition(gradients.count == parameters.count, "\(gradients.count) gradients for \(parameters.count) parameters")
    noGrad { update(Array(parameters.indices), gradients) }
  }

  /// The idea of an optimizer: updates `parameters[indices]` by `gradients`. Called without recording.
  open func update(_ indices: [Int], _ gradients: [Tensor]) { fatalError("\(type(of: self)) must override update") }

  public final func zeroGrad() { for parameter in parameters { parameter.grad = nil } }

  /// State tensors by name (`3.momentum_buffer`), for checkpoints.
  open func stateDict() -> [(key: String, tensor: Tensor)] { [] }
  /// Takes state that `stateDict` gave; keys that are absent reset that state.
  open func load(state: [String: Tensor]) {}
}

/// State that appears when a parameter is first updated.
struct Slots {
  var tensors: [Int: Tensor] = [:]
  let name: String
  init(_ name: String) { self.name = name }

  mutating func get(_ index: Int, _ make: () -> Tensor) -> Tensor {
    if let tensor = tensors[index] { return tensor }
    let tensor = make()
    tensors[index] = tensor
    return tensor
  }
  var entries: [(key: String, tensor: Tensor)] { tensors.sorted { $0.key < $1.key }.map { ("\($0.key).\(name)", $0.value) } }
  mutating func load(_ state: [String: Tensor], like parameters: [Tensor]) {
    tensors = [:]
    for (index, parameter) in parameters.enumerated() {
      guard let value = state["\(index).\(name)"] else { continue }
      if value.shape == parameter.shape {
        // The parameter's own memory order: fused kernels are fast, and exact again, only then.
        let slot = Tensor.zeros(like: parameter.detach())
        slot.copy_(value)
        tensors[index] = slot
      } else {
        tensors[index] = value.to(parameter.device).clone()
      }
    }
  }
}
