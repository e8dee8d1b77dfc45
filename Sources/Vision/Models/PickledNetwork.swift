public import Formats
import Files
import Torch
import TorchNN

/// What a network that was pickled as a whole says about itself beside its weights: strides, pooling, constants of
/// normalisation, activations, attention heads. Its classes are known by their names alone, and mean here what they mean
/// in PyTorch, TorchVision and timm; what a class of somebody else computes is not in the file.
public struct PickledNetwork {
  private let modules: [StoredModule]

  /// nil of a file that holds no whole module.
  public init?(_ modules: [StoredModule]) {
    guard !modules.isEmpty else { return nil }
    self.modules = modules
  }

  /// Of the attention; nil where there is none, and where layers differ.
  public var heads: Int? {
    let all = allHeads
    return all.count == 1 ? all.first : nil
  }

  private var allHeads: Set<Int> { Set(modules.compactMap { $0["num_heads"]?.int.flatMap { Int(exactly: $0) } }) }

  /// Of a `torchvision.transforms.Normalize` inside, where there is one for images of so many channels; what is done to
  /// its pixels first.
  public func normalization(channels: Int) -> Normalization? {
    let found = modules.filter(Self.isNormalize)
    // One number is for all channels, as PyTorch broadcasts it.
    func values(_ name: String) -> [Float]? {
      guard let numbers = Self.numbers(found[0][name])?.map({ Float($0) }) else { return nil }
      return numbers.count == 1 ? Array(repeating: numbers[0], count: channels) : numbers
    }
    guard found.count == 1, let mean = values("mean"), let deviation = values("std"), mean.count == channels,
      deviation.count == channels, mean.allSatisfy(\.isFinite), deviation.allSatisfy({ $0.isFinite && $0 > 0 })
    else { return nil }
    return Normalization(mean: mean, standardDeviation: deviation)
  }

  fileprivate static func isNormalize(_ module: StoredModule) -> Bool {
    module.type.name == "Normalize" && module.type.module.hasPrefix("torchvision.transforms")
  }

  /// The stem whose strides differ least from those that the module says.
  /// - Throws: as `settings`.
  public func stem(
    of kind: ModelKind, _ shape: ModelShape, _ naming: KeyNaming, _ options: ModelFileOptions, path: String
  ) throws -> Stem? {
    let differences = try Stem.allCases.map { stem in
      var shape = shape
      (shape.stem, shape.layers) = (stem, nil)
      let model = try ModelSpec(kind: kind.id, shape: shape).make(Generator(seed: 0))
      return (stem, try settings(of: model, naming, options, path: path).settings.count)
    }
    return differences.min { $0.1 < $1.1 }?.0
  }

  /// What the module says about the layers of a model, where it is not what these are, and what it says of which nothing
  /// here takes account, one sentence each.
  /// - Parameter prefix: what stands before all keys of the file, where `naming` does not say it.
  /// - Throws: `ModelFileError` that lists what the model cannot compute.
  func settings(
    of model: Classifier, _ naming: KeyNaming, _ options: ModelFileOptions, prefix: String = "", path: String
  ) throws -> (settings: [String: LayerSettings], notes: [String]) {
    let inner = modules.filter { !$0.path.isEmpty }
    let entries = try ForeignStateDict.renamed(
      inner.map { ($0.path + ".weight", $0) }, ignoring: options.ignored, renaming: options.renamed, source: path
    ).map { entry in
      let key = naming.key(entry.key)
      return (
        own: String((key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key).dropLast(".weight".count)),
        module: entry.value
      )
    }
    var comparison = Comparison(model, heads: allHeads, pools: inner.count { $0.type.name == "MaxPool2d" })
    // Such a head is a convolution over the map that the others average to 7x7 pixels, and then averages itself.
    if naming.hasConvolutionalHead { comparison.pooledSide = 1 }
    comparison.checkHeads()
    for module in modules { comparison.check(attributesOf: module) }
    for entry in entries { comparison.compare(entry.module, at: entry.own) }
    comparison.addShortcuts(entries)
    var problems = comparison.problems
    if problems.isEmpty, !comparison.settings.isEmpty {
      let before = model.adjustableLayers.mapValues(\.settings)
      model.adjust(comparison.settings)
      if let problem = model.problem(with: comparison.settings) { problems.append(problem) }
      model.adjust(before)
    }
    guard problems.isEmpty else {
      let more = problems.count > 8 ? "\n  ... and \(problems.count - 8) more" : ""
      throw ModelFileError(
        description:
          "\(path): the whole module in it is no \(comparison.kind) as it is known here:\n"
          + problems.prefix(8).map { "  \(escaped($0, limit: 300))" }.joined(separator: "\n") + more
          + "\n  If none of this matters for what it computes, save its state_dict() with torch.save, and open that.")
    }
    var notes = comparison.notes
    if modules.contains(where: Self.isNormalize), normalization(channels: model.spec?.shape.channels ?? 3) == nil {
      notes.append("its Normalize is not one for these images, and is left out (model.normalization)")
    }
    return (comparison.settings, notes)
  }

