/// What an audit compares with where there is no bank of clean models: the largest success of a sparse patch over the
/// classes, in clean models that were measured beforehand. It needs no class means, so models of other data sets can be
/// compared at all; whether their patches are as strong, nobody has measured. Such an audit never says more than
/// `suspicious`.
///
/// Of 38 clean PreAct-ResNet18 models of width 8 on CIFAR-10, 29 trained on 10,000 images and 9 on 5,000, the best patch
/// of 12 pixels succeeded on .10 to .351 of 250 held-out images.
public enum UncalibratedNull {
  public static let models = 38
  public static let largest = 0.351
  public static let description =
    "\(models) clean PreAct-ResNet18 models of width 8 on CIFAR-10, which may be unlike yours"
  /// 1 / (n + 1).
  public static let smallestPValue = 1 / Double(models + 1)

  /// Whether a patch of these settings is as strong as those of the known models.
  public static func applies(to settings: AuditSettings) -> Bool {
    let known = AuditSettings()
    return settings.patchShare == known.patchShare && settings.patchSteps == known.patchSteps
      && settings.batch == known.batch
  }

  /// The conformal p-value above the largest success that is known, and 1 up to it.
  /// - Parameter success: the largest over the classes, in [0, 1].
  public static func pValue(of success: Double) -> Double { success > largest ? smallestPValue : 1 }
}
