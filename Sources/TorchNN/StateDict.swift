public import Torch

/// The tensors of a module by key, in PyTorch's order.
public struct StateDict {
  public private(set) var keys: [String] = []
  private var tensors: [String: Tensor] = [:]

  public init() {}
  public init(_ entries: [(key: String, tensor: Tensor)]) {
    for (key, tensor) in entries { self[key] = tensor }
  }

  public subscript(key: String) -> Tensor? {
    get { tensors[key] }
    set {
      if tensors[key] == nil, newValue != nil { keys.append(key) }
      if newValue == nil { keys.removeAll { $0 == key } }
      tensors[key] = newValue
    }
  }
  public var count: Int { keys.count }
  public var entries: [(key: String, tensor: Tensor)] { keys.compactMap { key in tensors[key].map { (key, $0) } } }

  /// The same keys with copies of the tensors, apart from the module that they came from.
  public func copied() -> StateDict { StateDict(noGrad { entries.map { ($0.key, $0.tensor.detach().clone()) } }) }
  /// Entries whose key begins with the prefix, without it.
  public func stripping(prefix: String) -> StateDict {
    StateDict(entries.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.tensor) })
  }
}

/// How a state dict differs from the module that should take it: everything that is wrong, together.
public struct StateDictError: Error, CustomStringConvertible {
  public var source = "the state dict"
  public var missing: [String] = []
  public var unexpected: [String] = []
  /// Wrong shapes or dtypes.
  public var mismatched: [(key: String, expected: String, found: String)] = []
  /// Unexpected keys beside the missing ones that they may be under another name: same shape, and no other fits.
  public var renamed: [(found: String, expected: String)] = []
  /// What the user can do about it.
  public var advice = ""

  public var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

  public var description: String {
    func list(_ title: String, _ lines: [String]) -> String {
      guard !lines.isEmpty else { return "" }
      let rest = lines.count > 8 ? "\n    ... and \(lines.count - 8) more" : ""
      return "\n  \(title) (\(lines.count)):\n" + lines.prefix(8).map { "    " + $0 }.joined(separator: "\n") + rest
    }
    return "\(source) does not fit the model."
      + list("missing keys", missing) + list("unexpected keys", unexpected)
      + list("different tensors", mismatched.map { "\($0.key): the model has \($0.expected), the file \($0.found)" })
      + "\n  " + (advice.isEmpty ? fittingAdvice : advice)
  }

  private var fittingAdvice: String {
    let pairs = Set(renamed.map { Self.module(of: $0.found) + "=" + Self.module(of: $0.expected) }).sorted()
    if !renamed.isEmpty, renamed.count == missing.count, mismatched.isEmpty {
      return "Entries of the same shapes are there under other names. If they are the same layers, rename them: "
        + pairs.map { "--rename \($0)" }.joined(separator: " ") + "."
    }
    if missing.isEmpty, mismatched.isEmpty {
      let names = Set(unexpected.map { unexpected.count > 4 ? Self.module(of: $0) : $0 }).sorted()
      return "The model has no use for these entries. If they may be left out: "
        + names.prefix(6).map { "--ignore \($0)" }.joined(separator: " ") + "."
    }
    let heads = Set(mismatched.map { Self.module(of: $0.key) })
    let areSizes = mismatched.allSatisfy { $0.found.contains("[") && !$0.key.hasSuffix("num_batches_tracked") }
    let isLast = mismatched.allSatisfy { !$0.expected.contains(/\[[^\]]*,[^\]]*,/) }
    if missing.isEmpty, unexpected.isEmpty, heads.count == 1, areSizes, isLast, let head = heads.first {
      return
        "Only \(head) differs: the file is for another number of classes. Name the data set that it was trained for."
    }
    return "Choose the model, width and number of classes that the file was made with."
  }

  /// `layer1.0` for `layer1.0.weight`.
  private static func module(of key: String) -> String { key.lastIndex(of: ".").map { String(key[..<$0]) } ?? key }
}

extension Module {
  /// Parameters and buffers, sharing storage with the module. Keys and order equal PyTorch's `state_dict()`.
  public func stateDict() -> StateDict {
    var parameters = Dictionary(grouping: namedParameters(), by: { owner($0.key) })
    var buffers = Dictionary(grouping: namedBuffers(), by: { owner($0.key) })
    var out = StateDict()
    for (path, _) in modules() {
      for (key, tensor) in (parameters.removeValue(forKey: path) ?? []) + (buffers.removeValue(forKey: path) ?? []) {
        out[key] = tensor.detach()
      }
    }
    return out
  }

  private func owner(_ key: String) -> String {
    guard let dot = key.lastIndex(of: ".") else { return "" }
    return String(key[..<dot])
  }

  /// Copies the values of a state dict into this module.
  /// - Parameters:
  ///   - strict: false ignores keys that the module lacks or the dict lacks; shapes and dtypes must fit in any case.
  ///     `ForeignStateDict` fits a dict from elsewhere first.
  ///   - source: what the error calls the dict, e.g. the file's path.
  /// - Throws: `StateDictError` with everything that does not fit; the module is then unchanged.
  public func load(_ state: StateDict, strict: Bool = true, source: String = "the state dict") throws(StateDictError) {
    var problems = StateDictError(source: source)
    let own = stateDict()
    for (key, tensor) in own.entries {
      guard let value = state[key] else {
        if strict { problems.missing.append(key) }
        continue
      }
      if value.shape != tensor.shape || value.dtype != tensor.dtype {
        problems.mismatched.append((key, "\(tensor.dtype) \(tensor.shape)", "\(value.dtype) \(value.shape)"))
      }
    }
    if strict { problems.unexpected = state.keys.filter { own[$0] == nil } }
    for key in problems.unexpected {
      let shape = state[key]?.shape
      let last = key.split(separator: ".").last
      let candidates = problems.missing.filter { own[$0]?.shape == shape && $0.split(separator: ".").last == last }
      if candidates.count == 1 { problems.renamed.append((key, candidates[0])) }
    }
    guard problems.isEmpty else { throw problems }
    noGrad {
      for (key, tensor) in own.entries { if let value = state[key] { tensor.copy_(value) } }
    }
  }
}
