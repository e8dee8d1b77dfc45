/// One line on each term that a report uses.
enum Glossary {
  struct Term {
    var abbreviation: String
    var name: String
    var explanation: String
    var higherIsBetter: Bool
  }

  static let accuracy = Term(
    abbreviation: "ACC", name: "Clean accuracy",
    explanation: "Share of clean test images that the model classifies correctly. Higher is better.",
    higherIsBetter: true)
  static let attackSuccessRate = Term(
    abbreviation: "ASR", name: "Attack success rate",
    explanation: "Share of triggered test images that the model takes for the attacker’s target. Lower is better.",
    higherIsBetter: false)
  static let cleanTargetRate = Term(
    abbreviation: "ASR without trigger", name: "Mistakes for the target",
    explanation:
      "Share of the same images that the model takes for the target without the trigger: what ASR is where the trigger "
      + "does nothing. Lower is better.",
    higherIsBetter: false)
  static let robustAccuracy = Term(
    abbreviation: "R-ACC", name: "Robust accuracy",
    explanation: "Share of the same triggered images that the model still takes for what they show. Higher is better.",
    higherIsBetter: true)
  static let targetedMisclassification = Term(
    abbreviation: "A", name: "Targeted misclassification",
    explanation:
      "Share of the source class that the model knows without the trigger and takes for the target with it. Lower is "
      + "better.",
    higherIsBetter: false)
  static let effectiveness = Term(
    abbreviation: "DER", name: "Defense effectiveness rating",
    explanation:
      "Fall of ASR less fall of ACC, scaled to 0–1: 1 is a full cure at no cost, 0.5 is no effect, 0 is damage only.",
    higherIsBetter: true)
  static let backdoorRisk = Term(
    abbreviation: "Backdoor risk", name: "",
    explanation:
      "Share of test images of other classes that the trigger (of several the worst) turns into the target.",
    higherIsBetter: false)
  static let adversarialRisk = Term(
    abbreviation: "Adversarial risk", name: "",
    explanation: "Share of test images of other classes that some perturbation makes this model misclassify.",
    higherIsBetter: false)
  static let sharedAdversarialRisk = Term(
    abbreviation: "Shared adversarial risk", name: "",
    explanation:
      "Share of test images that one perturbation makes this model and the undefended model take for the same wrong "
      + "class.",
    higherIsBetter: false)
  static let subAdversarialRisk = Term(
    abbreviation: "Sub-adversarial risk", name: "",
    explanation:
      "Bound on the backdoor risk: shared where the trigger works on the undefended model, adversarial elsewhere.",
    higherIsBetter: false)
  static let universalRisk = Term(
    abbreviation: "Universal risk", name: "",
    explanation: "Share of test images of other classes that the worst single perturbation for all misleads.",
    higherIsBetter: false)
  static let universalSubRisk = Term(
    abbreviation: "Universal sub-adversarial risk", name: "",
    explanation: "The same, shared with the undefended model where the trigger works on it.", higherIsBetter: false)
  static let targetedRisk = Term(
    abbreviation: "Targeted risk", name: "",
    explanation: "Share of test images of other classes that some perturbation turns into the target.",
    higherIsBetter: false)
  static let targetedSubRisk = Term(
    abbreviation: "Targeted sub-adversarial risk", name: "",
    explanation: "The same, shared with the undefended model where the trigger works on it.", higherIsBetter: false)
}
