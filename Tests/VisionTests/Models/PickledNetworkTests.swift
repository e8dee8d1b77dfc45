import Files
import Formats
import Synchronization
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN

@testable import Vision

private final class Collected: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var all: [String] { lines.withLock { $0 } }
}

/// Networks that were pickled as a whole by Python, with other strides, pooling, constants and heads than their
/// architectures have; see Tests/Goldens/make_modules.py.
@Suite struct PickledNetworkTests {
  let goldens: Golden
  init() throws { goldens = try Golden("modules") }

  private func path(_ name: String) -> String { Golden.file("torch/module_\(name).pt") }

  /// As a foreign file is opened, with what is said meanwhile.
  private func open(_ name: String) throws -> (model: Classifier, notes: [String]) {
    let said = Collected()
    var options = ModelFileOptions()
    options.onNote = { said.add($0) }
    // The class of the golden has this name for what the zoo calls features.
    if name == "vgg" { options.renamed = [("body", "features")] }
    let (entries, network) = try options.outline(of: path(name))
    let found = try RecognizedModel(entries, path: path(name), heads: network?.heads)
    options.naming = found.naming
    let model = try Classifier.open(path(name), as: ModelSpec(kind: found.kind, shape: found.shape), options: options)
    return (model.eval(), said.all)
  }

  @Test("Logits of whole modules are those of Python", arguments: Golden.cases("modules"))
  func logits(_ name: String) throws {
    let entry = goldens.settings(of: name)
    let (model, notes) = try open(name)
    #expect(model.spec?.kind == entry["kind"].string)
    #expect(notes.contains { $0.contains("as its module says: ") } == (name != "normalized"), "\(notes)")
    model.fillWithPattern(noisy: true)
    let side = try #require(entry["size"].int)
    let x = imagePattern([2, 3, side, side], 0.5)
    if name == "normalized" {
      let network = try #require(try ModelFileOptions().outline(of: path(name)).network)
      #expect(network.normalization(channels: 3) == .imageNet && network.normalization(channels: 1) == nil)
      model.normalization = .imageNet
    }
    let tolerance = max(1e-5, 20 * (entry["float64_deviation"].double ?? 0))
    let logits = noGrad { model(x) }
    expectClose(logits, try goldens.tensor("\(name)/logits"), tolerance: tolerance, "logits")
    // What is written opens as the same network, and so is a copy.
    let folder = try TemporaryFolder()
    let file = folder.path(name.hasPrefix("r") ? "m.safetensors" : "m.pth")
    try model.save(file)
    var options = ModelFileOptions()
    options.renamed = name == "vgg" ? [("body", "features")] : []
    let again = try Classifier.open(file, options: options).eval()
    #expect(again.spec == model.spec)
    expectSame(noGrad { again(x) }, logits, file)
    let copy = try model.copied()
    expectSame(noGrad { copy(x) }, logits, "a copy")
  }

  @Test("What cannot be computed is refused by name", arguments: try Golden("modules").settings["refused"].keys)
  func refused(_ name: String) throws {
    let error = #expect(throws: ModelFileError.self) { try open(name) }?.description ?? ""
    #expect(error.contains("module_\(name).pt: the whole module in it is no "))
    #expect(error.contains(try #require(goldens.settings["refused"][name].string)), "\(error)")
    #expect(error.hasSuffix("save its state_dict() with torch.save, and open that."))
  }

  @Test func whatIsSaid() throws {
    let (model, notes) = try open("mobilenet_mixture")
    let said = try #require(notes.first { $0.contains("as its module says") })
    #expect(said.contains("stride 2 of features.2.conv.1.0; "), "\(said)")
    #expect(said.contains("eps 0.001, momentum 0.01 of features.0.1 and 51 more"), "\(said)")
    let layers = try #require(model.spec?.shape.layers)
    #expect(layers["features.7.conv.1.0"]?.stride == 1 && layers["features.0.0"] == nil)
    for case let norm as BatchNorm2d in model.modules().map(\.module) {
      #expect(norm.eps == 0.001 && norm.momentum == 0.01)
    }
    #expect(try open("mobilenet_setting").model.spec?.shape.layers?["features.4"]?.isResidual == true)
    #expect(try open("resnet_without_pool").notes.contains { $0.contains("kernel 1, stride 1, padding 0 of maxpool") })
  }

  /// Of two ways to take in an image, the one that needs the fewest exceptions.
  @Test func theStemThatFitsBest() throws {
    for (name, stem) in [("mobilenet_mixture", Stem.small), ("efficientnet_mixture", .large)] {
      let (entries, network) = try ModelFileOptions().outline(of: path(name))
      let found = try RecognizedModel(entries, path: name)
      let chosen = try network?.stem(
        of: .named(found.kind), found.shape, found.naming, ModelFileOptions(), path: name)
      #expect(chosen == stem, "\(name)")
    }
  }

