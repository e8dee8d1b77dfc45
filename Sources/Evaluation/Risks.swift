// The risks of Wei et al. 2023 (section 3 and appendix A): how often a model can be misled, and how often together with
// the backdoored model that it came from.

/// Predictions from which the risks are counted. All arrays are over the same N samples.
public struct RiskPredictions: Sendable {
  public var labels: [Int]
  /// Of the model on triggered images.
  public var poisoned: [Int]
  /// Of the backdoored reference on triggered images.
  public var poisonedReference: [Int]
  /// Of the model and of the reference on perturbed images, one row for each perturbation that was tried.
  public var adversarial: [[Int]]
  public var adversarialReference: [[Int]]

  public init(
    labels: [Int], poisoned: [Int], poisonedReference: [Int], adversarial: [[Int]], adversarialReference: [[Int]]
  ) {
    self.labels = labels
    self.poisoned = poisoned
    self.poisonedReference = poisonedReference
    self.adversarial = adversarial
    self.adversarialReference = adversarialReference
  }
}

/// Risks as fractions; nil where the set that they are counted over is empty.
public struct Risks: Sendable, Hashable {
  /// Images that the risks were estimated on.
  public var count: Int
  /// Triggered images of other classes that are classified as the target (equation 2).
  public var backdoor: Double?
  /// Images of other classes that some perturbation misleads (equation 4).
  public var adversarial: Double?
  /// Images that some perturbation misleads in the model and in the reference to the same class (definition 1).
  public var shared: Double?
  /// The paper's bound: shared where the trigger works on the reference, adversarial elsewhere (equation 6).
  public var sub: Double?

  /// - Parameter targets: what the attack wants of each sample; nil for samples that it does not aim at or that have
  ///   the target label.
  public init(_ p: RiskPredictions, targets: [Int?]) {
    let all = p.labels.indices
    count = all.count
    let aimed = all.filter { targets[$0] != nil && targets[$0] != p.labels[$0] }
    func misled(_ i: Int) -> Bool { p.adversarial.contains { $0[i] != p.labels[i] } }
    func sharedly(_ i: Int) -> Bool {
      zip(p.adversarial, p.adversarialReference).contains { $0[i] == $1[i] && $0[i] != p.labels[i] }
    }
    func works(_ i: Int) -> Bool { !p.poisonedReference.isEmpty && p.poisonedReference[i] == targets[i] }
    backdoor = p.poisoned.isEmpty ? nil : share(aimed.count { p.poisoned[$0] == targets[$0] }, aimed.count)
    adversarial = share(aimed.count { misled($0) }, aimed.count)
    shared = share(all.count { sharedly($0) }, all.count)
    sub = share(aimed.count { works($0) ? sharedly($0) : misled($0) }, aimed.count)
  }
}
