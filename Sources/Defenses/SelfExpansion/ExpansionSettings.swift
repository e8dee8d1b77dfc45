public import Support
public import Training

/// How compatible samples are found: inverse self-paced learning, weak learners, their vote, self-training.
public struct ExpansionSettings: Configurable, Hashable {
  /// Epochs of each iteration of a round.
  public enum Pacing: String, Codable, Sendable, CaseIterable {
    /// 2 in every iteration.
    case paper
    /// 8 in the first iteration of a round, then 4.
    case code
  }
  public enum Ballot: String, Codable, Sendable, CaseIterable {
    /// Each learner votes on each sample with its prediction; the modal class must be the given label.
    case sample
    /// Each component votes on each component of its bag as a whole, weighted by its size: algorithm 1.
    case component
  }

  public var rounds = 8
  public var bags = 3
  public var share = 0.12
  public var classDivisor = 8.0
  public var stopAt = 2000
  public var baseIterations = 2
  public var extraIterations = 3
  public var betaStart = 3.0
  public var betaIterations = 2
  public var alpha = 0.25
  public var eta = 0.9
  public var pacing = Pacing.paper
  public var firstEpochs: Int? = nil
  public var laterEpochs: Int? = nil
  public var searchRate = 0.02
  public var ballot = Ballot.sample
  public var selfTraining = 1
  public var learner = ExpansionSettings.weakLearner
  public var together = 4
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "rounds", "Components that each bag is taken apart into, one a round.", unit: "rounds", range: 1...1000,
      source: "paper"),
    Setting(
      "bags", "Times that the whole set is taken apart; rounds x bags weak learners vote.", range: 1...1000,
      source: "paper"),
    Setting(
      "share", "Size of a component as a share of the whole set.", unit: "fraction", range: 1e-6...1, source: "paper"),
    Setting(
      "classDivisor", "A round keeps the easiest p/classDivisor of each class whatever else it keeps; 1 is all of p.",
      range: 1...1e9,
      source: "paper: 8"),
    Setting(
      "stopAt", "A bag ends when this many samples or fewer are left.", unit: "samples", range: 0...1e9,
      source: "authors' code"),
    Setting(
      "baseIterations", "Iterations of a round: this, and min(extraIterations, 1/p).", range: 0...1000,
      source: "paper: 2"),
    Setting(
      "extraIterations", "Limit of 1/p in the number of iterations; the sum is rounded down.", range: 0...1000,
      source: "paper: 3"),
    Setting("betaStart", "First kept share of a round, in multiples of p.", range: 1...1000, source: "paper: 3"),
    Setting(
      "betaIterations", "Iterations after the first in which the kept share falls linearly to p.", range: 0...1000,
      source: "paper: 2"),
    Setting(
      "alpha", "Share of the current subset that an iteration trains on, drawn anew.", unit: "fraction",
      range: 1e-6...1, source: "paper"),
    Setting(
      "eta", "Weight of earlier losses in the running mean of each sample's loss.", unit: "fraction", range: 0...1,
      source: "paper"),
    Setting(
      "pacing", "Epochs of an iteration: 2 (paper), or 8 in the first and 4 in later ones (code).",
      choices: Pacing.allCases.map(\.rawValue)
    ),
    Setting(
      "firstEpochs", "Epochs of a round's first iteration; empty takes pacing's.", unit: "epochs", range: 1...100_000),
    Setting(
      "laterEpochs", "Epochs of a round's other iterations; empty takes pacing's.", unit: "epochs", range: 1...100_000),
    Setting(
      "searchRate", "Learning rate of the rounds, constant; all else is the learner's recipe.", range: 0...100,
      source: "paper"),
    Setting(
      "ballot", "Who is judged: every sample by itself, or every component as a whole (algorithm 1).",
      choices: Ballot.allCases.map(\.rawValue), source: "paper, appendix B.1: sample"),
    Setting(
      "selfTraining",
      "Times that a fresh model learns from the kept samples and gives back rejected ones whose label it predicts; 0 "
        + "is off.",
      range: 0...100,
      source: "paper, appendix B.1: 1"),
    Setting(
      "learner", "Training of each weak learner and of the self-training model.",
      source: "paper: SGD .02, 40 epochs, batch 128",
      nested: Recipe.self),
    Setting(
      "together", "Weak learners that are trained in step, on threads of their own as far as there are CPU threads.",
      unit: "learners", range: 1...1024),
  ]

  /// SGD .02 with momentum .9, 40 epochs at a constant rate.
  private static var weakLearner: Recipe {
    var recipe = Recipe()
    recipe.epochs = 40
    recipe.learningRate = 0.02
    recipe.nesterov = false
    recipe.schedule = .constant
    return recipe
  }
}

extension ExpansionSettings {
  /// Epochs of an iteration of a round, counted from 0.
  public func epochs(iteration: Int) -> Int {
    let (first, later) = pacing == .paper ? (2, 2) : (8, 4)
    return iteration == 0 ? firstEpochs ?? first : laterEpochs ?? later
  }

  /// What a round on `active` of `total` samples aims at.
  public func plan(active: Int, total: Int) -> RoundPlan {
    let p = min(1, share * Double(total) / Double(active))
    let iterations = baseIterations + Int(min(Double(extraIterations), 1 / p))
    let betas = (0..<max(1, iterations)).map { iteration in
      let left = betaIterations == 0 ? 0 : max(0, 1 - Double(iteration) / Double(betaIterations))
      return min(1, p * (1 + (betaStart - 1) * left))
    }
    return RoundPlan(p: p, betas: betas)
  }
}

/// The schedule of one round.
public struct RoundPlan: Sendable, Hashable {
  /// Share of the active samples that the component should hold.
  public let p: Double
  /// The share that each iteration keeps: 3p, 2p, p, p, p with the paper's values. A round ends with the last.
  public let betas: [Double]
}
