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

  /// Why a model cannot be compared with the known ones; nil where it can.
  /// - Parameters:
  ///   - heldOut: images that the patch was measured on.
  public static func problem(
    _ settings: AuditSettings, imageShape: [Int], classes: Int, heldOut: Int, kind: String?
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
      } else if heldOut < 200 {
        "on 250 held-out images, not \(heldOut)"
      } else if !["preactresnet18", "resnet18"].contains(kind) {
        "as residual networks of CIFAR's size"
      } else {
        nil
      }
    return unlike.map { "clean models are known only \($0). Take --reference" }
  }

  /// The conformal p-value above the largest success that is known, and 1 up to it.
  /// - Parameter success: the largest over the classes, in [0, 1].
  public static func pValue(of success: Double) -> Double { success > largest ? smallestPValue : 1 }
}