  @Test func headsThatTheUserSaysOtherwise() throws {
    let (entries, network) = try ModelFileOptions().outline(of: path("vit"))
    #expect(network?.heads == 2)
    var shape = try RecognizedModel(entries, path: "m", heads: 2).shape
    shape.heads = 3
    let error = #expect(throws: ModelFileError.self) {
      try Classifier.open(path("vit"), as: ModelSpec(kind: "vit_tiny", shape: shape))
    }
    #expect(error?.description.contains("the module has 2 attention heads, and 3 are set (model.heads)") == true)
  }

  /// Words of a module that PyTorch's own classes do not have, as a damaged or hostile file may hold them.
  @Test func strangeValues() throws {
    func problem(
      _ attributes: [(String, PickleValue)], _ type: String = "Conv2d", at path: String = "features.0.0"
    ) -> String {
      let entries = attributes.map { PickleEntry(key: .string($0.0), value: $0.1) }
      let network = PickledNetwork([
        StoredModule(path: "", type: PickleGlobal("a", "Net"), attributes: .dict([]), isLeaf: false),
        StoredModule(
          path: path, type: PickleGlobal("torch.nn.modules.conv", type), attributes: .dict(entries),
          isLeaf: true),
      ])
      var shape = ModelShape(classes: 2, width: 8)
      shape.stem = .large
      do {
        _ = try network?.stem(of: .named("mobilenet_v2"), shape, .same, ModelFileOptions(), path: "m.pt")
        return ""
      } catch { return "\(error)" }
    }
    let pair = PickleValue.tuple([.int(0), .int(0)])
    #expect(problem([("stride", .tuple([.int(1), .int(1)]))]) == "")
    #expect(problem([("stride", pair)]).contains("'features.0.0' cannot have stride 0"))
    #expect(problem([("stride", .int(1 << 40))]).contains("cannot have stride 1099511627776"))
    #expect(problem([("stride", .string("wide"))]).contains("stride 'wide', and only one number"))
    #expect(problem([("stride", .tuple([]))]).contains("stride (), and only one number"))
    #expect(problem([("padding", .string("same"))]) == "")
    #expect(problem([("padding", .string("valid"))]).contains("padding 0, where mobilenet_v2 has 1"))
    #expect(problem([("groups", .int(4))]).contains("4 groups, where mobilenet_v2 has 1"))
    #expect(problem([], "Conv2dSame").contains("features.0.0: a torch.nn.modules.conv.Conv2dSame"))
    let pool = problem([("pool_type", .string("max"))], "SelectAdaptivePool2d", at: "global_pool")
    #expect(pool.contains("global_pool: pool_type 'max', and mobilenet_v2 averages"))
    #expect(problem([("pool_type", .string("avg"))], "SelectAdaptivePool2d", at: "global_pool") == "")
    #expect(problem([("kernel_size", .int(2))], "MaxPool2d", at: "pool").contains("a MaxPool2d that mobilenet_v2 does"))
    #expect(PickledNetwork([]) == nil)
  }

  /// What a module of one class at one place makes of a network: what is refused, and what is said.
  private func judged(
    _ kind: String, _ type: PickleGlobal, at path: String, _ attributes: [(String, PickleValue)] = []
  ) throws -> (problem: String, notes: [String]) {
    let entries = attributes.map { PickleEntry(key: .string($0.0), value: $0.1) }
    let network = try #require(
      PickledNetwork([
        StoredModule(path: "", type: PickleGlobal("a", "Net"), attributes: .dict([]), isLeaf: false),
        StoredModule(path: path, type: type, attributes: .dict(entries), isLeaf: true),
      ]))
    let shape = ModelShape(classes: 2, width: try ModelKind.named(kind).defaultWidth == 64 ? 4 : 8)
    let model = try ModelSpec(kind: kind, shape: shape).make(Generator(seed: 0))
    do {
      return ("", try network.settings(of: model, .same, ModelFileOptions(), path: "m.pt").notes)
    } catch { return ("\(error)", []) }
  }

  /// An Identity is harmless, but not in place of what the network would compute; what computes nothing needs no word, and
  /// a transform of the images that is left out does.
  @Test func modulesOutsideOfTheLayers() throws {
    let identity = PickleGlobal("torch.nn.modules.linear", "Identity")
    #expect(try judged("resnet18", identity, at: "layer2.1.relu").problem.contains("in place of an activation"))
    #expect(try judged("resnet18", identity, at: "layer2.1.drop").problem == "")
    #expect(
      try judged("densenet121", identity, at: "features.transition1.pool").problem.contains("in place of the average"))
    let empty = PickleGlobal("torch.nn.modules.container", "Sequential")
    #expect(try judged("resnet18", empty, at: "layer1.0.shortcut").notes.isEmpty)
    func transform(_ type: String, _ values: [(String, PickleValue)] = []) throws -> [String] {
      try judged("resnet18", PickleGlobal("torchvision.transforms.transforms", type), at: "0", values).notes
    }
    #expect(try transform("Resize").contains { $0.contains("Resize is not known here") })
    func list(_ numbers: [Double]) -> PickleValue { .list(numbers.map { .float($0) }) }
    #expect(try transform("Normalize", [("mean", list([0.5])), ("std", list([0.25]))]).isEmpty)
    #expect(
      try transform("Normalize", [("mean", list([0.5, 0.5])), ("std", list([0.25, 0.25]))]).contains {
        $0.contains("Normalize is not one for these images")
      })
    #expect(try transform("Normalize", [("mean", list([0.5])), ("std", list([1e-300]))]).count == 1)
  }

  /// One number of a Normalize is for all channels.
  @Test func oneNumberForAllChannels() throws {
    let normalize = StoredModule(
      path: "0", type: PickleGlobal("torchvision.transforms.transforms", "Normalize"),
      attributes: .dict([
        PickleEntry(key: .string("mean"), value: .list([.float(0.5)])),
        PickleEntry(key: .string("std"), value: .list([.float(0.25)])),
      ]), isLeaf: true)
    let found = try #require(PickledNetwork([normalize])?.normalization(channels: 3))
    #expect(found.mean == [0.5, 0.5, 0.5] && found.standardDeviation == [0.25, 0.25, 0.25])
    #expect(PickledNetwork([normalize])?.normalization(channels: 1)?.mean == [0.5])
  }

  /// What a file says about layers must fit its network.
  @Test func storedSettingsThatDoNotFit() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("m.safetensors")
    func message(_ layer: String, _ change: (inout LayerSettings) -> Void) throws -> String {
      var shape = ModelShape(classes: 2, width: 8)
      let model = try ModelSpec(kind: "mobilenet_v2", shape: shape).make(Generator(seed: 0))
      var settings = LayerSettings()
      change(&settings)
      shape.layers = [layer: settings]
      model.spec?.shape = shape
      try model.save(path)
      do {
        _ = try Classifier.open(path)
        return ""
      } catch { return "\(error)" }
    }
    #expect(try message("features.0.0") { $0.stride = 1 } == "")
    let start = "m.safetensors: layer settings that mobilenet_v2 cannot have: "
    #expect(try message("features.0.9") { $0.stride = 1 }.hasSuffix(start + "'features.0.9' is no layer of it"))
    #expect(try message("features.0.0") { $0.stride = 0 }.hasSuffix(start + "'features.0.0' cannot have stride 0"))
    #expect(try message("features.0.0") { $0.eps = 1 }.contains("cannot have eps 1"))
    #expect(try message("features.0.1") { $0.eps = -1 }.contains("cannot have eps -1"))
    #expect(try message("features.0.1") { $0.momentum = 2 }.contains("cannot have momentum 2"))
    #expect(
      try message("features.3.conv.1.0") { $0.stride = 2 }.contains("the two branches of 'features.3' do not end"))
    // Channels change there, so that nothing can be added.
    #expect(try message("features.11") { $0.isResidual = true }.contains("the two branches of 'features.11'"))
  }

  /// Two convolutions that halve once more leave nothing of a small image.
  @Test func imagesThatAreTooSmall() throws {
    var settings = LayerSettings()
    settings.stride = 4
    let kind = try ModelKind.named("densenet121")
    let layers = ["features.conv0": settings]
    let small = ImageShape(channels: 3, height: 16, width: 16), large = ImageShape(channels: 3, height: 32, width: 32)
    #expect(throws: Never.self) { try kind.check(images: small) }
    #expect(throws: (any Error).self) { try kind.check(images: small, layers: layers) }
    #expect(throws: Never.self) { try kind.check(images: large, layers: layers) }
    // A large kernel leaves as little as a large stride.
    let pool = ["features.pool0": LayerSettings.pool(31, 1, 0)]
    #expect(throws: (any Error).self) { try kind.check(images: large, layers: pool) }
  }

  /// A network whose size no specification holds keeps its normaliser in a copy.
  @Test func copiesKeepTheNormaliser() throws {
    let model = VGG19(classes: 2, width: 1, hidden: 4, Generator(seed: 0)).eval()
    model.normalization = .imageNet
    let x = imagePattern([1, 3, 32, 32], 0.5)
    let copy = try model.copied()
    #expect(copy.normalization == .imageNet)
    expectSame(noGrad { copy(x) }, noGrad { model(x) }, "logits")
  }
}
