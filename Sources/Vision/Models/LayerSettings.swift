import Torch
import TorchNN

/// What a layer computes beside its weights, as far as it can differ from what the architecture has. nil is the
/// architecture's own value.
public struct LayerSettings: Sendable, Codable, Hashable {
  /// Of a convolution or a max-pool, in pixels.
  public var stride: Int?
  /// Of a max-pool, in pixels; kernel and stride 1 leave it out.
  public var kernel: Int?
  public var padding: Int?
  /// What batch and layer normalisation add to the variance.
  public var eps: Double?
  /// Share of a batch in the running statistics of batch normalisation.
  public var momentum: Double?
  /// Whether a block of MobileNetV2 or EfficientNet adds its input to its output.
  public var isResidual: Bool?

  public init() {}

  static func pool(_ kernel: Int, _ stride: Int, _ padding: Int) -> LayerSettings {
    var settings = LayerSettings()
    (settings.kernel, settings.stride, settings.padding) = (kernel, stride, padding)
    return settings
  }

  /// Those values that differ from `own`; nil where none does.
  func differing(from own: LayerSettings) -> LayerSettings? {
    var rest = self
    func clear<Value: Equatable>(_ path: WritableKeyPath<LayerSettings, Value?>) {
      if rest[keyPath: path] == own[keyPath: path] { rest[keyPath: path] = nil }
    }
    clear(\.stride)
    clear(\.kernel)
    clear(\.padding)
    clear(\.eps)
    clear(\.momentum)
    clear(\.isResidual)
    return rest == LayerSettings() ? nil : rest
  }

  /// Whether a layer with the settings `own` can have these: values of its own kind, within what layers take.
  func fits(_ own: LayerSettings) -> Bool {
    func has<Value>(_ path: KeyPath<LayerSettings, Value?>) -> Bool {
      self[keyPath: path] == nil || own[keyPath: path] != nil
    }
    let kernel = kernel ?? own.kernel ?? 1, padding = padding ?? own.padding ?? 0
    return has(\.stride) && has(\.kernel) && has(\.padding) && has(\.eps) && has(\.momentum) && has(\.isResidual)
      && Self.extents.contains(stride ?? 1) && Self.extents.contains(kernel) && (0...kernel / 2).contains(padding)
      && eps.map { $0 > 0 && $0 <= 1 } ?? true && momentum.map { $0 >= 0 && $0 <= 1 } ?? true
  }

  /// Strides and kernels that are taken, in pixels.
  private static let extents = 1...64
}

/// A layer that has settings beside its weights.
protocol AdjustableLayer: Module {
  var settings: LayerSettings { get }
  /// Takes over the values that are given.
  func adjust(_ settings: LayerSettings)
}

extension Conv2d: AdjustableLayer {
  var settings: LayerSettings {
    var settings = LayerSettings()
    settings.stride = stride
    return settings
  }
  func adjust(_ settings: LayerSettings) { stride = settings.stride ?? stride }
}

extension MaxPool2d: AdjustableLayer {
  var settings: LayerSettings { .pool(kernel, stride, padding) }
  func adjust(_ settings: LayerSettings) {
    kernel = settings.kernel ?? kernel
    stride = settings.stride ?? stride
    padding = settings.padding ?? padding
  }
}

extension BatchNorm2d: AdjustableLayer {
  var settings: LayerSettings {
    var settings = LayerSettings()
    (settings.eps, settings.momentum) = (eps, momentum)
    return settings
  }
  func adjust(_ settings: LayerSettings) {
    eps = settings.eps ?? eps
    momentum = settings.momentum ?? momentum
  }
}

/// Layers of which the constant under the root alone can differ.
protocol EpsilonLayer: AdjustableLayer {
  var eps: Double { get set }
}

extension EpsilonLayer {
  var settings: LayerSettings {
    var settings = LayerSettings()
    settings.eps = eps
    return settings
  }
  func adjust(_ settings: LayerSettings) { eps = settings.eps ?? eps }
}

extension LayerNorm: EpsilonLayer {}
extension LayerNorm2d: EpsilonLayer {}

/// Blocks whose input is added to their output where that is set.
protocol OptionalShortcut: AdjustableLayer {
  var isResidual: Bool { get set }
}

extension OptionalShortcut {
  var settings: LayerSettings {
    var settings = LayerSettings()
    settings.isResidual = isResidual
    return settings
  }
  func adjust(_ settings: LayerSettings) { isResidual = settings.isResidual ?? isResidual }
}

/// A block of two branches, whose outputs need the same resolution.
protocol BranchedBlock: Module {
  /// Whether the strides of its layers give that.
  var stridesAgree: Bool { get }
}

extension Module {
  /// The product of the strides of all convolutions inside.
  var strideProduct: Int {
    modules().reduce(1) { $0 * ((($1.module as? Conv2d)?.stride) ?? 1) }
  }

  /// The layers with settings, by their paths.
  var adjustableLayers: [String: any AdjustableLayer] {
    let found = modules().compactMap { path, module in (module as? any AdjustableLayer).map { (path, $0) } }
    return Dictionary(found) { first, _ in first }
  }
}

extension Classifier {
  /// Gives layers their settings; paths that lead to no layer are passed over.
  func adjust(_ settings: [String: LayerSettings]) {
    for (path, layer) in adjustableLayers { if let settings = settings[path] { layer.adjust(settings) } }
  }

  /// What is wrong with these settings for this model, which they have been given to; nil where nothing is.
  func problem(with settings: [String: LayerSettings]) -> String? {
    let layers = adjustableLayers
    for (path, value) in settings.sorted(by: { $0.key < $1.key })
    where layers[path].map({ value.fits($0.settings) }) != true {
      return layers[path] == nil ? "'\(path)' is no layer of it" : "'\(path)' cannot have \(value.words)"
    }
    for (path, module) in modules() {
      guard let block = module as? any BranchedBlock, !block.stridesAgree else { continue }
      return "the two branches of '\(path)' do not end at the same resolution"
    }
    return nil
  }
}

extension LayerSettings {
  /// `stride 2, eps 0.001`
  var words: String {
    var words: [String] = []
    if let kernel { words.append("kernel \(kernel)") }
    if let stride { words.append("stride \(stride)") }
    if let padding { words.append("padding \(padding)") }
    if let eps { words.append("eps \(eps)") }
    if let momentum { words.append("momentum \(momentum)") }
    if let isResidual { words.append(isResidual ? "its input added to its output" : "no shortcut") }
    return words.joined(separator: ", ")
  }

  /// `stride 1 of features.0.0 and features.2.conv.1.0; eps 0.001 of features.0.1 and 51 more`
  static func words(_ all: [String: LayerSettings]) -> String {
    Dictionary(grouping: all.keys.sorted(), by: { all[$0]?.words ?? "" })
      .sorted { ($0.value[0], $0.key) < ($1.value[0], $1.key) }
      .map { words, paths in
        let shown = paths.count > 4 ? paths.prefix(1) : paths.prefix(4)
        let rest = paths.count > shown.count ? " and \(paths.count - shown.count) more" : ""
        return "\(words) of \(shown.joined(separator: ", "))\(rest)"
      }.joined(separator: "; ")
  }
}
