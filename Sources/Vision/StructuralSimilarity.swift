import Foundation
public import Torch

/// Structural similarity of images, 1 for equal ones (Wang, Bovik, Sheikh, Simoncelli 2004), each channel by itself.
/// Differentiable. Smaller images have smaller windows.
public enum StructuralSimilarity {
  /// What a window's pixels count.
  public enum Window: Sendable {
    /// 11 pixels, a Gaussian of deviation 1.5: the paper's.
    case gaussian
    /// So many pixels of equal weight.
    case uniform(Int)
  }

  /// The mean over windows, channels and images, a scalar.
  /// - Parameters:
  ///   - a: N x C x H x W in [0, 1]; b: the same shape.
  public static func mean(_ a: Tensor, _ b: Tensor, window: Window = .gaussian) -> Tensor {
    let smooth = smoothing(window, a)
    let (meanA, meanB) = (smooth(a), smooth(b))
    let variances = smooth(a.square() + b.square()) - meanA.square() - meanB.square()
    let covariance = smooth(a * b) - meanA * meanB
    let (c1, c2) = (0.0001, 0.0009)
    let same = (meanA * meanB * 2 + c1) * (covariance * 2 + c2)
    return (same / ((meanA.square() + meanB.square() + c1) * (variances + c2))).mean()
  }

  /// Weighted means over the windows of images such as `x`.
  private static func smoothing(_ window: Window, _ x: Tensor) -> (Tensor) -> Tensor {
    let (height, width) = (x.dimension(2), x.dimension(3))
    switch window {
    case .uniform(let side): return { F.avgPool2d($0, kernel: min(side, height, width), stride: 1) }
    case .gaussian:
      let rows = weights(min(11, height)).reshaped(1, 1, -1, 1).to(x.device)
      let columns = weights(min(11, width)).reshaped(1, 1, 1, -1).to(x.device)
      return { x in
        let planes = x.contiguous().reshaped(x.dimension(0) * x.dimension(1), 1, height, width)
        return F.conv2d(F.conv2d(planes, rows), columns)
      }
    }
  }

  private static func weights(_ length: Int) -> Tensor {
    let center = Double(length - 1) / 2
    let taps = (0..<length).map { exp(-0.5 * pow((Double($0) - center) / 1.5, 2)) }
    let sum = taps.reduce(0, +)
    return Tensor(taps.map { Float($0 / sum) })
  }
}
