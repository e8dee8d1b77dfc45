/// What is measured of each class, larger where the class is more likely the target of a backdoor.
public enum AuditStatistic: String, Codable, Sendable, CaseIterable {
  /// log of the largest margin.
  case margin
  /// Mean log-odds of the class on held-out images with its sparse patch.
  case patch
  /// Mean margin of the class on held-out images with its universal perturbation.
  case perturbation

  public var title: String {
    switch self {
    case .margin: "largest margin"
    case .patch: "sparse patch"
    case .perturbation: "universal perturbation"
    }
  }
}

extension AuditStatistic {
  /// Those that a model and all clean ones have.
  public static func common(_ model: ClassStatistics, _ bank: [ClassStatistics]) -> [AuditStatistic] {
    allCases.filter { statistic in model[statistic] != nil && bank.allSatisfy { $0[statistic] != nil } }
  }
}

/// The statistics of a model's classes, by class.
public struct ClassStatistics: Codable, Sendable, Hashable {
  /// log max(r_t, 0.01) of the largest margin r_t.
  public var margin: [Double]
  /// Mean log-odds with the sparse patch.
  public var patch: [Double]
  /// Share of the held-out images of other classes that the sparse patch carries to the class.
  public var patchSuccess: [Double]
  /// Mean margin with the universal perturbation; nil in a quick audit.
  public var perturbation: [Double]?
  /// Share of the held-out images of other classes that the perturbation carries to the class.
  public var perturbationSuccess: [Double]?
  /// Held-out images of other classes.
  public var counts: [Int]
  /// The classes that the values belong to, ascending, where not all were measured; nil: all.
  public var labels: [Int]?

  public init(
    margin: [Double], patch: [Double], patchSuccess: [Double], perturbation: [Double]?, perturbationSuccess: [Double]?,
    counts: [Int], labels: [Int]? = nil
  ) {
    self.margin = margin
    self.patch = patch
    self.patchSuccess = patchSuccess
    self.perturbation = perturbation
    self.perturbationSuccess = perturbationSuccess
    self.counts = counts
    self.labels = labels
  }

  public subscript(statistic: AuditStatistic) -> [Double]? {
    switch statistic {
    case .margin: margin
    case .patch: patch
    case .perturbation: perturbation
    }
  }

  /// The classes that the values belong to.
  public var measured: [Int] { labels ?? Array(margin.indices) }

  /// Where a class stands in the lists; nil if it was not measured.
  public func place(of label: Int) -> Int? { measured.firstIndex(of: label) }

  /// Those of the classes that held-out images of other classes can be sent to; nil where there is none. Of a class that
  /// the model takes all held-out images for nothing is known.
  public var withOtherImages: ClassStatistics? {
    let places = counts.indices.filter { counts[$0] > 0 }
    guard !places.isEmpty else { return nil }
    guard places.count < counts.count else { return self }
    var result = reordered(places)
    result.labels = places.map { measured[$0] }
    return result
  }

  /// The same with classes in another order, where all were measured: class k of the result is `order[k]` of this one.
  public func reordered(_ order: [Int]) -> ClassStatistics {
    var result = self
    result.margin = order.map { margin[$0] }
    result.patch = order.map { patch[$0] }
    result.patchSuccess = order.map { patchSuccess[$0] }
    result.perturbation = perturbation.map { values in order.map { values[$0] } }
    result.perturbationSuccess = perturbationSuccess.map { values in order.map { values[$0] } }
    result.counts = order.map { counts[$0] }
    return result
  }
}
