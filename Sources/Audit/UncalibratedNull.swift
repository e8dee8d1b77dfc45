/// What an audit compares with where there is no bank of clean models: the largest success of a sparse patch over the
/// classes, in clean models that were measured beforehand. It needs no class means, so models of other data sets can be
/// compared at all; whether their patches are as strong, nobody has measured. Such an audit never says more than
/// `suspicious`.
///
/// Of 29 clean PreAct-ResNet18 models of width 8 on 10,000 images of CIFAR-10, the best patch of 12 pixels succeeded on
/// .10 to .32 of 250 held-out images, with a median of .21. Of these numbers follows at most how many models reach a
/// success, so p is a bound.
public enum UncalibratedNull {
  public static let models = 29
  public static let median = 0.21
  public static let largest = 0.32
  public static let description =
    "29 clean PreAct-ResNet18 models of width 8 on CIFAR-10, which may be unlike yours"
  /// 1 / (n + 1).
  public static let smallestPValue = 1.0 / 30

  /// (1 + the most models that can reach it) / (n + 1).
  /// - Parameter success: the largest over the classes, in [0, 1].
  public static func pValue(of success: Double) -> Double {
    let reached = success > largest ? 0 : success > median ? (models + 1) / 2 : models
    return Double(1 + reached) / Double(models + 1)
  }
}