  fileprivate static func numbers(_ value: PickleValue?) -> [Double]? {
    guard let values = value?.list else { return nil }
    let numbers = values.compactMap(\.number)
    return numbers.count == values.count ? numbers : nil
  }
}

extension PickleValue {
  fileprivate var number: Double? {
    switch self {
    case .float(let number): number
    case .int(let number): Double(number)
    default: nil
    }
  }

  /// As Python would show it, of what layers have.
  fileprivate var shown: String {
    switch self {
    case .none: "None"
    case .bool(let flag): flag ? "True" : "False"
    case .int(let number): "\(number)"
    case .float(let number): "\(number)"
    case .string(let text): "'\(text)'"
    case .list(let values), .tuple(let values): "(\(values.prefix(4).map(\.shown).joined(separator: ", ")))"
    default: "an object"
    }
  }
}

/// The modules of a file beside the layers of a model.
private struct Comparison {
  let kind: String
  /// What differs, by the model's paths.
  var settings: [String: LayerSettings] = [:]
  /// What the model cannot compute.
  var problems: [String] = []
  private let activations: Set<String>
  private let isDense: Bool
  var pooledSide: Int
  private let layers: [String: any AdjustableLayer]
  private let paths: Set<String>
  /// The only max-pool of a model, where the file has one of another name.
  private let onlyPool: String?
  private let heads: Int?
  private let foundHeads: Set<Int>
  private var ignored: [String: [String]] = [:]
  private var remarks: [String] = []

  init(_ model: Classifier, heads: Set<Int>, pools: Int) {
    kind = model.spec?.kind ?? "\(type(of: model))"
    activations = (try? ModelKind.named(kind).activations) ?? ["ReLU"]
    isDense = kind.hasPrefix("densenet")
    pooledSide = kind.hasPrefix("vgg19") ? 7 : 1
    layers = model.adjustableLayers
    paths = Set(model.modules().map(\.path))
    let ownPools = layers.filter { $0.value is MaxPool2d }.map(\.key)
    onlyPool = ownPools.count == 1 && pools == 1 ? ownPools[0] : nil
    self.heads = model.spec?.shape.heads
    foundHeads = heads
  }

  /// Of what nothing here takes account.
  var notes: [String] {
    var notes = remarks
    if !settings.isEmpty { notes.insert("as its module says: \(LayerSettings.words(settings))", at: 0) }
    for (type, paths) in ignored.sorted(by: { $0.key < $1.key }).prefix(8) {
      let rest = paths.count > 1 ? " and \(paths.count - 1) more" : ""
      notes.append(
        "\(escaped(paths[0], limit: 100))\(rest): the class \(escaped(type, limit: 100)) is not known here, and what it "
          + "computes is left out")
    }
    return notes
  }

  private mutating func add(_ found: LayerSettings, _ layer: any AdjustableLayer, _ own: String) {
    settings[own] = found.differing(from: layer.settings)
  }

  private mutating func refuse(_ module: StoredModule, _ words: String) { problems.append("\(module.path): \(words)") }

  /// Attributes that decide what a network computes, wherever they stand.
  mutating func check(attributesOf module: StoredModule) {
    if module.type.name == "VisionTransformer", let pool = module["global_pool"]?.text, pool != "token" {
      refuse(module, "global_pool '\(pool)', and \(kind) reads its class token")
    }
  }

