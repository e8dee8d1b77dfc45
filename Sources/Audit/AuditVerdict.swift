/// What an audit says about a model. There is no word for a clean one: statistics see some attacks and not others.
public enum AuditVerdict: String, Codable, Sendable, CaseIterable {
  /// p is at most the level.
  case backdoored
  /// p is at most .05.
  case suspicious
  case noEvidence = "no evidence"

  /// From here on a model is at least suspicious.
  public static let suspiciousLevel = 0.05

  /// Models with p at most this are suspicious or worse.
  public static func threshold(level: Double) -> Double { max(suspiciousLevel, level) }

  /// - Parameter isCalibrated: whether p comes from a bank of clean models of the same data; without one the verdict is
  ///   never `backdoored`.
  public init(pValue: Double, level: Double, isCalibrated: Bool) {
    if isCalibrated, pValue <= level {
      self = .backdoored
    } else {
      self = pValue <= Self.threshold(level: level) ? .suspicious : .noEvidence
    }
  }

  /// The exit code of `antidote audit`: 0, 1 for a suspicious model, 2 for a backdoored one.
  public var exitCode: Int32 {
    switch self {
    case .noEvidence: 0
    case .suspicious: 1
    case .backdoored: 2
    }
  }

  /// Attacks that these statistics see, as measured.
  public static func sees(_ statistics: [AuditStatistic]) -> [String] {
    statistics.flatMap { statistic -> [String] in
      switch statistic {
      case .margin: []
      case .patch: ["patches and other small triggers towards one class (BadNets and its like, clean-label patches)"]
      case .perturbation:
        ["faint patterns over the whole image, warps and quantisation (Blended, low-frequency, BPP, WaNet)"]
      }
    }
  }
  /// Attacks that they see badly or not at all.
  public static let overlooks = [
    "strong patterns over the whole image (SIG's sinusoid was seen in one of six models)",
    "attacks that hardly work, as at rates below 1%",
    "triggers that act on one source class, and attacks with another target for each class: few were measured",
    "triggers made for each image: three of four models were seen",
    "attackers who know this audit and train against it",
  ]
}
