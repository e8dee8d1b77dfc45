/// What an audit compares with where there is no bank of clean models: the largest success of a sparse patch over the
/// classes, in clean models that were measured beforehand. It needs no class means, so models of other data sets can be
/// compared at all; whether their patches are as strong, nobody has measured. Such an audit never says more than
/// `suspicious`.
///
/// Of 78 clean models of width 8 on CIFAR-10, 64 PreAct-ResNet18 and 14 ResNet-18, 9 of them trained on 5,000 images and
/// the others on 10,000 with four recipes, the best patch of 12 pixels succeeded on .10 to .366 of those of
/// 250 held-out images that were of other classes.
public enum UncalibratedNull {
  public static let models = 78
  public static let largest = 0.367
  public static let description =
    "\(models) clean residual networks of width 8 on CIFAR-10, which may be unlike yours"
  /// 1 / (n + 1).
  public static let smallestPValue = 1 / Double(models + 1)

  /// Why a model cannot be compared with the known ones; nil where it can.
  public static func problem(
    _ settings: AuditSettings, imageShape: [Int], classes: Int, kind: String?
  ) -> String? {
    let known = AuditSettings()
    let size = imageShape.dropFirst().map(String.init).joined(separator: "x")
    let unlike: String? =
      if settings.patchShare != known.patchShare || settings.patchSteps != known.patchSteps
        || settings.batch != known.batch
      {
        "with other settings (audit.patchShare, audit.patchSteps or audit.batch)"
      } else if imageShape.dropFirst() != [32, 32] {
        "on images of 32x32 pixels, not \(size)"
      } else if classes != 10 {
        "with 10 classes, not \(classes)"
      } else if !["preactresnet18", "resnet18"].contains(kind) {
        "as residual networks of CIFAR's size"
      } else {
        nil
      }
    return unlike.map { "clean models are known only \($0). Take --reference" }
  }

  /// The conformal p-value above the largest success that is known, and 1 up to it. Of fewer images than the known
  /// models were measured on, the lower end of the interval has to be above it.
  /// - Parameters:
  ///   - success: of the best patch over the classes.
  ///   - others: held-out images of other classes, those that it was measured on.
  public static func pValue(of success: ShareInterval, others: Int) -> Double {
    (others < Self.others ? success.lower : success.share) > largest ? smallestPValue : 1
  }

  /// Of 250 held-out images of ten classes, some 225 are of others.
  private static let others = 200
}
