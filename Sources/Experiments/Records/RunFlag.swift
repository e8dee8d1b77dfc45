/// A reason to look twice before a run's numbers are used.
public enum RunFlag: String, CaseIterable, Codable, Sendable {
  /// Clean accuracy is at most 1.2 times chance, or within three standard errors of it.
  case chanceAccuracy = "chance-accuracy"
  /// The attack success rate of the undefended model is below 50%.
  case weakAttack = "weak-attack"
  /// A measurement or a value of an epoch is NaN or infinite.
  case notFinite = "not-finite"
  /// A share was measured on fewer than 200 images.
  case fewTestImages = "few-test-images"
  /// The defense lowered clean accuracy by more than 10 points.
  case accuracyLoss = "accuracy-loss"
  /// After the defense, robust accuracy is more than 20 points below clean accuracy while attack success is below 50%.
  case notRecovered = "not-recovered"
  /// The defense was told which samples are poisoned.
  case oracle
  /// The numbers rest on one seed. Raised for a cell of a grid, never for a run.
  case singleSeed = "single-seed"
  /// The defense rejected more than half of the samples, or all of a class.
  case filterRejectsMost = "filter-rejects-most"
  /// Clean samples are more suspicious to the defense than poisoned ones: an AUC below one half.
  case filterBelowChance = "filter-below-chance"

  /// A few words for headings and tables.
  public var title: String {
    switch self {
    case .chanceAccuracy: "Accuracy no better than guessing"
    case .weakAttack: "The attack hardly worked"
    case .notFinite: "Not a number"
    case .fewTestImages: "Few test images"
    case .accuracyLoss: "The defense cost much accuracy"
    case .notRecovered: "Triggered images are still misclassified"
    case .oracle: "The defense knew the poison"
    case .singleSeed: "A single seed"
    case .filterRejectsMost: "The defense rejected most samples, or a class"
    case .filterBelowChance: "The suspicion is worse than a guess"
    }
  }

  /// What the flag means, and what to do.
  public var explanation: String {
    switch self {
    case .chanceAccuracy:
      """
      The attack success rate of a model that guesses says nothing about a backdoor. Look at the loss curve: the \
      learning rate may be too high, the training too short, or the defense may have destroyed the model.
      """
    case .weakAttack:
      """
      The backdoor was not learned, or not reliably. A low attack success rate after the defense then does not show that the defense works. \
      Raise the poisoning rate, train longer, or check that augmentation leaves the trigger intact.
      """
    case .notFinite:
      """
      Training or measuring met NaN or infinity. Weights that were NaN once stay so, and every number after that epoch is void. \
      Lower the learning rate, or run in float32 to see whether precision is the cause.
      """
    case .fewTestImages:
      """
      A share measured on 200 images is known to about seven points either way (95%); with fewer, differences between methods \
      are within chance. Measure on the whole test set before comparing.
      """
    case .accuracyLoss:
      """
      The defense cost the model much of its accuracy. A model that is wrong about everything also ignores the trigger, \
      so read attack success together with accuracy and the defense effectiveness rating (DER).
      """
    case .notRecovered:
      """
      The trigger no longer leads to the target, but it still leads away from the truth: the model is disturbed by the trigger \
      rather than cured of it.
      """
    case .oracle:
      """
      The defense was told which training samples are poisoned, which no defender knows. Its numbers bound what a defense \
      of its kind can reach; they are not those of a defense, and are left out where the best ones are marked.
      """
    case .singleSeed:
      """
      Poison, initial weights and the order of batches are random. How much a number changes with them cannot be seen from \
      one run: repeat it with other seeds before methods are ranked by small differences.
      """
    case .filterRejectsMost:
      """
      What is kept is no longer the data set. Published settings are for some 50,000 samples; on fewer, weak learners know only the \
      classes that are learned first. For ispl and self-expansion: classDivisor=1, rounds=4, share=0.25 and more epochs (firstEpochs, \
      laterEpochs, learner.epochs). For filters that reject a share, a smaller one; or rank the samples and look at the first.
      """
    case .filterBelowChance:
      """
      Rejecting by this suspicion removes clean samples first. The poison may be what the model learns most easily, or the set too small \
      for the method's settings: for ispl and self-expansion, classDivisor=1, rounds=4, share=0.25 and more epochs. Do not use the ranking.
      """
    }
  }
}

/// A flag together with the numbers that raised it.
public struct RaisedFlag: Codable, Sendable, Equatable {
  /// The flag's id; a newer version may have written one that this version does not know.
  public var id: String
  /// One short sentence with the numbers.
  public var message: String

  public init(_ flag: RunFlag, _ message: String) {
    self.id = flag.rawValue
    self.message = message
  }

  /// The flag, or `nil` for an id that this version does not know.
  public var flag: RunFlag? { RunFlag(rawValue: id) }
}
