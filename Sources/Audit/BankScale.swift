/// Mean and deviation of each class over clean models. Easy classes are easy in every model: a class is compared with
/// itself in other models, not with the other classes of its own.
public struct BankScale {
  public let mean: [Double]
  /// Halfway between the class's own sample deviation and the pooled one (the root of the mean variance of all classes):
  /// few models say little about a single class.
  public let deviation: [Double]

  /// - Parameter models: values by class of two models or more.
  public init(_ models: [[Double]]) {
    self.init(byClass: (models.first?.indices ?? 0..<0).map { k in models.map { $0[k] } })
  }

  /// - Parameter values: of each class, the values of two models or more.
  init(byClass values: [[Double]]) {
    // Sorted: the order of the models plays no part, to the last bit, and equal models have equal scores.
    let values = values.map { $0.sorted() }
    let mean = values.map { $0.reduce(0, +) / Double($0.count) }
    let variance = zip(values, mean).map { values, mean in
      values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(values.count - 1, 1))
    }
    let pooled = (variance.reduce(0, +) / Double(max(variance.count, 1))).squareRoot()
    self.mean = mean
    // Where no class varies there is nothing to measure a distance with, and none counts.
    deviation = variance.map { pooled > 0 ? ($0.squareRoot() + pooled) / 2 : .greatestFiniteMagnitude }
  }

  /// - Parameter labels: the classes that the values belong to; nil is all of them.
  func standardized(_ values: [Double], labels: [Int]? = nil) -> [Double] {
    zip(labels ?? Array(mean.indices), values).map { ($1 - mean[$0]) / deviation[$0] }
  }
}
