import Backdoor
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Defenses

/// I-BAU against finite differences and its description.
@Suite struct ImplicitUnlearningTests {
  /// A network of two layers in float64 whose inner problem is strongly convex: the hypergradient after many iterations
  /// is the slope of the outer loss at the inner problem's solution, which is solved anew for each changed weight.
  @Test func hypergradientIsTheSlope() {
    let x = pattern([5, 4], 0.2).to(.float64)
    let y = Tensor([0, 2, 1, 0, 2] as [Int64])
    let other = Tensor([1, 2, 0, 1, 1] as [Int64])
    func weights() -> [Tensor] {
      [pattern([6, 4], 0.7, 1).to(.float64), pattern([3, 6], 1.9, 1).to(.float64)].map { $0.requiresGrad_() }
    }
    func logits(_ d: Tensor, _ w: [Tensor]) -> Tensor {
      (x + d).matmul(w[0].transposed()).tanh().matmul(w[1].transposed())
    }
    func inner(_ d: Tensor, _ w: [Tensor]) -> Tensor { (d * d).sum() * 0.3 - F.crossEntropy(logits(d, w), y) }
    func outer(_ d: Tensor, _ w: [Tensor]) -> Tensor { F.crossEntropy(logits(d * 1.3, w), other) }
    func solution(_ w: [Tensor]) -> Tensor {
      var d = Tensor.zeros([1, 4], dtype: .float64)
      for _ in 0..<300 {
        d = d.detach().requiresGrad_()
        let down = gradient(of: inner(d, w), at: d)
        d = noGrad { d.detach() - down * 0.4 }
      }
      return d.detach()
    }
    let w = weights()
    let d = solution(w)
    #expect(d.norm().item() > 0.05, "the inner problem has something to find")
    func found(_ iterations: Int) -> [Tensor] {
      Hypergradient.compute(
        at: d, weights: w, iterations: iterations, step: 0.4, tolerance: 0, inner: { inner($0, w) },
        outer: { outer($0, w) })
    }
    let (full, none) = (found(200), found(0))
    var indirect = 0.0
    for number in w.indices {
      for place in stride(from: number, to: w[number].count, by: 4) {
        let losses = [1e-4, -1e-4].map { change -> Double in
          let changed = weights()
          noGrad { changed[number].reshaped(-1)[place].add_(change) }
          return outer(solution(changed), changed).item()
        }
        let slope = (losses[0] - losses[1]) / 2e-4
        expectClose(full[number].reshaped(-1)[place].item(), slope, tolerance: 1e-5, floor: 0.05, "\(number) \(place)")
        indirect = max(indirect, abs(none[number].reshaped(-1)[place].item() - slope))
      }
    }
    #expect(indirect > 0.01, "the perturbation's own change matters: \(indirect)")
    // A weight that neither loss depends on.
    let unused = Tensor.ones([2], dtype: .float64).requiresGrad_()
    let last = Hypergradient.compute(
      at: d, weights: [unused], iterations: 2, step: 0.4, inner: { inner($0, w) }, outer: { outer($0, w) })
    #expect(last[0].array(Double.self) == [0, 0])
  }

  private static let cases: [String: @Sendable (inout ImplicitUnlearning.Configuration) -> Void] = [
    "as published": { _ in },
    "all off their defaults": {
      ($0.amsgrad, $0.iterations, $0.innerRate, $0.penalty) = (true, 2, 3, 0.04)
      ($0.mapStep, $0.portion, $0.radius) = (0.7, 0.5, 0.1)
    },
    "no iteration": { ($0.iterations, $0.portion) = (0, 0.6) },
  ]

  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    var c = ImplicitUnlearning.Configuration()
    (c.rounds, c.batch, c.learningRate) = (2, 5, 4e-3)
    let edit = try #require(Self.cases[name])
    edit(&c)
    let clean = ImageDataset.tiny(count: 12, size: 12, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch) = (3, 10)
    try Trainer(recipe).train(model, on: .tiny(count: 40, size: 12), context: TrainingContext(precision: .float32))
    let seed = Seed(21)
    let input = try DefenseInput(
      for: ImplicitUnlearning.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5,
      model: model, cleanSplit: clean)
    let found = try #require(ImplicitUnlearning(c).run(input).model)

