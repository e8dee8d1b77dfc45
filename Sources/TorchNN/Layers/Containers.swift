public import Torch

/// Layers one after another; keys are positions (`0.weight`) or given names.
public final class Sequential: Module, Layer {
  public let layers: [(name: String, layer: any Layer)]

  public init(_ layers: [any Layer]) { self.layers = layers.enumerated().map { (String($0.offset), $0.element) } }
  public init(named layers: [(name: String, layer: any Layer)]) { self.layers = layers }

  public override var children: [(name: String, module: Module)] { layers.map { ($0.name, $0.layer) } }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = x
    for (_, layer) in layers { x = layer(x) }
    return x
  }
}

/// Modules under the names 0, 1, ...; arrays in properties become one by themselves.
final class ModuleList: Module {
  private let list: [Module]
  init(_ list: [Module]) { self.list = list }
  override var children: [(name: String, module: Module)] { list.enumerated().map { (String($0.offset), $0.element) } }
}
