import TestSupport
import Testing
import Torch

@testable import Evaluation

@Suite struct TSNETests {
  @Test func affinitiesAndGradientAreThoseOfAnIndependentComputation() throws {
    let golden = try Golden("tsne")
    var tsne = TSNE()
    tsne.perplexity = 4
    let p = tsne.affinities(try golden.tensor("x"))
    expectClose(p, try golden.tensor("affinities"), tolerance: 1e-3, floor: 1e-3)
    expectClose(TSNE.gradient(p, try golden.tensor("y")), try golden.tensor("gradient"), tolerance: 1e-3, floor: 1e-2)
  }

  /// Three far groups of 40 points in 20 dimensions: every point's nearest neighbour in the plane is of its group.
  @Test func groupsStayApartAndThePictureIsTheSameTwice() {
    let generator = Generator(seed: 5)
    let centres = generator.normal([3, 20]) * 4
    let group = (0..<120).map { $0 % 3 }
    let features = centres[Tensor(group.map(Int64.init))] + generator.normal([120, 20])
    let tsne = TSNE()
    let y = tsne(features)
    #expect(y.shape == [120, 2])
    expectSame(tsne(features), y)
    let distances = TSNE.squaredDistances(y) + Tensor.eye(120) * 1e9
    let nearest = distances.argmin(1).array(Int64.self).map { group[Int($0)] }
    #expect(zip(nearest, group).count { $0 == $1 } == 120)
  }

  /// A point far from all others has neighbours, too.
  @Test func anOutlierHasAffinities() {
    let generator = Generator(seed: 3)
    let far = Tensor.full([1, 6], 400, dtype: .float32)
    let p = TSNE().affinities(Tensor.concatenated([generator.normal([40, 6]), far]))
    #expect(p.isFinite().all().intItem() == 1)
    expectClose(p.sum().item(), 1, tolerance: 1e-5)
    expectSame(p, p.transposed(0, 1), "symmetric")
    #expect(p[40].sum().item() > 0.4 / 41, "its half of a row")
  }

  /// Of the gradient with its factor 4: a quarter of what bhtsne, FIt-SNE and openTSNE call the rate.
  @Test func learningRate() {
    #expect(TSNE().rate(points: 100) == 50 && TSNE().rate(points: 2400) == 50)
    #expect(TSNE().rate(points: 7200) == 150)
  }

  /// One step from the start, written out: the principal components, the gradient, the rate, the gains.
  @Test func aStep() {
    let x = Generator(seed: 2).normal([9, 4]) * Tensor([3, 2, 1, 0.5] as [Float])
    var tsne = TSNE()
    (tsne.iterations, tsne.perplexity, tsne.exaggeration) = (1, 2, 0.03)
    let centred = x - x.mean([0], keep: true)
    let (u, s, _) = centred.svd()
    let projected = u * s
    let deviation = projected.selected(1, 0).norm().item() / 3
    let start = projected.narrowed(1, 0..<2) * (1e-4 / deviation)
    let gradient = TSNE.gradient(tsne.affinities(projected) * 0.03, start)
    // 9 / .03 = 300, a quarter of it; a gain of 1.2 where the gradient turned, which is everywhere from rest.
    let moved = start - gradient * (1.2 * 75)
    expectClose(tsne(x), moved - moved.mean([0], keep: true), tolerance: 1e-4, floor: 1e-6)
  }

  @Test func fewPointsAndFewDimensions() {
    #expect(TSNE()(Tensor.zeros([2, 5])).shape == [2, 2])
    let line = TSNE()(Tensor.arange(0..<20, dtype: .float32).reshaped([20, 1]))
    #expect(line.shape == [20, 2] && line.isFinite().all().item() == 1)
  }

  /// Features of a network that diverged have no principal components.
  @Test func featuresThatAreNotFinite() {
    for value in [Float.nan, .infinity] {
      let features = Tensor([Float](repeating: 1, count: 19) + [value], shape: [5, 4])
      let points = TSNE()(features)
      #expect(points.shape == [5, 2] && points.abs().max().item() == 0)
    }
  }
}