  /// The attention heads that the user says, beside those of the module.
  mutating func checkHeads() {
    guard let heads, !foundHeads.isEmpty, foundHeads != [heads] else { return }
    let found = foundHeads.sorted().prefix(4).map(String.init).joined(separator: " and ")
    problems.append("the module has \(found) attention heads, and \(heads) are set (model.heads)")
  }

  mutating func compare(_ module: StoredModule, at own: String) {
    let type = module.type.name
    switch layers[own] {
    case let layer as Conv2d:
      if expect(module, ["Conv2d"], "Conv2d") { convolution(module, layer, own) }
    case let layer as BatchNorm2d:
      guard expect(module, ["BatchNorm2d", "SyncBatchNorm", "BatchNormAct2d"], "BatchNorm2d") else { return }
      var found = LayerSettings()
      found.eps = module["eps"]?.number
      found.momentum = module["momentum"]?.number
      if module["momentum"] == PickleValue.none {
        remarks.append(
          "\(module.path): momentum None, an average over all batches; training here uses \(layer.momentum)")
      }
      add(found, layer, own)
    case let layer? where layer is LayerNorm || layer is LayerNorm2d:
      guard expect(module, ["LayerNorm", "LayerNorm2d"], "LayerNorm") else { return }
      var found = LayerSettings()
      found.eps = module["eps"]?.number
      add(found, layer, own)
    case let layer as MaxPool2d:
      if type == "Identity" {
        add(.pool(1, 1, 0), layer, own)
      } else if expect(module, ["MaxPool2d"], "MaxPool2d") {
        maxPool(module, layer, own)
      }
    default:
      // Linear layers say nothing about themselves; a convolution over a whole map is one of them.
      let isLinear = paths.contains(own) && (type.hasSuffix("Linear") || type == "Conv2d")
      if !isLinear { other(module) }
    }
  }

  private mutating func expect(_ module: StoredModule, _ types: Set<String>, _ own: String) -> Bool {
    if types.contains(module.type.name) { return true }
    refuse(module, "a \(module.type), where \(kind) has a \(own)")
    return false
  }

  /// One number of a pair of equal ones, or of one; nil where there is none.
  private mutating func square(_ module: StoredModule, _ name: String) -> Int? {
    guard let value = module[name] else { return nil }
    let numbers = value.integers ?? value.int.map { [$0] } ?? []
    guard let first = numbers.first, numbers.allSatisfy({ $0 == first }), let number = Int(exactly: first) else {
      refuse(module, "\(name) \(value.shown), and only one number for both directions is known here")
      return nil
    }
    return number
  }

  private mutating func convolution(_ module: StoredModule, _ layer: Conv2d, _ own: String) {
    var found = LayerSettings()
    found.stride = square(module, "stride")
    let middle = (layer.weight.dimension(2) - 1) / 2
    let padding =
      switch module["padding"]?.text {
      case "same": Int?(middle)
      case "valid": 0
      default: square(module, "padding")
      }
    if let padding, padding != layer.padding {
      refuse(module, "padding \(padding), where \(kind) has \(layer.padding)")
    }
    if let dilation = square(module, "dilation"), dilation != 1 {
      refuse(module, "dilation \(dilation), which \(kind) here does not have")
    }
    if let groups = module["groups"]?.int, groups != layer.groups {
      refuse(module, "\(groups) groups, where \(kind) has \(layer.groups)")
    }
    if let mode = module["padding_mode"]?.text, mode != "zeros" {
      refuse(module, "padding_mode '\(mode)', and only zeros are known here")
    }
    add(found, layer, own)
  }

  private mutating func maxPool(_ module: StoredModule, _ layer: MaxPool2d, _ own: String) {
    var found = LayerSettings()
    found.kernel = square(module, "kernel_size")
    found.stride = module["stride"] == PickleValue.none ? found.kernel : square(module, "stride")
    found.padding = square(module, "padding")
    if let dilation = square(module, "dilation"), dilation != 1 {
      refuse(module, "dilation \(dilation), which no max-pool here has")
    }
    if module["ceil_mode"]?.bool == true { refuse(module, "ceil_mode True, which no max-pool here has") }
    add(found, layer, own)
  }

