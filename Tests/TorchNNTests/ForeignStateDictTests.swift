import TestSupport
import Testing
import Torch
import TorchNN

/// State dicts from elsewhere.
@Suite struct ForeignStateDictTests {
  private let source = Sample(1)
  private let target = Sample(2)

  private func foreign(
    _ entries: [(key: String, tensor: Tensor)], ignoring: [String] = [],
    renaming: [(from: String, to: String)] = []
  ) throws -> ForeignStateDict {
    let renamed = try ForeignStateDict.renamed(
      entries.map { ($0.key, $0.tensor) }, ignoring: ignoring, renaming: renaming, source: "the file")
    return ForeignStateDict(StateDict(renamed.map { ($0.key, $0.value) }), for: target)
  }

  /// Loads what `change` makes of the source's entries, and returns the notes.
  @discardableResult
  private func load(
    ignoring: [String] = [], renaming: [(from: String, to: String)] = [],
    _ change: ((key: String, tensor: Tensor)) -> (key: String, tensor: Tensor)?
  ) throws -> [String] {
    let entries = source.stateDict().entries.compactMap(change)
    let foreign = try foreign(entries, ignoring: ignoring, renaming: renaming)
    try target.load(foreign.state)
    return foreign.notes
  }

  private func expectTaken(without key: String = "") {
    for (a, b) in zip(target.stateDict().entries, source.stateDict().entries) where a.key != key {
      expectSame(a.tensor, b.tensor, a.key)
    }
  }

  @Test func aDictThatFitsIsLeftAlone() throws {
    #expect(try load { $0 }.isEmpty)
    expectTaken()
  }

  @Test(arguments: ["module.", "_orig_mod.", "module._orig_mod.", "model.net."])
  func thePrefixOfAWrapper(_ prefix: String) throws {
    let notes = try load { (prefix + $0.key, $0.tensor) }
    #expect(notes == ["all keys begin with \"\(prefix)\", which is left out"])
    expectTaken()
  }

