/// What an audit compares with where there is no bank of clean models: the largest success of a sparse patch over the
/// classes, in clean models that we trained and measured. It needs no class means, so models of other data sets can be
/// compared at all; whether their patches are as strong, nobody has measured. Such an audit never says more than
/// `suspicious`.
public enum UncalibratedNull {
  /// The models: what `docs/audit.md` describes.
  public static let description =
    "clean PreAct-ResNet18 models of width 8 on CIFAR-10, of other data and perhaps another architecture than yours"
  /// Their largest success over ten classes with 12 pixels of 32x32, measured on 250 held-out images.
  public static let largestSuccesses: [Double] = []
}