  /// A module that is no layer of the model: it must not compute anything else.
  private mutating func other(_ module: StoredModule) {
    let type = module.type.name
    switch type {
    case "Identity":
      let name = module.path.split(separator: ".").last ?? ""
      if name.hasPrefix("relu") { refuse(module, "an Identity in place of an activation") }
      if isDense, module.path.contains("trans"), name == "pool" {
        refuse(module, "an Identity in place of the average over 2 pixels of \(kind)")
      }
    case "Sequential", "ModuleList", "MultiheadAttention", "Flatten", "Permute", "DropPath", "StochasticDepth": return
    case _ where type.contains("Dropout") || type.contains("DropBlock"): return
    case "MaxPool2d":
      if let onlyPool, let layer = layers[onlyPool] as? MaxPool2d {
        maxPool(module, layer, onlyPool)
      } else if square(module, "kernel_size") != 1 {
        refuse(module, "a MaxPool2d that \(kind) does not have")
      }
    case "AvgPool2d":
      let kernel = square(module, "kernel_size"), stride = square(module, "stride")
      if kernel == 1, stride == 1 { return }
      if isDense, module.path.contains("trans") {
        if kernel != 2 || stride != 2 || square(module, "padding") ?? 0 != 0 {
          refuse(module, "an AvgPool2d of other sizes than the 2 pixels of \(kind)")
        }
      } else {
        remarks.append(
          "\(module.path): an AvgPool2d of \(kernel ?? 0) pixels; \(kind) averages the whole of its last map")
      }
    case "AdaptiveAvgPool2d":
      if let side = square(module, "output_size"), side != pooledSide {
        refuse(module, "an AdaptiveAvgPool2d to \(side) pixels, where \(kind) has \(pooledSide)")
      }
    case "SelectAdaptivePool2d":
      if let pool = module["pool_type"]?.text, !["avg", "fast", "fastavg", ""].contains(pool) {
        refuse(module, "pool_type '\(pool)', and \(kind) averages")
      }
    case "Softmax", "LogSoftmax":
      remarks.append("\(module.path): a \(type); what is shown here are the logits before it")
    case _ where module.type.module.contains("activation"):
      guard activations.contains(type) else {
        return refuse(
          module, "the activation \(type), where \(kind) has \(activations.sorted().joined(separator: ", "))")
      }
      if let form = module["approximate"]?.text, form != "none" {
        refuse(module, "GELU approximated by \(form), and only the exact one is known here")
      }
    case _ where module.type.module == "torch.nn.modules.pooling":
      refuse(module, "the pooling \(type), which \(kind) does not have")
    default:
      if module.isLeaf, !PickledNetwork.isNormalize(module), type != "Linear" {
        ignored["\(module.type)", default: []].append(module.path)
      }
    }
  }

  /// Whether blocks add their input to their output: what their classes settle when they are made.
  mutating func addShortcuts(_ entries: [(own: String, module: StoredModule)]) {
    let names = ["use_res_connect", "has_skip", "has_residual"]
    let flags = Dictionary(
      entries.compactMap { entry -> (String, Bool)? in
        names.lazy.compactMap { entry.module[$0]?.bool }.first.map { (entry.module.path, $0) }
      }
    ) { first, _ in first }
    guard !flags.isEmpty else { return }
    for entry in entries where layers[entry.own] is Conv2d {
      guard let flag = Self.ancestors(of: entry.module.path).lazy.compactMap({ flags[$0] }).first,
        let block = Self.ancestors(of: entry.own).first(where: { layers[$0] is any OptionalShortcut }),
        let layer = layers[block]
      else { continue }
      var found = LayerSettings()
      found.isResidual = flag
      add(found, layer, block)
    }
  }

  /// The nearest first.
  private static func ancestors(of path: String) -> [String] {
    var found: [String] = []
    var path = path[...]
    while let dot = path.lastIndex(of: ".") {
      path = path[..<dot]
      found.append(String(path))
    }
    return found
  }
}
