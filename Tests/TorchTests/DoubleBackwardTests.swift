import TestSupport
import Testing
import Torch

/// Gradients of gradients against Python torch: what gradient penalties and influence functions need.
@Suite struct DoubleBackwardTests {
  private static let shapes: [(String, Shape)] = [
    ("conv1.weight", [4, 3, 3, 3]), ("conv1.bias", [4]), ("conv2.weight", [4, 4, 3, 3]), ("conv2.bias", [4]),
    ("linear.weight", [1, 4]),
    ("linear.bias", [1]),
  ]
  private let parameters = Self.shapes.enumerated().map { index, entry in
    filled(entry.0, entry.1, Double(index)).requiresGrad_()
  }

  private func network(_ x: Tensor, _ activation: (Tensor) -> Tensor) -> Tensor {
    let p = parameters
    let h = activation(F.conv2d(x, p[0], p[1], padding: 1))
    return F.linear(activation(F.conv2d(h, p[2], p[3], stride: 2, padding: 1)).mean([2, 3]), p[4], p[5])
  }

  private func softplus(_ x: Tensor) -> Tensor { (1 + x.exp()).log() }

  @Test(arguments: ["relu", "softplus", "tanh"]) func penalties(_ name: String) throws {
    let golden = try Golden("gradients")
    func expected(_ key: String) throws -> Tensor { try golden.tensor("double_backward_\(name)/\(key)") }
    let x = pattern([2, 3, 6, 6], 0.5).requiresGrad_()
    let y = network(x) { name == "relu" ? $0.relu() : name == "tanh" ? $0.tanh() : softplus($0) }
    expectClose(y, try expected("output"))
    let first = gradient(of: y.sum(), at: x, createGraph: true)
    #expect(first.requiresGrad)
    expectClose(first, try expected("grad_x"))

    let penalty = first.square().sum()
    expectClose(penalty, try expected("penalty"))
    let second = gradientsIfAny(of: [penalty], at: parameters + [x], retainGraph: true)
    for (key, (found, tensor)) in zip(Self.shapes.map(\.0) + ["x"], zip(second, parameters + [x])) {
      expectClose(found ?? Tensor.zeros(tensor.shape), try expected("grad/\(key)"), key)
    }

    let wgan = (first.flattened(1).norm(2, [1]) - 1).square().mean()
    expectClose(wgan, try expected("wgan_penalty"))
    for (key, (found, tensor)) in zip(Self.shapes.map(\.0), zip(gradientsIfAny(of: [wgan], at: parameters), parameters))
    {
      expectClose(found ?? Tensor.zeros(tensor.shape), try expected("wgan_grad/\(key)"), "wgan \(key)")
    }
  }

  @Test func hessianVectorProduct() throws {
    let golden = try Golden("gradients")
    let loss = network(pattern([2, 3, 6, 6], 0.5)) { softplus($0) }.square().mean()
    let first = gradients(of: loss, at: parameters, createGraph: true)
    let products = zip(first.indices, first).map { index, gradient in
      (gradient * pattern(gradient.shape, 0.1 * Double(index))).sum()
    }
    let found = gradients(of: products, at: parameters)
    for (key, tensor) in zip(Self.shapes.map(\.0), found) {
      expectClose(tensor, try golden.tensor("hessian_vector/hv/\(key)"), key)
    }
  }
}
