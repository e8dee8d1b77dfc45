/// Types of the numbers in an array.
public enum ElementType: String, Sendable, CaseIterable, CustomStringConvertible {
  case bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16, bfloat16, float32, float64
  case complex64, complex128
  case float8e4m3 = "float8_e4m3fn"
  case float8e5m2 = "float8_e5m2"

  /// Bytes an element.
  public var size: Int {
    switch self {
    case .bool, .uint8, .int8, .float8e4m3, .float8e5m2: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .complex64: 8
    case .complex128: 16
    }
  }

  /// The usual name, such as `uint8`.
  public var description: String { rawValue }

  /// By numpy's kind and size in bytes, such as `f4`.
  init?(numpy code: String) {
    guard let type = Self.numpyTypes.first(where: { $0.numpyCode == code }) else { return nil }
    self = type
  }
  private static let numpyTypes = allCases.filter { ![.bfloat16, .float8e4m3, .float8e5m2].contains($0) }
  var numpyCode: String { self == .bool ? "b1" : "\(rawValue.prefix(1))\(size)" }

  /// By the name in a safetensors header, such as `F32`. Unsigned types wider than a byte, which tensors here lack,
  /// have none.
  init?(safetensors name: String) {
    guard let type = Self.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
    self = type
  }
  var safetensorsName: String? {
    switch self {
    case .bool: "BOOL"
    case .bfloat16: "BF16"
    case .uint16, .uint32, .uint64, .complex64, .complex128, .float8e4m3, .float8e5m2: nil
    default: "\(rawValue.prefix(1).uppercased())\(8 * size)"
    }
  }

  /// Bytes of an array; nil where they, or strides over its dimensions, do not fit an `Int`, where a dimension is
  /// negative, or where there are more dimensions than LibTorch takes.
  public func byteCount(_ shape: [Int]) -> Int? {
    guard shape.count <= 64 else { return nil }
    var product = size
    for extent in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
      if overflow || extent < 0 { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }
}