    let twin = try model.copied()
    twin.to(.channelsLast).eval()
    let w = twin.parameters()
    let adam = Adam(w, learningRate: 4e-3, amsgrad: c.amsgrad)
    for round in 0..<2 {
      let order = Generator(seed: seed("i-bau/shuffle", round)).permutation(12)
      let batches = [0..<5, 5..<10, 10..<12].map { range in
        (
          x: (clean.images[order[range]].to(.float32) * (1 / 255.0)).contiguous(.channelsLast),
          y: clean.labels[order[range]]
        )
      }
      func inner(_ x: Tensor, _ y: Tensor, _ d: Tensor) -> Tensor {
        (d * d).sum() * c.penalty - F.crossEntropy(twin(x + d), y)
      }
      var d = Tensor.zeros([1, 3, 12, 12])
      for (x, _) in batches {
        d = d.detach().requiresGrad_()
        let own = noGrad { twin(x).argmax(1) }
        let g = gradient(of: inner(x, own, d), at: d)
        d = (d - g * c.innerRate).detach()
      }
      if let radius = c.radius {
        #expect(d.norm().item() > radius, "the ball matters")
        d = d * (radius / d.norm().item())
      }
      let marks = Generator(seed: seed("i-bau/portion", round))
      for (x, y) in batches {
        let size = x.dimension(0)
        let marked = marks.permutation(size).array(Int64.self).prefix(max(1, Int(c.portion * Double(size))))
        let mark = Tensor((0..<size).map { marked.contains(Int64($0)) ? 1 : 0 } as [Float], shape: [size, 1, 1, 1])
        let at = d.detach().requiresGrad_()
        let outer = gradients(of: F.crossEntropy(twin(x + mark * at), y), at: [at] + w)
        // J^T v of the map d - step dL/dd, by differentiating (dL/dd . v): the Hessian is symmetric.
        let slope = gradient(of: inner(batches[0].x, batches[0].y, at), at: at, createGraph: true)
        var v = Tensor.zeros([1, 3, 12, 12])
        for _ in 0..<c.iterations {
          let hv = gradient(of: (slope * v).sum(), at: at, retainGraph: true)
          v = (v - hv * c.mapStep + outer[0]).detach()
        }
        let mixed = gradientsIfAny(of: [(slope * v).sum()], at: w)
        adam.step(
          gradients: zip(outer.dropFirst(), mixed).map { a, b in noGrad { b.map { a - $0 * c.mapStep } ?? a } })
      }
    }
    for ((key, a), (b, before)) in zip(found.namedParameters(), zip(w, model.parameters())) {
      // Where a gradient is nearly zero rounding decides on Adam's step.
      let difference = (a - b).detach().abs()
      let off = (difference .> 2e-4 * max(b.detach().abs().max().item(), 0.05)).to(.float64).mean().item()
      #expect(off <= 0.02 && difference.max().item() < 4e-3, "\(key): \(off) of the elements differ")
      #expect((a - before).abs().max().item() > 1e-3, "\(key) moved")
    }
    expectSame(found.namedBuffers().map { ($0.key, $0.tensor) }, model.namedBuffers().map { ($0.key, $0.tensor) })
  }

  @Test func resumes() throws {
    let clean = ImageDataset.tiny(count: 12, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    struct Killed: Error {}
    func run(_ store: MemoryCheckpoints?, killed: Bool = false) throws -> Classifier {
      var c = ImplicitUnlearning.Configuration()
      (c.rounds, c.batch, c.portion) = (3, 5, 0.5)
      let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
      if killed { context.onEpoch = { if $0.epoch == 2 { throw Killed() } } }
      return try ImplicitUnlearning(c).purify(model, clean: clean, context: context)
    }
    let (whole, store) = (try run(nil), MemoryCheckpoints())
    #expect(throws: Killed.self) { try run(store, killed: true) }
    expectSame(try run(store).snapshot(), whole.snapshot())
  }
}
