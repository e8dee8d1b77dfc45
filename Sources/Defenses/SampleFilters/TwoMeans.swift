// k-means for two clusters: Lloyd's iterations from centres that k-means++ draws (Arthur and Vassilvitskii 2007), the
// best of several starts; and the silhouette of the result (Rousseeuw 1987).

import Support
import Torch

struct TwoMeans {
  /// Which of the two clusters each row is in.
  let isSecond: [Bool]
  /// float64 2 x D.
  let centres: Tensor
  /// Sum of squared distances to the own centre.
  let inertia: Double

  var secondCount: Int { isSecond.count { $0 } }

  /// - Parameters:
  ///   - points: float64 n x D, at least two rows.
  ///   - starts: of which the one with the smallest inertia is taken, the first of equal ones.
  init(_ points: Tensor, starts: Int, iterations: Int = 300, generator: inout some RandomNumberGenerator) {
    var best: TwoMeans?
    for _ in 0..<max(starts, 1) {
      let found = TwoMeans(points, from: Self.centres(points, &generator), iterations: iterations)
      if best.map({ found.inertia < $0.inertia }) ?? true { best = found }
    }
    self = best ?? TwoMeans(points, from: points[0..<2], iterations: 0)
  }

  /// Lloyd's iterations from given centres, until no row changes its cluster.
  init(_ points: Tensor, from start: Tensor, iterations: Int) {
    var centres = start
    var distances = Self.squaredDistances(points, centres)
    var second = distances.argmin(1)
    for _ in 0..<iterations {
      let weights = Tensor.stacked([1 - second.to(.float64), second.to(.float64)])
      let counts = weights.sum([1], keep: true)
      // A cluster that lost all its rows keeps its centre.
      centres = Tensor.where(counts .> 0, weights.matmul(points) / counts.clamped(min: 1), centres)
      distances = Self.squaredDistances(points, centres)
      let next = distances.argmin(1)
      if (next .!= second).any().intItem() == 0 { break }
      second = next
    }
    isSecond = second.array(Int64.self).map { $0 == 1 }
    self.centres = centres
    inertia = distances.gathered(1, second.unsqueezed(1)).sum().item()
  }

  /// k-means++: the first at random, the second by its squared distance to the first.
  private static func centres(_ points: Tensor, _ generator: inout some RandomNumberGenerator) -> Tensor {
    let first = Int.random(in: 0..<points.dimension(0), using: &generator)
    let weights = squaredDistances(points, points[first..<(first + 1)]).reshaped(-1).array(Double.self)
    var left = Double.random(in: 0..<1, using: &generator) * weights.reduce(0, +)
    let second = weights.firstIndex { weight in
      left -= weight
      return left < 0
    }
    return points[Tensor([Int64(first), Int64(second ?? weights.count - 1)])]
  }

  /// n x m, of n rows to m rows.
  static func squaredDistances(_ a: Tensor, _ b: Tensor) -> Tensor {
    let squares = a.square().sum([1], keep: true) + b.square().sum([1]).unsqueezed(0)
    return (squares - a.matmul(b.transposed(0, 1)) * 2).clamped(min: 0)
  }

  /// Mean silhouette of all rows, from -1 to 1; 0 where one cluster is empty.
  static func silhouette(_ points: Tensor, _ isSecond: [Bool]) -> Double {
    let n = isSecond.count
    let second = isSecond.count { $0 }
    guard second > 0, second < n else { return 0 }
    let side = Tensor(isSecond.map { $0 ? 1.0 : 0.0 })
    let sides = Tensor.stacked([1 - side, side], 1)
    let sizes = Tensor([Double(n - second), Double(second)])
    var sum = 0.0
    for first in stride(from: 0, to: n, by: 1024) {
      let rows = first..<min(first + 1024, n)
      let sums = squaredDistances(points[rows], points).sqrt().matmul(sides)
      let own = sides[rows]
      let within = (sums * own).sum([1]) / ((sizes * own).sum([1]) - 1).clamped(min: 1)
      let other = (sums / sizes * (1 - own)).sum([1])
      let widths = (other - within) / other.maximum(within).clamped(min: 1e-300)
      // The only row of a cluster has none.
      sum += (widths * ((sizes * own).sum([1]) .> 1).to(.float64)).sum().item()
    }
    return sum / Double(n)
  }
}