  /// A prefix is not guessed where some keys have none, or where something is missing without it.
  @Test func aPrefixThatDoesNotHelp() throws {
    #expect(throws: StateDictError.self) {
      try load { ($0.key == "bn1.bias" ? $0.key : "module." + $0.key, $0.tensor) }
    }
    #expect(throws: StateDictError.self) { try load { $0.key == "bn1.bias" ? nil : ("module." + $0.key, $0.tensor) } }
  }

  @Test(arguments: [DType.float64, .float16, .bfloat16])
  func anotherDtype(_ dtype: DType) throws {
    let notes = try load { ($0.key, $0.tensor.dtype == .float32 ? $0.tensor.to(dtype) : $0.tensor) }
    #expect(notes == ["the weights are \(dtype), converted to float32"])
    for (a, b) in zip(target.stateDict().entries, source.stateDict().entries) {
      expectSame(a.tensor, b.tensor.dtype == .float32 ? b.tensor.to(dtype).to(.float32) : b.tensor, a.key)
    }
  }

  /// `model.half()` and its like convert counters too; what is no whole number is no counter.
  @Test(arguments: [DType.float64, .float16, .bfloat16])
  func countersOfAnotherDtype(_ dtype: DType) throws {
    _ = try load { ($0.key, $0.tensor.to(dtype)) }
    expectSame(
      target.stateDict()["bn1.num_batches_tracked"] ?? Tensor(-1.0),
      source.stateDict()["bn1.num_batches_tracked"] ?? Tensor(-2.0),
      "the counter")
    #expect(throws: StateDictError.self) {
      try load { ($0.key, $0.key.hasSuffix("tracked") ? Tensor(0.5) : $0.tensor) }
    }
  }

  @Test func weightsThatAreNotFloatsAreRefused() throws {
    #expect(throws: StateDictError.self) { try load { ($0.key, $0.key == "scale" ? $0.tensor : $0.tensor.to(.int64)) } }
  }

  @Test func countersThatAreMissing() throws {
    _ = target(pattern([2, 3, 5, 5], 0))  // Counts one batch.
    let notes = try load { $0.key == "bn1.num_batches_tracked" ? nil : $0 }
    #expect(notes == ["1 counters num_batches_tracked are missing, and are set to 0"])
    #expect(target.stateDict()["bn1.num_batches_tracked"]?.intItem() == 0)
    expectTaken()
  }

  @Test func renamedAndIgnoredEntries() throws {
    let state =
      source.stateDict().entries.map { (key: $0.key.replacing("classifier.fc.", with: "head."), tensor: $0.tensor) }
      + [(key: "ema.conv1.weight", tensor: Tensor(1.0)), (key: "epoch", tensor: Tensor(3.0))]
    let foreign = try foreign(state, ignoring: ["ema.", "epoch"], renaming: [("head", "classifier.fc")])
    try target.load(foreign.state)
    expectTaken()
    // A whole key or a beginning up to a dot: "layer" covers no "layer1".
    #expect(throws: StateDictError.self) {
      try target.load(
        self.foreign(state, ignoring: ["em", "epoch"], renaming: [("hea", "classifier.fc")]).state)
    }
    let error = #expect(throws: StateDictError.self) {
      _ = try self.foreign(source.stateDict().entries, renaming: [("bn1.weight", "bn1.bias")])
    }
    #expect(error.map { "\($0)" }?.contains("gives two tensors one key") == true)
  }

  /// The advice names what the difference calls for.
  @Test func adviceFitsTheDifference() throws {
    func advice(_ change: ((key: String, tensor: Tensor)) -> (key: String, tensor: Tensor)?) -> String {
      let error = #expect(throws: StateDictError.self) { try load(change) }
      return error.map { "\($0)" } ?? ""
    }
    #expect(
      advice { ($0.key.replacing("classifier.fc.", with: "head."), $0.tensor) }.contains("--rename head=classifier.fc"))
    let extra = StateDict(source.stateDict().entries + [(key: "epoch", tensor: Tensor(3.0))])
    let error = #expect(throws: StateDictError.self) { try target.load(extra) }
    #expect(error.map { "\($0)" }?.contains("--ignore epoch") == true)
    let other = #expect(throws: StateDictError.self) { try target.load(Sample(1, classes: 7).stateDict()) }
    #expect(other.map { "\($0)" }?.contains("another number of classes") == true)
    // Of no other layer.
    for (key, tensor) in [
      ("conv1.weight", Tensor.zeros([7, 3, 3, 3])), ("bn1.num_batches_tracked", Tensor.zeros([1])),
    ] {
      let error = #expect(throws: StateDictError.self) { try load { ($0.key, $0.key == key ? tensor : $0.tensor) } }
      #expect(error.map { "\($0)".contains(key) && !"\($0)".contains("another number of classes") } == true)
    }
  }

  @Test func valuesThatNoWorkingNetworkHas() {
    func found(_ key: String, _ value: Double) -> [String] {
      StateDict(
        source.stateDict().copied().entries.map { entry in
          guard entry.key == key else { return entry }
          var values = entry.tensor.array(Float.self)
          values[0] = Float(value)
          return (entry.key, Tensor(values, shape: entry.tensor.shape))
        }
      ).impossibleValues
    }
    #expect(source.stateDict().impossibleValues.isEmpty)
    #expect(found("conv1.weight", .nan) == ["conv1.weight: 1 of 108 values are NaN or infinite"])
    #expect(found("layer1.0.bias", -.infinity) == ["layer1.0.bias: 1 of 4 values are NaN or infinite"])
    #expect(found("bn1.running_var", -0.5) == ["bn1.running_var: 1 of 4 variances are negative"])
    #expect(found("bn1.running_mean", -0.5).isEmpty && found("bn1.running_var", 0).isEmpty)
  }
}
