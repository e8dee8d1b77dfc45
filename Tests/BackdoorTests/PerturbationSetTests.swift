import Backdoor
import TestSupport
import Testing
import Torch

@Suite struct PerturbationSetTests {
  @Test(arguments: Norm.allCases) func projectionAgrees(_ norm: Norm) throws {
    let golden = try Golden("sau_projections")
    let radius = try #require(Golden("sau").settings["projection_radius"][norm.rawValue].double)
    let ball = norm.ball(radius)
    let input = try golden.tensor("\(norm.rawValue)/input")
    let output = try golden.tensor("\(norm.rawValue)/output")
    expectClose(ball.project(input), output)
    expectClose(ball.project(input.contiguous(.channelsLast)), output)
    expectClose(
      ball.project(Tensor.full(input.shape, radius)), try golden.tensor("\(norm.rawValue)/start"), "corner start")
    expectClose(ball.project(output), output, "projecting twice changes nothing")
  }

  /// As the authors project, every coordinate in proportion; only L1 has two ways.
  @Test func l1Rescaling() throws {
    let golden = try Golden("sau_projections")
    let radius = try #require(Golden("sau").settings["projection_radius"]["l1_scaled"].double)
    let ball = Norm.l1.ball(radius, l1: .rescaling)
    let (input, output) = (try golden.tensor("l1_scaled/input"), try golden.tensor("l1_scaled/output"))
    expectClose(ball.project(input), output)
    expectClose(ball.project(Tensor.full(input.shape, radius)), try golden.tensor("l1_scaled/start"), "corner start")
    let inside = pattern([3, 2, 2, 2], 0.4, 0.05)
    expectSame(ball.project(inside), inside)
    expectClose(ball.project(Tensor.zeros([1, 2, 2, 2])), Tensor.zeros([1, 2, 2, 2]), "no division by zero")
    #expect((Norm.l1.ball(radius).project(input) - output).abs().max().item() > 0.01, "the Euclidean one is another")
    for norm in [Norm.linf, .l2] {
      expectSame(norm.ball(0.5, l1: .rescaling).project(input), norm.ball(0.5).project(input))
    }
  }

  @Test(arguments: Norm.allCases) func insideStays(_ norm: Norm) {
    let inside = pattern([3, 2, 2, 2], 0.4, 0.05)
    expectSame(norm.ball(1).project(inside), inside)
    let zero = Tensor.zeros([2, 3, 4, 4])
    expectSame(norm.ball(0.5).project(zero), zero)
    expectClose(norm.ball(0).project(pattern([2, 1, 3, 3], 0.1)), Tensor.zeros([2, 1, 3, 3]), "radius 0")
  }

  /// The direction has length 1 in the set's norm and gains as much as any such direction can: the gradient's dual
  /// norm.
  @Test(arguments: Norm.allCases) func directionIsSteepest(_ norm: Norm) {
    let gradient = pattern([4, 3, 2, 2], 0.4) * Tensor([0.05, 0.5, 1, 5] as [Float], shape: [4, 1, 1, 1])
    let direction = norm.ball(1).direction(gradient)
    let (length, dual) =
      switch norm {
      case .linf: (direction.flattened(1).norm(.infinity, [1]), gradient.flattened(1).norm(1, [1]))
      case .l2: (direction.flattened(1).norm(2, [1]), gradient.flattened(1).norm(2, [1]))
      case .l1: (direction.flattened(1).norm(1, [1]), gradient.flattened(1).norm(.infinity, [1]))
      }
    expectClose(length, Tensor.ones([4]))
    expectClose((direction * gradient).sum([1, 2, 3]), dual)
    let none = Tensor.zeros([1, 3, 2, 2])
    expectSame(norm.ball(1).direction(none), none, "no gradient, no step")
  }

  /// Images do not share a budget.
  @Test(arguments: Norm.allCases) func normsArePerImage(_ norm: Norm) {
    let delta = pattern([4, 3, 2, 2], 0.4) * 3
    let ball = norm.ball(0.7)
    let whole = ball.project(delta)
    for row in 0..<4 { expectClose(whole[row..<(row + 1)], ball.project(delta[row..<(row + 1)])) }
  }

  /// Against a search: no point of the L1 ball that a small move reaches lies nearer.
  @Test func l1ProjectionIsNearest() {
    let generator = Generator(seed: 4)
    let point = generator.normal([1, 1, 3, 3])
    let projected = L1Ball(radius: 1).project(point)
    expectClose(projected.abs().sum().item(), 1)
    let distance = (projected - point).norm(2).item()
    for _ in 0..<200 {
      var other = projected + 0.05 * generator.normal([1, 1, 3, 3])
      other = other * min(1, 1 / other.abs().sum().item())
      #expect((other - point).norm(2).item() >= distance - 1e-6)
    }
  }
}
