/// The defense effectiveness rating (DER): what a defense took from the attack, less what it cost in clean accuracy.
///
/// DER = (max(0, dASR) - max(0, dACC) + 1) / 2, where dASR and dACC are the falls of attack success rate and clean
/// accuracy from before to after the defense. 1 is a full cure at no cost, 0.5 no effect, 0 pure damage; a rise of
/// accuracy or of attack success counts as no change. Source: Zhu et al., "Enhancing fine-tuning based backdoor defense
/// with sharpness-aware minimization", ICCV 2023, as restated in equation 14 of Wei et al., "Shared adversarial
/// unlearning: backdoor mitigation by unlearning shared adversarial examples", NeurIPS 2023.
public enum DefenseEffectiveness {
  /// - Parameters: Shares in [0, 1].
  /// - Returns: The rating, in [0, 1]; NaN if any argument is NaN.
  public static func rating(
    accuracyBefore: Double, attackSuccessRateBefore: Double, accuracyAfter: Double, attackSuccessRateAfter: Double
  ) -> Double {
    let attackFall = attackSuccessRateBefore - attackSuccessRateAfter
    let accuracyFall = accuracyBefore - accuracyAfter
    guard !attackFall.isNaN, !accuracyFall.isNaN else { return .nan }
    return (max(0, attackFall) - max(0, accuracyFall) + 1) / 2
  }

  /// The rating from two measurements.
  ///
  /// - Returns: `nil` unless both have an attack success rate.
  public static func rating(before: RunRecord.Measurement, after: RunRecord.Measurement) -> Double? {
    guard let attackBefore = before.attackSuccessRate, let attackAfter = after.attackSuccessRate else { return nil }
    return rating(
      accuracyBefore: before.accuracy, attackSuccessRateBefore: attackBefore, accuracyAfter: after.accuracy,
      attackSuccessRateAfter: attackAfter)
  }
}

extension RunRecord {
  /// The rating that the run wrote down, or else that of its measurements before and after the defense.
  public var effectiveness: Double? {
    if let defenseEffectiveness { return defenseEffectiveness }
    guard let before, let after else { return nil }
    return DefenseEffectiveness.rating(before: before, after: after)
  }
}
