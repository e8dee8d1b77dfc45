public import Torch

/// Changes parameters by their gradients. Semantics equal `torch.optim`'s; the arithmetic is LibTorch's fused kernels.
open class Optimizer {
  public let parameters: [Tensor]
  public var learningRate: Double

  public init(_ parameters: [Tensor], learningRate: Double) {
    require(!parameters.isEmpty, "an optimizer needs at least one parameter")
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

  /// One step down the gradient of `loss`, a scalar; the gradients stay in `parameters` until the next one.
  /// - Parameter clipNorm: the largest 2-norm of all gradients together; nil means no limit.
  public final func step(minimizing loss: Tensor, clipNorm: Double? = nil) {
    zeroGrad()
    loss.backward()
    if let clipNorm { clipGlobalNorm(parameters.compactMap(\.grad), to: clipNorm) }
    step()
  }

  /// One step from given gradients, one for each parameter.
  /// - Parameter clipNorm: the largest 2-norm of all gradients together, which are scaled in place; nil means no limit.
  public final func step(gradients: [Tensor], clipNorm: Double? = nil) {
    require(gradients.count == parameters.count, "\(gradients.count) gradients for \(parameters.count) parameters")
    if let clipNorm { clipGlobalNorm(gradients, to: clipNorm) }
    noGrad { update(Array(parameters.indices), gradients) }
  }

  /// Updates `parameters[indices]` by `gradients`. Subclasses override it; it is called without recording.
  open func update(_ indices: [Int], _ gradients: [Tensor]) { fatalError("\(type(of: self)) must override update") }

  public final func zeroGrad() { for parameter in parameters { parameter.grad = nil } }

  /// State tensors by name (`3.momentum_buffer`), for checkpoints.
  open func stateDict() -> [(key: String, tensor: Tensor)] { [] }
  /// Takes state that `stateDict` gave; keys that are absent reset that state.
  /// - Throws: `OptimizerStateError` for a tensor of another shape; the state is then incomplete and the optimizer not
  ///   to be used.
  open func load(state: [String: Tensor]) throws(OptimizerStateError) {}
}

/// Saved state that belongs to other parameters.
public struct OptimizerStateError: Error, CustomStringConvertible, Sendable {
  public let description: String
}

/// Optimizers of networks that are trained side by side as one state: `2.0.momentum_buffer` belongs to the third. Each
/// one may step by itself; a step of the group steps all. Its learning rate is then the first one's, and the others have
/// their own.
public final class OptimizerGroup: Optimizer {
  private let members: [Optimizer]

  public init(_ members: [Optimizer]) {
    self.members = members
    super.init(members.flatMap(\.parameters), learningRate: members.first?.learningRate ?? 0)
  }

  public override func update(_ indices: [Int], _ gradients: [Tensor]) {
    members.first?.learningRate = learningRate
    var start = 0
    for member in members {
      let own = zip(indices, gradients).filter { start..<(start + member.parameters.count) ~= $0.0 }
      if !own.isEmpty { member.update(own.map { $0.0 - start }, own.map(\.1)) }
      start += member.parameters.count
    }
  }

  public override func stateDict() -> [(key: String, tensor: Tensor)] {
    members.enumerated().flatMap { number, member in member.stateDict().map { ("\(number).\($0.key)", $0.tensor) } }
  }
  public override func load(state: [String: Tensor]) throws(OptimizerStateError) {
    for (number, member) in members.enumerated() {
      let prefix = "\(number)."
      let own = state.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) }
      try member.load(state: Dictionary(uniqueKeysWithValues: own))
    }
  }
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
  var entries: [(key: String, tensor: Tensor)] {
    tensors.sorted { $0.key < $1.key }.map { ("\($0.key).\(name)", $0.value) }
  }
  /// - Parameter scalar: one number a parameter (a step count) in place of a tensor of its shape.
  mutating func load(
    _ state: [String: Tensor], like parameters: [Tensor], scalar: Bool = false
  ) throws(OptimizerStateError) {
    tensors = [:]
    for (index, parameter) in parameters.enumerated() {
      guard let value = state["\(index).\(name)"] else { continue }
      let shape = scalar ? [] : parameter.shape
      guard value.shape == shape else {
        throw OptimizerStateError(
          description:
            "optimizer state \(index).\(name) is \(value.summary), expected shape \(shape). It belongs to another "
            + "model."
        )
      }
      // The parameter's own memory order: fused kernels are fast, and exact again, only then.
      let slot = scalar ? Tensor(0, device: parameter.device) : Tensor.zeros(like: parameter.detach())
      slot.copy_(value)
      tensors[index] = slot
    }
  }
}
