// What a sample filter is compared with: one that knows nothing, and one that knows everything.

public import Backdoor
public import Support
import Training
import Vision

/// Rejects samples at random: what a filter gains by its choice is what it does better.
public struct RandomFilter: Defense {
  public static let id = "random-filter"
  public static let summary = "Rejects training samples at random: the baseline that knows nothing."
  public static let paper = "baseline of sample filters"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain]

  public struct Configuration: Configurable, Hashable {
    public var share = 0.15
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "share", "Share of the training set that is rejected; the share of the filter that it is compared with.",
        unit: "fraction", range: 0...0.999, source: "as many as spectral signatures' 85th percentile")
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let count = try input.poisonedTrain().count
    var generator = input.seed.generator(Self.id)
    let order = generator.permutation(count)
    let rejected = Set(order.prefix(Int((configuration.share * Double(count)).rounded())))
    var suspicion = [Double](repeating: 0, count: count)
    for (rank, position) in order.enumerated() { suspicion[position] = 1 - Double(rank) / Double(max(count, 1)) }
    return .filter(rejecting: rejected, of: count, suspicion: suspicion, [])
  }
}

/// Rejects exactly the poisoned samples: the perfect filter, which no user has. What training on the rest gives is the
/// best that any filter can reach.
public struct OracleFilter: Defense {
  public static let id = "oracle-filter"
  public static let summary = "The perfect filter: rejects exactly the poisoned samples, which experiments know."
  public static let paper = "upper bound of sample filters"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain, .truth]

  public struct Configuration: Configurable, Hashable {
    public init() {}
    public static let settings: [Setting] = []
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (count, poisoned) = (try input.poisonedTrain().count, try input.truth())
    return .filter(
      rejecting: poisoned, of: count, suspicion: (0..<count).map { poisoned.contains($0) ? 1 : 0 }, [])
  }
}
