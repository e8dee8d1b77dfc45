// Few numbers a sample in place of many features: principal components, and independent components by FastICA
// (Hyvarinen and Oja, Independent Component Analysis: Algorithms and Applications, 2000): all components at once, log
// cosh as contrast, symmetric decorrelation.

package import Torch

package enum FeatureReduction {
  /// The rows less their mean, and their right singular vectors, the rows of `directions`, with the squared singular
  /// values, descending.
  static func decomposed(_ features: Tensor) -> (centred: Tensor, squares: Tensor, directions: Tensor) {
    let centred = features - features.mean([0], keep: true)
    // The right singular vectors of a matrix are the eigenvectors of its D x D product.
    let (_, squares, directions) = centred.transposed(0, 1).matmul(centred).svd()
    return (centred, squares, directions)
  }

  /// Principal components of the rows, the largest variance first.
  /// - Parameters:
  ///   - features: float64 n x D.
  ///   - count: components wanted; there are no more than the centred features have dimensions.
  /// - Returns: float64 n x at most count, and their standard deviations.
  package static func principal(_ features: Tensor, count: Int) -> (components: Tensor, deviations: Tensor) {
    let n = features.dimension(0)
    let (centred, values, directions) = decomposed(features)
    let variances = values.array(Double.self)
    // A product of matrices squares what rounding leaves of dimensions that are not there.
    let rank = variances.prefix { $0 > 1e-10 * (variances.first ?? 0) && $0 > 0 }.count
    let kept = min(count, rank)
    // Signs that do not depend on the decomposition: where independent components end depends on them.
    let signed = directions * ((directions.narrowed(1, 0..<1) .>= 0).to(.float64) * 2 - 1)
    return (centred.matmul(signed[0..<kept].transposed(0, 1)), (values[0..<kept] / Double(n)).sqrt())
  }

  /// Independent components of the rows, each of variance 1.
  /// - Parameter start: float64 c x c, any matrix of full rank, of which the upper left part is taken where there are
  ///   fewer components.
  static func independent(
    _ features: Tensor, count: Int, start: Tensor, tolerance: Double = 1e-4, iterations: Int = 200
  ) -> Tensor {
    let (components, deviations) = principal(features, count: count)
    let kept = deviations.count
    guard kept > 0 else { return components }
    let white = components / deviations
    let n = Double(white.dimension(0))
    var unmixing = decorrelated(start.narrowed(0, 0..<kept).narrowed(1, 0..<kept))
    for _ in 0..<iterations {
      let slope = white.matmul(unmixing.transposed(0, 1)).tanh()
      let curvature = (1 - slope.square()).mean([0]).unsqueezed(1)
      let next = decorrelated(slope.transposed(0, 1).matmul(white) / n - curvature * unmixing)
      let change = ((next * unmixing).sum([1]).abs() - 1).abs().max().item()
      unmixing = next
      if change < tolerance { break }
    }
    return white.matmul(unmixing.transposed(0, 1))
  }

  /// `(W W^T)^(-1/2) W`.
  private static func decorrelated(_ matrix: Tensor) -> Tensor {
    let (u, _, vt) = matrix.svd()
    return u.matmul(vt)
  }
}
