public import Torch

/// A tensor that training changes. Its key in the state dict is the property's name in snake_case.
@propertyWrapper
public final class Parameter {
  public var wrappedValue: Tensor
  public init(wrappedValue: Tensor) { self.wrappedValue = wrappedValue.requiresGrad_() }
}

/// A tensor that belongs to the state without being trained, as running statistics.
@propertyWrapper
public final class Buffer {
  public var wrappedValue: Tensor
  public init(wrappedValue: Tensor) { self.wrappedValue = wrappedValue }
}

/// A part of a network with parameters, buffers and submodules, as PyTorch's `nn.Module`.
///
/// Stored properties are found by reflection once, at the first use: `@Parameter` and `@Buffer` tensors, modules,
/// optional modules and arrays of modules. Their state-dict keys equal PyTorch's: `layer1.0.conv1.weight`,
/// `running_mean`. A bare `Tensor` or a dictionary of modules traps, because it would silently stay out of the state
/// dict; wrap a constant in `Constant`.
open class Module {
  public private(set) var isTraining = true
  private var found: Reflection?

  public init() {}

  /// Own and inherited members in the order of their declaration.
  private var members: Reflection {
    if let found { return found }
    let reflection = Reflection(of: self)
    found = reflection
    return reflection
  }

  /// Direct submodules with their names. Containers override it.
  open var children: [(name: String, module: Module)] { members.children }

  /// All modules of this tree, this one first, with their dotted paths.
  public func modules(prefix: String = "") -> [(path: String, module: Module)] {
    var out: [(path: String, module: Module)] = [(prefix, self)]
    for (name, child) in children { out += child.modules(prefix: prefix.isEmpty ? name : "\(prefix).\(name)") }
    return out
  }

  /// Parameters with their keys, in the order of declaration (PyTorch's order).
  public func namedParameters() -> [(key: String, tensor: Tensor)] {
    modules().flatMap { path, module in
      module.members.parameters.map { (path.isEmpty ? $0.name : "\(path).\($0.name)", $0.box.wrappedValue) }
    }
  }
  /// Each parameter once, also where modules share it, so that an optimizer steps it once.
  public func parameters() -> [Tensor] {
    var seen: Set<ObjectIdentifier> = []
    return namedParameters().map(\.tensor).filter { seen.insert(ObjectIdentifier($0)).inserted }
  }
  public func namedBuffers() -> [(key: String, tensor: Tensor)] {
    modules().flatMap { path, module in
      module.members.buffers.map { (path.isEmpty ? $0.name : "\(path).\($0.name)", $0.box.wrappedValue) }
    }
  }
  /// Count of trainable numbers.
  public var parameterCount: Int { parameters().reduce(0) { $0 + $1.count } }

  /// Switches batch statistics and dropout on (true) or off, in the whole tree. Returns itself.
  @discardableResult
  public func train(_ on: Bool = true) -> Self {
    for (_, module) in modules() { module.isTraining = on }
    return self
  }
  @discardableResult
  public func eval() -> Self { train(false) }

  /// Runs `body` in training or evaluation mode and restores each module's own mode afterwards.
  public func withMode<R, E: Error>(training: Bool, _ body: () throws(E) -> R) throws(E) -> R {
    let before = modules().map { ($0.module, $0.module.isTraining) }
    train(training)
    defer { for (module, mode) in before { module.isTraining = mode } }
    return try body()
  }

  /// Turns the recording of gradients of all parameters on or off. With it off, a backward pass computes input
  /// gradients alone.
  @discardableResult
  public func requiresGrad(_ on: Bool) -> Self {
    for parameter in parameters() { parameter.requiresGrad_(on) }
    return self
  }

