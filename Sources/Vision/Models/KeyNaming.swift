public import Torch

/// How another code base calls the entries of a model: parts of keys (whole words between dots) with what the zoo calls
/// them.
public struct KeyNaming: Sendable, Hashable {
  /// Whose names they are, for messages.
  public var origin: String
  /// What stands between dots in a key, `head.fc`, and what takes its place.
  public struct Word: Sendable, Hashable {
    public let from: String
    public let to: String
  }
  /// The first of them that a key holds is replaced.
  public var words: [Word]
  /// How names are found that words do not lead to; `words` are then without use.
  public var rewriting: KeyRewriting?
  /// Linear layers are stored as convolutions over the whole map, as timm's VGG has them.
  public var hasConvolutionalHead = false
  /// The code base's name in front of all keys, with its dot.
  public var prefix = ""

  public init(
    _ origin: String, _ words: [(String, String)] = [], hasConvolutionalHead: Bool = false,
    rewriting: KeyRewriting? = nil
  ) {
    self.origin = origin
    self.rewriting = rewriting
    self.words = words.map { Word(from: $0.0, to: $0.1) }
    self.hasConvolutionalHead = hasConvolutionalHead
  }

  public static let same = KeyNaming("the zoo's names")

  /// Those that are tried, in this order. kuangliu's CIFAR models and TorchVision's name blocks alike, and differ in
  /// shortcut and last layer; the first pair of names belongs to the 3x3 stem here, the other one to the 7x7 stem.
  static let known: [KeyNaming] = [
    same,
    KeyNaming("TorchVision's names", [("downsample", "shortcut"), ("fc", "linear")]),
    KeyNaming("names of CIFAR code", [("shortcut", "downsample"), ("linear", "fc")]),
    KeyNaming("the last layer called fc", [("fc", "linear")]),
    KeyNaming("the last layer called classifier", [("classifier", "linear")]),
    KeyNaming("the last layer called head", [("head", "linear")]),
    KeyNaming(
      "timm's names",
      [("pre_logits.fc1", "classifier.0"), ("pre_logits.fc2", "classifier.3"), ("head.fc", "classifier.6")],
      hasConvolutionalHead: true),
    KeyNaming("timm's names", rewriting: .timmMobileNetV2), KeyNaming("timm's names", rewriting: .timmEfficientNet),
    KeyNaming("timm's names", rewriting: .timmConvNeXt),
    KeyNaming("TorchVision's names", rewriting: .torchVisionTransformer),
  ]

  /// Whether it can change anything but the prefix.
  var isRenaming: Bool { !words.isEmpty || rewriting != nil }

  /// The zoo's key for one of the file; the same where nothing applies.
  public func key(_ key: String) -> String {
    var key = key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
    if let rewriting { return rewriting.key(key) }
    guard !words.isEmpty else { return key }
    key = ".\(key)."
    for word in words {
      guard let range = key.firstRange(of: ".\(word.from).") else { continue }
      key.replaceSubrange(range, with: ".\(word.to).")
      break
    }
    return String(key.dropFirst().dropLast())
  }

  func shape(_ shape: Shape, _ key: String) -> Shape {
    if let rewriting { return rewriting.shape(shape, key) }
    return hasConvolutionalHead && shape.count == 4 && key.hasPrefix("classifier.")
      ? [shape[0], shape.dropFirst().reduce(1, *)] : shape
  }

  /// The entries under the zoo's names.
  public func applied(to entries: [(key: String, tensor: Tensor)]) -> [(key: String, tensor: Tensor)] {
    entries.map { entry in
      let key = key(entry.key)
      let shape = entry.tensor.shape, wanted = self.shape(shape, key)
      return (key, shape == wanted ? entry.tensor : entry.tensor.reshaped(wanted))
    }
  }
}
