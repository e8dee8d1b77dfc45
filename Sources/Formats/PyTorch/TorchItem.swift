/// A value that can be written for `torch.load(weights_only=True)`: tensors and plain data.
public indirect enum TorchItem {
  case none
  case bool(Bool)
  case int(Int64)
  /// Little-endian two's complement.
  case bigInt([UInt8])
  case float(Double)
  case string(String)
  case list([TorchItem])
  case tuple([TorchItem])
  /// In this order.
  case dict([(key: TorchItem, value: TorchItem)])
  /// Python's OrderedDict, as a state dict is one.
  case ordered([(key: TorchItem, value: TorchItem)])
  case tensor(TorchTensor)
  /// A numpy array, which `torch.load` takes with `weights_only=False` only.
  case array(PickleArray)

  /// What was read, where all of it is plain data; nil where anything in it is not.
  public init?(_ value: PickleValue) {
    func all(_ values: [PickleValue]) -> [TorchItem]? {
      let items = values.compactMap(TorchItem.init)
      return items.count == values.count ? items : nil
    }
    switch value {
    case .none: self = .none
    case .bool(let flag): self = .bool(flag)
    case .int(let number): self = .int(number)
    case .bigInt(let bytes): self = .bigInt(bytes)
    case .float(let number): self = .float(number)
    case .string(let text): self = .string(text)
    case .list(let values):
      guard let items = all(values) else { return nil }
      self = .list(items)
    case .tuple(let values):
      guard let items = all(values) else { return nil }
      self = .tuple(items)
    case .dict(let entries):
      guard let keys = all(entries.map(\.key)), let values = all(entries.map(\.value)) else { return nil }
      self = .dict(zip(keys, values).map { ($0, $1) })
    default: return nil
    }
  }
}

/// A tensor to write.
public struct TorchTensor {
  public let type: ElementType
  public let shape: [Int]
  /// Row-major and little-endian.
  public let bytes: () -> [UInt8]

  public init(type: ElementType, shape: [Int], bytes: @escaping () -> [UInt8]) {
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }
}