  /// Runs `body` with this module's weights as constants: a backward pass inside computes input gradients alone.
  public func withFrozenParameters<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    let before = parameters().map { ($0, $0.requiresGrad) }
    requiresGrad(false)
    defer { for (parameter, on) in before { parameter.requiresGrad_(on) } }
    return try body()
  }

  /// Moves parameters and buffers, in place: optimizers that hold them follow.
  @discardableResult
  public func to(_ device: Device) -> Self {
    for (_, module) in modules() {
      module.convert { $0.to(device) }
      module.moved(to: device)
    }
    return self
  }
  /// Stores 4-dimensional parameters in the memory order that convolution kernels like best.
  @discardableResult
  public func to(_ format: MemoryFormat) -> Self {
    for (_, module) in modules() { module.convert { $0.rank == 4 ? $0.contiguous(format) : $0 } }
    return self
  }
  /// For modules that keep tensors outside the state: called when the tree moves to a device.
  open func moved(to device: Device) {}

  /// The device of the first parameter; the CPU for a module without any.
  public var device: Device { namedParameters().first?.tensor.device ?? .cpu }

  private func convert(_ change: (Tensor) -> Tensor) {
    noGrad {
      let tensors = members.parameters.map(\.box.wrappedValue) + members.buffers.map(\.box.wrappedValue)
      for tensor in tensors { tensor.setData(change(tensor.detach())) }
    }
  }

  public func zeroGrad() { for parameter in parameters() { parameter.grad = nil } }
}

/// A constant tensor of a module that stays out of the state dict.
public struct Constant {
  public var value: Tensor
  public init(_ value: Tensor) { self.value = value }
}

/// A module that maps one tensor to one tensor.
public protocol Layer: Module {
  func callAsFunction(_ x: Tensor) -> Tensor
}

/// Tells an empty dictionary of modules from any other empty dictionary, which casts to one as well.
private protocol DictionaryOfModules {}
extension Dictionary: DictionaryOfModules where Value: Module {}

private struct Reflection {
  var parameters: [(name: String, box: Parameter)] = []
  var buffers: [(name: String, box: Buffer)] = []
  var children: [(name: String, module: Module)] = []

  init(of module: Module) {
    var mirrors: [Mirror] = []
    var next: Mirror? = Mirror(reflecting: module)
    while let mirror = next, mirror.subjectType != Module.self {
      mirrors.append(mirror)
      next = mirror.superclassMirror
    }
    for mirror in mirrors.reversed() {
      for (label, value) in mirror.children {
        guard let label else { continue }
        add(value, name: snakeCase(label.hasPrefix("_") ? String(label.dropFirst()) : label), owner: mirror.subjectType)
      }
    }
  }

  private mutating func add(_ value: Any, name: String, owner: Any.Type) {
    switch value {
    case let box as Parameter: parameters.append((name, box))
    case let box as Buffer: buffers.append((name, box))
    case let child as Module: children.append((name, child))
    case let list as [Module]:
      // As nn.ModuleList: layer1.0, layer1.1, ...
      if !list.isEmpty { children.append((name, ModuleList(list))) }
    case is Tensor, is [Tensor]:
      fatalError(
        "\(owner).\(name): a bare Tensor would stay out of the state dict. Declare it @Parameter or @Buffer, or wrap "
          + "it in Constant."
      )
    case let dictionary as [AnyHashable: Module] where !dictionary.isEmpty || value is any DictionaryOfModules:
      fatalError("\(owner).\(name): dictionaries of modules have no order. Use an array or a Sequential with names.")
    default:
      let mirror = Mirror(reflecting: value)
      guard mirror.displayStyle == .optional else { return }
      if let (_, some) = mirror.children.first { add(some, name: name, owner: owner) }
    }
  }
}

/// `runningMean` -> `running_mean`; digits stay where they are (`layer1`).
func snakeCase(_ name: String) -> String {
  var out = ""
  for character in name {
    if character.isUppercase {
      out += out.isEmpty ? character.lowercased() : "_" + character.lowercased()
    } else {
      out.append(character)
    }
  }
  return out
}
