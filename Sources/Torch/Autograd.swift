import CTorch

extension Tensor {
  public var requiresGrad: Bool { ct_requires_grad(handle) }
  /// Marks a leaf; returns itself.
  @discardableResult
  public func requiresGrad_(_ on: Bool = true) -> Tensor {
    done(ct_set_requires_grad(handle, on), "requiresGrad_", [self])
    return self
  }
  /// The gradient that `backward` collected in this leaf.
  public var grad: Tensor? {
    get {
      guard let gradient = ct_gradient_of(handle) else { return nil }
      return Tensor(owning: gradient)
    }
    set { done(ct_set_gradient_of(handle, newValue?.handle), "grad", [self]) }
  }
  /// Adds d self / d leaf to every leaf's `grad`. Without `gradient` the tensor must be a scalar.
  public func backward(gradient: Tensor? = nil, retainGraph: Bool = false, createGraph: Bool = false) {
    done(ct_backward(handle, gradient?.handle, retainGraph || createGraph, createGraph), "backward", [self])
  }
}

/// d sum(outputs) / d inputs for these inputs alone: no other gradient is computed or stored.
/// - Parameters:
///   - seeds: the gradients of the outputs; 1 for scalars when nil.
///   - createGraph: true to differentiate the result again.
public func gradients(
  of outputs: [Tensor], at inputs: [Tensor], seeds: [Tensor]? = nil, retainGraph: Bool = false,
  createGraph: Bool = false
) -> [Tensor] {
  let found = gradientsIfAny(
    of: outputs, at: inputs, seeds: seeds, retainGraph: retainGraph, createGraph: createGraph, optional: false)
  return found.compactMap { $0 }
}

public func gradients(
  of loss: Tensor, at inputs: [Tensor], retainGraph: Bool = false, createGraph: Bool = false
) -> [Tensor] {
  gradients(of: [loss], at: inputs, retainGraph: retainGraph, createGraph: createGraph)
}

/// The gradient at one input.
public func gradient(of loss: Tensor, at input: Tensor, retainGraph: Bool = false, createGraph: Bool = false) -> Tensor
{
  gradients(of: [loss], at: [input], retainGraph: retainGraph, createGraph: createGraph)[0]
}

/// As `gradients`, with nil for inputs that the outputs do not depend on.
public func gradientsIfAny(
  of outputs: [Tensor], at inputs: [Tensor], seeds: [Tensor]? = nil, retainGraph: Bool = false,
  createGraph: Bool = false
) -> [Tensor?] {
  gradientsIfAny(
    of: outputs, at: inputs, seeds: seeds, retainGraph: retainGraph, createGraph: createGraph, optional: true)
}

private func gradientsIfAny(
  of outputs: [Tensor], at inputs: [Tensor], seeds: [Tensor]?, retainGraph: Bool, createGraph: Bool, optional: Bool
) -> [Tensor?] {
  var results = [CTTensor?](repeating: nil, count: inputs.count)
  let retain = retainGraph || createGraph
  let (n, m) = (Int64(outputs.count), Int64(inputs.count))
  let status =
    if let seeds {
      ct_grad(handles(outputs), n, handles(inputs), m, handles(seeds), retain, createGraph, optional, &results)
    } else {
      ct_grad(handles(outputs), n, handles(inputs), m, nil, retain, createGraph, optional, &results)
    }
  done(status, "gradients", outputs)
  return results.map { handle in handle.map(Tensor.init(owning:)) }
}

/// Runs `body` without recording operations for gradients, on this thread.
public func noGrad<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
  let before = ct_grad_enabled()
  ct_set_grad_enabled(false)
  defer { ct_set_grad_enabled(before) }
  return try body()
}

/// Runs `body` with recording on, also inside `noGrad`.
public func withGrad<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
  let before = ct_grad_enabled()
  ct_set_grad_enabled(true)
  defer { ct_set_grad_enabled(before) }
  return try body()
}

/// Runs `body` with convolutions and matrix products in `dtype` (float32 weights stay as they are); nil runs it as it
/// is.
public func autocast<R, E: Error>(_ dtype: DType?, on device: Device = .cpu, _ body: () throws(E) -> R) throws(E) -> R {
  guard let dtype else { return try body() }
  return try casting(true, dtype.rawValue, on: device, body)
}

/// Runs `body` in the tensors' own types, also inside `autocast`.
public func withoutAutocast<R, E: Error>(on device: Device = .cpu, _ body: () throws(E) -> R) throws(E) -> R {
  guard ct_autocast_enabled(device.type) else { return try body() }
  return try casting(false, ct_autocast_dtype(device.type), on: device, body)
}

private func casting<R, E: Error>(
  _ enabled: Bool, _ dtype: Int32, on device: Device, _ body: () throws(E) -> R
) throws(E) -> R {
  let wasOn = ct_autocast_enabled(device.type)
  let before = ct_autocast_dtype(device.type)
  done(ct_autocast_enter(device.type, enabled, dtype), "autocast")
  defer { done(ct_autocast_exit(device.type, wasOn, before), "autocast") }
  return try body()
}
