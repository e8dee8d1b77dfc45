// The risks of Wei et al. 2023 (section 3 and appendix A): how often a model can be misled, and how often together with
// the backdoored model that it came from.
//
// Several triggers, or targets, are appendix A.6: what a trigger does to a sample is the worst over the triggers that
// aim at it. Equation 19 divides by all samples; here, as in equation 2, samples that no trigger aims at are left out,
// so that one trigger is the case of the main text.

/// Predictions from which the risks are counted. All inner arrays are over the same N samples.
public struct RiskPredictions: Sendable {
  public var labels: [Int]
  /// Of the model on triggered images, one row a trigger; none without an attack.
  public var poisoned: [[Int]]
  /// Of the backdoored reference on the same triggered images.
  public var poisonedReference: [[Int]]
  /// On images that were perturbed one by one.
  public var adversarial: Candidates
  /// On images that share a perturbation (A.4).
  public var universal: Candidates
  /// On images that were perturbed towards a target (A.5).
  public var targeted: Candidates

  /// Predictions of the model and of the reference on perturbed images: one row for each perturbation that was tried.
  public struct Candidates: Sendable {
    public var model: [[Int]]
    public var reference: [[Int]]
    public init(_ model: [[Int]] = [], reference: [[Int]] = []) {
      self.model = model
      self.reference = reference
    }
  }

  public init(
    labels: [Int], poisoned: [[Int]] = [], poisonedReference: [[Int]] = [], adversarial: Candidates,
    universal: Candidates = Candidates(), targeted: Candidates = Candidates()
  ) {
    self.labels = labels
    self.poisoned = poisoned
    self.poisonedReference = poisonedReference
    self.adversarial = adversarial
    self.universal = universal
    self.targeted = targeted
  }
}

/// Risks as fractions; nil where the set that they are counted over is empty, or nothing was tried.
///
/// Over samples that a trigger aims at, except `shared`, which is over all: by its definition it needs no target.
public struct Risks: Sendable, Hashable {
  /// Images that the risks were estimated on.
  public var count: Int
  /// Those among them that a trigger aims at: of another class than its target.
  public var aimedCount: Int
  /// Triggered images that are classified as the target, by the worst trigger (equations 2 and 19).
  public var backdoor: Double?
  /// Images that some perturbation misleads (equation 4).
  public var adversarial: Double?
  /// Images that some perturbation misleads in the model and in the reference to the same class (definition 1; the
  /// relaxed risk before equation 8).
  public var shared: Double?
  /// The paper's bound: shared where every trigger works on the reference, adversarial elsewhere (equation 6).
  public var sub: Double?
  /// Images that the worst single perturbation for all misleads, and its bound as `sub` (A.4).
  public var universal: Double?
  public var universalSub: Double?
  /// Images that some perturbation turns into the target, and its bound as `sub` (A.5, equation 17).
  public var targeted: Double?
  public var targetedSub: Double?

  /// - Parameter targets: what each trigger wants of each sample, one row a trigger; nil for samples that it does not
  ///   aim at or that have the target label.
  public init(_ p: RiskPredictions, targets: [[Int?]]) {
    let all = p.labels.indices
    count = all.count
    // What the triggers want of a sample, with their numbers.
    let goals = all.map { i in
      targets.indices.compactMap { number in
        targets[number][i].flatMap { $0 == p.labels[i] ? nil : (trigger: number, target: $0) }
      }
    }
    let aimed = all.filter { !goals[$0].isEmpty }
    aimedCount = aimed.count
    let works = all.map { i in
      !p.poisonedReference.isEmpty && goals[i].allSatisfy { p.poisonedReference[$0.trigger][i] == $0.target }
    }

    // For one sample and one candidate: the model's class m, the reference's r.
    func misled(_ i: Int, _ m: Int, _ r: Int) -> Bool { m != p.labels[i] }
    func sharedly(_ i: Int, _ m: Int, _ r: Int) -> Bool { m != p.labels[i] && m == r }
    func bounded(_ i: Int, _ m: Int, _ r: Int) -> Bool { works[i] ? sharedly(i, m, r) : misled(i, m, r) }
    func hit(_ i: Int, _ m: Int, _ r: Int) -> Bool { goals[i].contains { $0.target == m } }
    func boundedHit(_ i: Int, _ m: Int, _ r: Int) -> Bool { hit(i, m, r) && (!works[i] || m == r) }

    typealias Condition = (_ sample: Int, _ model: Int, _ reference: Int) -> Bool
    /// The worst perturbation of each sample.
    func each(_ candidates: RiskPredictions.Candidates, over samples: [Int], _ holds: Condition) -> Double? {
      candidates.model.isEmpty
        ? nil
        : share(
          samples.count { i in
            zip(candidates.model, candidates.reference).contains { holds(i, $0[i], $1[i]) }
          }, samples.count)
    }
    /// The worst perturbation of all samples together.
    func together(_ candidates: RiskPredictions.Candidates, over samples: [Int], _ holds: Condition) -> Double? {
      zip(candidates.model, candidates.reference).map { row, reference in
        samples.count { holds($0, row[$0], reference[$0]) }
      }.max().flatMap { share($0, samples.count) }
    }

    backdoor =
      p.poisoned.isEmpty
      ? nil : share(aimed.count { i in goals[i].contains { p.poisoned[$0.trigger][i] == $0.target } }, aimed.count)
    adversarial = each(p.adversarial, over: aimed, misled)
    shared = each(p.adversarial, over: Array(all), sharedly)
    sub = each(p.adversarial, over: aimed, bounded)
    universal = together(p.universal, over: aimed, misled)
    universalSub = together(p.universal, over: aimed, bounded)
    targeted = each(p.targeted, over: aimed, hit)
    targetedSub = each(p.targeted, over: aimed, boundedHit)
  }
}
