import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN

/// A net with everything that a state dict must name.
final class Sample: Module, Layer {
  let conv1: Conv2d
  let bn1 = BatchNorm2d(4)
  let layer1: [Linear]
  let downsampleShortcut: Sequential?
  let absent: Linear? = nil
  let classifier: Sequential
  let scale = Constant(Tensor(2.0))
  let width = 4
  var counts: [String: Int] = [:]

  init(_ seed: UInt64 = 0, classes: Int = 3) {
    let random = Generator(seed: seed)
    conv1 = Conv2d(3, 4, kernel: 3, bias: false, random)
    layer1 = [Linear(4, 4, random), Linear(4, 4, bias: false, random)]
    downsampleShortcut = Sequential([Lambda.relu(), Linear(4, 4, random)])
    classifier = Sequential(named: [("dropout", Dropout(0.5)), ("fc", Linear(4, classes, random))])
  }
  func callAsFunction(_ x: Tensor) -> Tensor {
    var x = bn1(conv1(x)).relu().mean([2, 3])
    for layer in layer1 { x = layer(x) }
    return classifier(x + (downsampleShortcut.map { $0(x) } ?? x)) * scale.value
  }
}

@Suite struct StateDictTests {
  @Test func keys() {
    #expect(
      Sample().stateDict().keys == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked",
        "layer1.0.weight",
        "layer1.0.bias", "layer1.1.weight", "downsample_shortcut.1.weight", "downsample_shortcut.1.bias",
        "classifier.fc.weight",
        "classifier.fc.bias",
      ])
    #expect(Sample().parameters().count == 10 && Sample().namedBuffers().count == 3)
    #expect(Sample().parameterCount == 108 + 8 + 20 + 16 + 20 + 15)
  }

  /// The subclass's own members come after those of its base class.
  @Test func inheritance() {
    class Base: Module { let first = BatchNorm2d(1) }
    final class Derived: Base { @Parameter var zero = Tensor.zeros([1]) }
    #expect(Derived().stateDict().keys.first == "zero", "a module's own tensors come before its children's")
    #expect(Derived().stateDict().count == 6)
  }

  @Test func roundTripThroughFile() throws {
    let (source, target) = (Sample(1), Sample(2))
    _ = source(pattern([2, 3, 5, 5], 0))
    try withTemporaryFolder { folder in
      try Safetensors.save(source.stateDict().entries, to: "\(folder)/model.safetensors")
      try target.load(StateDict(Safetensors.load("\(folder)/model.safetensors").tensors))
    }
    for (a, b) in zip(source.stateDict().entries, target.stateDict().entries) { expectSame(b.tensor, a.tensor, a.key) }
    let x = pattern([2, 3, 5, 5], 1)
    expectSame(target.eval()(x).detach(), source.eval()(x).detach())
  }

  @Test func keepsMemoryOrder() throws {
    let target = Sample().to(.channelsLast)
    try target.load(Sample(5).stateDict())
    #expect(target.conv1.weight.isContiguous(.channelsLast))
    expectSame(target.conv1.weight.detach(), Sample(5).conv1.weight.detach())
  }

  @Test func reportsEverything() throws {
    let model = Sample()
    let before = model.stateDict().copied()
    var state = Sample(9, classes: 5).stateDict()
    state["conv1.weight"] = nil
    state["bn1.bias"] = Tensor.zeros([4], dtype: .float16)
    state["layer9.weight"] = Tensor.zeros([1])
    let error = try #require(throws: StateDictError.self) { try model.load(state, source: "other.safetensors") }
    #expect(error.missing == ["conv1.weight"] && error.unexpected == ["layer9.weight"])
    #expect(error.mismatched.map(\.key) == ["bn1.bias", "classifier.fc.weight", "classifier.fc.bias"])
    #expect(
      error.description == """
        other.safetensors does not fit the model.
          missing keys (1):
            conv1.weight
          unexpected keys (1):
            layer9.weight
          different tensors (3):
            bn1.bias: the model has float32 [4], the file float16 [4]
            classifier.fc.weight: the model has float32 [3, 4], the file float32 [5, 4]
            classifier.fc.bias: the model has float32 [3], the file float32 [5]
          Choose the model, width and number of classes that the file was made with.
        """)
    for (a, b) in zip(model.stateDict().entries, before.entries) {
      expectSame(a.tensor, b.tensor, "\(a.key) is unchanged")
    }
  }

  @Test func longReports() throws {
    let error = try #require(throws: StateDictError.self) { try Sample().load(StateDict()) }
    #expect(error.missing.count == 13 && error.description.contains("... and 5 more"))
  }

  @Test func lenient() throws {
    let model = Sample()
    var state = StateDict()
    state["bn1.bias"] = Tensor.ones([4])
    state["other"] = Tensor.ones([4])
    try model.load(state, strict: false)
    #expect(model.bn1.bias.array(Float.self) == [1, 1, 1, 1] && model.bn1.bias.requiresGrad)
    state["bn1.weight"] = Tensor.ones([5])
    state["bn1.bias"] = Tensor.zeros([4])
    #expect(throws: StateDictError.self) { try model.load(state, strict: false) }
    #expect(model.bn1.bias.array(Float.self) == [1, 1, 1, 1])
  }

  @Test func editing() {
    var state = StateDict([("module.a", Tensor(1.0)), ("module.b", Tensor(2.0)), ("c", Tensor(3.0))])
    #expect(state.stripping(prefix: "module.").keys == ["a", "b"])
    state["module.a"] = nil
    state["c"] = Tensor(4.0)
    #expect(state.keys == ["module.b", "c"] && state.count == 2 && state["c"]?.item() == 4)
  }

  @Test func sharesOrCopies() {
    let layer = Linear(2, 2, Generator(seed: 0))
    let (shared, copied) = (layer.stateDict(), layer.stateDict().copied())
    noGrad { layer.weight.fill_(3) }
    #expect(
      shared["weight"]?.array(Float.self) == [3, 3, 3, 3] && copied["weight"]?.array(Float.self) != [3, 3, 3, 3])
  }
}
