public import Torch

/// Fits a state dict from elsewhere to a module, as far as nothing has to be guessed, and says what it did.
///
/// - A prefix that wrappers put before every key (`module.` of DataParallel, `_orig_mod.` of torch.compile, ...) is
///   taken off where everything fits without it.
/// - Floating-point tensors become the module's dtype, as PyTorch's `load_state_dict` does.
/// - BatchNorm's `num_batches_tracked`, which nothing here reads, is 0 where it is missing.
public struct ForeignStateDict {
  /// The entries as the module wants them; whatever else does not fit is left for `Module.load` to report.
  public private(set) var state: StateDict
  /// What was changed, one sentence each.
  public private(set) var notes: [String] = []
  /// What stood before every key.
  public private(set) var prefix = ""

  public init(_ state: StateDict, for module: Module) {
    self.state = state
    let own = module.stateDict()
    stripPrefix(own)
    convert(own)
    addCounters(own)
  }

  private static func covers(_ name: String, _ key: String) -> Bool {
    key == name || key.hasPrefix(name.hasSuffix(".") ? name : name + ".")
  }

  /// Entries of any kind without those that are left out, the others under the names that the user gives.
  /// - Parameters:
  ///   - ignoring: keys that are left out: whole keys, or beginnings that end with a dot (`ema.`).
  ///   - renaming: beginnings of keys, up to a dot or the whole key, with what takes their place (`fc` to `linear`).
  /// - Throws: `StateDictError` for a renaming that would give two of them one key.
  public static func renamed<Value>(
    _ entries: [(key: String, value: Value)], ignoring: [String], renaming: [(from: String, to: String)], source: String
  ) throws(StateDictError) -> [(key: String, value: Value)] {
    var entries = entries.filter { entry in !ignoring.contains { covers($0, entry.key) } }
    for (from, to) in renaming {
      entries = entries.map { (covers(from, $0.key) ? to + $0.key.dropFirst(from.count) : $0.key, $0.value) }
      guard Set(entries.map(\.key)).count == entries.count else {
        var error = StateDictError(source: source)
        error.advice = "Renaming \(from) to \(to) gives two tensors one key. Leave it out, or ignore one of the two."
        throw error
      }
    }
    return entries
  }

  /// Tries the prefixes that all keys share, the shortest first.
  private mutating func stripPrefix(_ own: StateDict) {
    guard let first = state.keys.first, !state.keys.contains(where: { own[$0] != nil }) else { return }
    for end in first.indices where first[end] == "." {
      let prefix = String(first[...end])
      guard state.keys.allSatisfy({ $0.hasPrefix(prefix) && $0.count > prefix.count }) else { return }
      let stripped = state.stripping(prefix: prefix)
      guard stripped.keys.allSatisfy({ own[$0] != nil }),
        own.keys.allSatisfy({ stripped[$0] != nil || Self.isCounter($0) })
      else { continue }
      state = stripped
      self.prefix = prefix
      notes.append("all keys begin with \"\(prefix)\", which is left out")
      return
    }
  }

  private mutating func convert(_ own: StateDict) {
    var found: Set<String> = []
    for (key, tensor) in state.entries {
      guard let wanted = own[key], wanted.dtype != tensor.dtype, wanted.shape == tensor.shape else { continue }
      let bothFloat = wanted.dtype.isFloatingPoint && tensor.dtype.isFloatingPoint
      // A model that was converted as a whole has counters that are whole numbers still.
      guard bothFloat || Self.isCounter(key) && tensor.holdsWholeNumbers else { continue }
      if bothFloat { found.insert(tensor.dtype.description) }
      state[key] = noGrad { tensor.to(wanted.dtype) }
    }
    if !found.isEmpty {
      notes.append("the weights are \(found.sorted().joined(separator: " and ")), converted to float32")
    }
  }

  private mutating func addCounters(_ own: StateDict) {
    let missing = own.entries.filter { state[$0.key] == nil && Self.isCounter($0.key) }
    guard !missing.isEmpty, !state.keys.isEmpty else { return }
    for (key, tensor) in missing { state[key] = noGrad { Tensor.zeros(like: tensor) } }
    notes.append("\(missing.count) counters num_batches_tracked are missing, and are set to 0")
  }

  private static func isCounter(_ key: String) -> Bool {
    key == "num_batches_tracked" || key.hasSuffix(".num_batches_tracked")
  }
}

extension StateDict {
  /// What no working network holds: values that are not finite, and negative running variances. One line a tensor.
  ///
  /// Such a file gives the same answer for every image, which would look like a backdoor of 100% attack success.
  public var impossibleValues: [String] {
    noGrad {
      entries.compactMap { key, tensor in
        guard tensor.dtype.isFloatingPoint, tensor.count > 0 else { return nil }
        let bad = (.!tensor.isFinite()).to(.int64).sum().array(Int64.self)[0]
        if bad > 0 { return "\(key): \(bad) of \(tensor.count) values are NaN or infinite" }
        guard key.hasSuffix("running_var") else { return nil }
        let negative = (tensor .< 0).to(.int64).sum().array(Int64.self)[0]
        return negative > 0 ? "\(key): \(negative) of \(tensor.count) variances are negative" : nil
      }
    }
  }
}

extension Tensor {
  fileprivate var holdsWholeNumbers: Bool {
    !dtype.isFloatingPoint || noGrad { (isFinite() .& (self .== round())).all().item() != 0 }
  }
}
