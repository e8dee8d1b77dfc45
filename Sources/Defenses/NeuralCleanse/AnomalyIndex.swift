import Backdoor
import Foundation
import Support

/// How far a class's mask lies below the others: Neural Cleanse's outlier test, and what clean models make of it.
public enum AnomalyIndex {
  /// - Throws: `DefenseError` where there are too few classes to compare one with the others.
  static func check(classes: Int, for defense: String) throws(DefenseError) {
    guard classes >= 3 else {
      throw .invalid(
        "defense \(defense) compares classes with each other and needs at least 3; the model has \(classes).")
    }
  }

  /// (median - norm) / (1.4826 MAD) of each norm; positive on the small side. Zero for all where the norms are equal;
  /// infinite for those off the median where at least half are equal.
  public static func indices(of norms: [Double]) -> [Double] {
    let middle = median(norms)
    let deviation = 1.4826 * median(norms.map { abs($0 - middle) })
    return norms.map { $0 == middle ? 0 : (middle - $0) / deviation }
  }

  /// The same of the norms' logarithms. It has no upper bound, as that of the norms has (median / (1.4826 MAD)), which a
  /// mask of any size stays below where the others are widely spread. A norm below one byte of one pixel, which changes
  /// no image, counts as that.
  public static func logarithmicIndices(of norms: [Double]) -> [Double] {
    indices(of: norms.map { log(max($0, 1 / 255.0)) })
  }

  /// The mean of the two middle values where their number is even, as numpy's.
  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let half = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
  }

  /// How norms of clean models are distributed over their classes.
  public enum Null: String, Codable, Sendable, CaseIterable {
    /// Independent, normal: the index of the norms has neither scale nor place, so that nothing has to be known besides.
    case normal
    /// Independent, log-normal. For the index of the logarithms nothing has to be known besides; for that of the norms
    /// the logarithm's deviation is .4, and fewer clean models reach an index, since such norms have no long tail on the
    /// small side.
    case logNormal = "log-normal"
  }

  /// The largest index of simulated clean models with so many classes.
  public struct Simulation: Sendable {
    /// Ascending.
    private let largest: [Double]

    /// The same numbers for the same arguments.
    /// - Parameter null: of the norms' index. The index of the logarithms of log-normal norms is `.normal`: it is that
    ///   of normal values.
    public init(classes: Int, null: Null, models: Int) {
      var random = Seed(0).generator("nc/null/\(classes)")
      largest = (0..<models).map { _ -> Double in
        let norms = (0..<classes).map { _ in
          let value = random.normal()
          return null == .normal ? value : exp(0.4 * value)
        }
        return indices(of: norms).max() ?? 0
      }.sorted()
    }

    /// Share of clean models that reach the index.
    public func share(reaching index: Double) -> Double {
      // The first that is not smaller.
      var (low, high) = (0, largest.count)
      while low < high {
        let middle = (low + high) / 2
        if largest[middle] < index { low = middle + 1 } else { high = middle }
      }
      return Double(largest.count - low) / Double(max(largest.count, 1))
    }

    /// The smallest index that at most the given share of clean models reaches.
    public func index(reachedBy share: Double) -> Double {
      let allowed = Int(share * Double(largest.count))
      guard allowed < largest.count else { return largest.first ?? 0 }
      return largest[largest.count - 1 - allowed].nextUp
    }
  }
}
