/// What a pickle holds, as plain data. A tree at most as deep as the reader's limit.
public indirect enum PickleValue: Sendable, Equatable {
  case none
  case bool(Bool)
  case int(Int64)
  /// An integer beyond 64 bits: little-endian two's complement.
  case bigInt([UInt8])
  case float(Double)
  case string(String)
  /// Python's bytes and bytearray, and the 8-bit strings of Python 2.
  case bytes([UInt8])
  case list([PickleValue])
  case tuple([PickleValue])
  /// In the order of the file.
  case dict([PickleEntry])
  case array(PickleArray)
  /// A function or class that is named, not called.
  case global(PickleGlobal)
  /// A call that was recorded instead of made.
  case object(PickleObject)
  /// In files of PyTorch: a tensor, and elements that tensors share.
  case tensor(StoredTensor)
  case storage(StoredStorage)
}

/// A key and its value in a pickled dict.
public struct PickleEntry: Sendable, Equatable {
  public let key: PickleValue
  public let value: PickleValue

  public init(key: PickleValue, value: PickleValue) {
    self.key = key
    self.value = value
  }
}

/// The name of a Python function or class, `module.name`.
public struct PickleGlobal: Sendable, Hashable, CustomStringConvertible {
  public let module: String
  public let name: String

  public init(_ module: String, _ name: String) {
    self.module = module
    self.name = name
  }

  public var description: String { "\(module).\(name)" }
}

/// All that a pickle says about an object: which function makes it from which arguments, and what is set afterwards.
public struct PickleObject: Sendable, Equatable {
  public let global: PickleGlobal
  public let arguments: [PickleValue]
  /// What the object's `__setstate__` would get.
  public let state: PickleValue?
  /// What `object[key] = value` would set, as in an OrderedDict.
  public let items: [PickleEntry]
  /// What `object.append` would add.
  public let appended: [PickleValue]

  public init(
    global: PickleGlobal, arguments: [PickleValue], state: PickleValue? = nil, items: [PickleEntry] = [],
    appended: [PickleValue] = []
  ) {
    self.global = global
    self.arguments = arguments
    self.state = state
    self.items = items
    self.appended = appended
  }
}

extension PickleValue {
  /// The value of a dict under a text key, which Python 2 wrote as bytes; nil where there is none. The last one counts,
  /// as it would in Python.
  public subscript(key: String) -> PickleValue? {
    guard case .dict(let entries) = self else { return nil }
    return entries.last { $0.key.text == key }?.value
  }

  /// A string, or bytes that are UTF-8.
  public var text: String? {
    switch self {
    case .string(let text): return text
    case .bytes(let bytes): return String(validating: bytes, as: UTF8.self)
    default: return nil
    }
  }

  /// The elements of a list or tuple.
  public var list: [PickleValue]? {
    switch self {
    case .list(let values), .tuple(let values): return values
    default: return nil
    }
  }

  public var array: PickleArray? {
    if case .array(let array) = self { return array }
    return nil
  }

  public var int: Int64? {
    if case .int(let value) = self { return value }
    return nil
  }

  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  public var bytes: [UInt8]? {
    if case .bytes(let bytes) = self { return bytes }
    return nil
  }

  /// The numbers of a list of integers or of a one-dimensional integer array.
  public var integers: [Int64]? {
    if case .array(let array) = self { return array.shape.count == 1 ? array.integers : nil }
    guard let values = list else { return nil }
    let numbers = values.compactMap(\.int)
    return numbers.count == values.count ? numbers : nil
  }
}
