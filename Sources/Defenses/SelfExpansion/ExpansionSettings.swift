public import Support
import Torch
public import Training

/// How compatible samples are found: inverse self-paced learning, weak learners, their vote, self-training.
public struct ExpansionSettings: Configurable, Hashable {
  /// How a round goes: epochs, draws, kept shares.
  public enum Pacing: String, Codable, Sendable, CaseIterable {
    /// Algorithm 2 and appendix B.1: 2 epochs an iteration on a share alpha of the subset; a kept share that falls from
    /// betaStart p to p in betaIterations; p/classDivisor of each class.
    case paper
    /// What the authors' code does instead:
    /// - 8 epochs in a round's first iteration, then 4.
    /// - The first iteration learns from half of the whole set, in later rounds from all that is left. Later iterations
    ///   draw each sample of the subset by itself with probability alpha, so that the number varies.
    /// - The kept share begins at as many p as there are extra iterations, betaStart at most, and falls by one p an
    ///   iteration to p.
    /// - Each class keeps a share beta/classDivisor of its own.
    /// - What is left when p is 1 is a component as it is.
    case code
  }
  /// What self-training decides.
  public enum Review: String, Codable, Sendable, CaseIterable {
    /// Each turn, a fresh model learns from the kept samples, and rejected ones whose label it predicts come back.
    case returns
    /// One model goes on learning from the kept samples, each turn with a fresh optimizer. A turn takes the running
    /// mean, from 1/2, of whether a sample's label is predicted; kept are the samples above 1/2, whatever the vote said.
    case running
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
  public var augmentedScores = false
  public var learners = 1
  public var ballot = Ballot.sample
  public var minimumVotes = 1
  public var selfTraining = 1
  public var review = Review.returns
  public var reviewEpochs: Int? = nil
  public var reviewEta = 0.8
  public var learner = ExpansionSettings.weakLearner
  public var together = 4
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "rounds", "Components that each bag is taken apart into, one a round.", unit: "rounds", range: 1...1000,
      source: "paper"),
    Setting(
      "bags",
      "Times that the whole set is taken apart; rounds x bags x learners weak learners vote, fewer where stopAt ends a bag.",
      range: 1...1000,
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
      "betaIterations",
      "Iterations after the first in which the kept share falls linearly to p; pacing code has steps of p.",
      range: 0...1000,
      source: "paper: 2"),
    Setting(
      "alpha", "Share of the current subset that an iteration trains on, drawn anew.", unit: "fraction",
      range: 1e-6...1, source: "paper"),
    Setting(
      "eta", "Weight of earlier losses in the running mean of each sample's loss.", unit: "fraction",
      range: 0...0.9999,
      source: "paper"),
    Setting(
      "pacing",
      "How a round goes: as the paper says, or as the authors' code, which has more epochs, larger first draws, and "
        + "class shares of beta/classDivisor.",
      choices: Pacing.allCases.map(\.rawValue), source: "paper; the authors' code: code"
    ),
    Setting(
      "firstEpochs", "Epochs of a round's first iteration; empty takes pacing's.", unit: "epochs", range: 1...100_000),
    Setting(
      "laterEpochs", "Epochs of a round's other iterations; empty takes pacing's.", unit: "epochs", range: 1...100_000),
    Setting(
      "searchRate", "Learning rate of the rounds, constant; all else is the learner's recipe.", range: 0...100,
      source: "paper"),
    Setting(
      "augmentedScores", "Losses and predictions are those of images that are cropped and flipped as in training.",
      source: "decided here: false; the authors' code: true"),
    Setting(
      "learners", "Weak learners of each component, with weights of their own: B of algorithm 1.", range: 1...100,
      source: "paper, appendix B.1: 1"),
    Setting(
      "ballot", "Who is judged: every sample by itself, or every component as a whole (algorithm 1).",
      choices: Ballot.allCases.map(\.rawValue), source: "paper, appendix B.1: sample"),
    Setting(
      "minimumVotes", "Votes that the modal class of a sample needs at least (ballot sample).", unit: "votes",
      range: 1...1000, source: "paper: 1; the authors' code: 2"),
    Setting(
      "selfTraining", "Turns in which a model that learns from the kept samples judges all; 0 is off.", unit: "turns",
      range: 0...100, source: "paper, appendix B.1: 1; the authors' code: 20"),
    Setting(
      "review",
      "A fresh model each turn gives rejected samples back (returns), or the running vote of one model decides on all "
        + "(running).",
      choices: Review.allCases.map(\.rawValue),
      source: "paper, appendix B.1: returns; the authors' code: running"),
    Setting(
      "reviewEpochs", "Epochs of a turn of self-training; empty takes the learner's.", unit: "epochs",
      range: 1...100_000,
      source: "paper, appendix B.1: 40, as the learners; the authors' code: 5"),
    Setting(
      "reviewEta", "Weight of earlier turns in the running vote (review running).", unit: "fraction", range: 0...0.9999,
      source: "the authors' code"),
    Setting(
      "learner", "Training of each weak learner and of the self-training model.",
      source: "paper: SGD .02; authors' code: 40 epochs, batch 128",
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
    let extra = Int(min(Double(extraIterations), 1 / p))
    let iterations = 0..<max(1, baseIterations + extra)
    switch pacing {
    case .paper:
      let betas = iterations.map { iteration in
        let left = betaIterations == 0 ? 0 : max(0, 1 - Double(iteration) / Double(betaIterations))
        return min(1, p * (1 + (betaStart - 1) * left))
      }
      return RoundPlan(p: p, betas: betas, classShares: betas.map { _ in p / classDivisor })
    case .code:
      guard p < 0.999 else { return RoundPlan(p: p, betas: [], classShares: []) }
      let betas = iterations.map { min(1, p * min(betaStart, max(1, Double(extra - $0)))) }
      return RoundPlan(p: p, betas: betas, classShares: betas.map { $0 / classDivisor })
    }
  }

  /// The samples of `subset` (positions, int64) that an iteration of a round learns from, at least one.
  /// - Parameter isWhole: whether the round begins with all samples of the set.
  func draw(_ subset: Tensor, iteration: Int, isWhole: Bool, _ generator: Generator) -> Tensor {
    guard pacing == .code else {
      return subset[generator.permutation(subset.count)[0..<Trimming.count(alpha, of: subset.count)]]
    }
    let share = iteration > 0 ? alpha : isWhole ? 0.5 : 1
    let isDrawn = generator.uniform([subset.count], 0, 1) .< share
    let drawn = subset[isDrawn.nonzero().reshaped(-1)]
    return drawn.count > 0 ? drawn : subset[generator.permutation(subset.count)[0..<1]]
  }
}

/// The schedule of one round.
public struct RoundPlan: Sendable, Hashable {
  /// Share of the active samples that the component should hold.
  public let p: Double
  /// The share that each iteration keeps: 3p, 2p, p, p, p with the paper's values. A round ends with the last; without
  /// any, the active samples are the component.
  public let betas: [Double]
  /// The share of each class that an iteration keeps whatever else it keeps.
  public let classShares: [Double]
}
