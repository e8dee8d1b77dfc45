import Files

/// A numpy array from a pickle.
public struct PickleArray: Sendable, Equatable {
  public let dtype: ElementType
  public let shape: [Int]
  /// Little-endian, last index fastest: product of `shape` times `dtype.size` bytes.
  public let bytes: [UInt8]

  /// - Parameters:
  ///   - bigEndian: the bytes of an element come most significant first.
  ///   - fortranOrder: the first index is the fastest.
  /// - Throws: `PickleProblem` where the bytes do not fit the shape.
  init(dtype: ElementType, shape: [Int], raw: [UInt8], bigEndian: Bool, fortranOrder: Bool) throws {
    guard let count = dtype.byteCount(shape) else { throw PickleProblem("an array of shape \(shape)") }
    guard raw.count == count, shape.count <= 32 else {
      throw PickleProblem(
        "an array of shape \(shape) and type \(dtype) with \(formatCount(raw.count)) bytes, expected "
          + "\(formatCount(count))"
      )
    }
    self.dtype = dtype
    self.shape = shape
    var bytes = raw
    if bigEndian, dtype.size > 1 {
      for start in stride(from: 0, to: count, by: dtype.size) { bytes[start..<start + dtype.size].reverse() }
    }
    self.bytes = fortranOrder && shape.count > 1 && count > 0 ? Self.lastIndexFastest(bytes, shape, dtype.size) : bytes
  }

  /// The elements of an integer array, nil for other types and for values beyond Int64.
  public var integers: [Int64]? {
    guard rawKind == "i" || rawKind == "u" else { return nil }
    let size = dtype.size
    var values: [Int64] = []
    values.reserveCapacity(bytes.count / size)
    for start in stride(from: 0, to: bytes.count, by: size) {
      var word: UInt64 = 0
      for index in (0..<size).reversed() { word = word << 8 | UInt64(bytes[start + index]) }
      if rawKind == "i" {
        let unused = UInt64(64 - 8 * size)
        values.append(Int64(bitPattern: word << unused) >> Int64(unused))
      } else {
        guard let value = Int64(exactly: word) else { return nil }
        values.append(value)
      }
    }
    return values
  }

  /// The elements of a float32 or float64 array, nil for other types.
  public var floats: [Double]? {
    guard dtype == .float32 || dtype == .float64 else { return nil }
    let size = dtype.size
    return stride(from: 0, to: bytes.count, by: size).map { start in
      var word: UInt64 = 0
      for index in (0..<size).reversed() { word = word << 8 | UInt64(bytes[start + index]) }
      return size == 4 ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))) : Double(bitPattern: word)
    }
  }

  private var rawKind: Character { dtype.rawValue.first ?? "b" }  // bool, int, uint, float

  private static func lastIndexFastest(_ bytes: [UInt8], _ shape: [Int], _ size: Int) -> [UInt8] {
    var steps = [Int](repeating: size, count: shape.count)
    for axis in shape.indices.dropFirst() { steps[axis] = steps[axis - 1] * shape[axis - 1] }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = [Int](repeating: 0, count: shape.count)
    var from = 0
    while result.count < bytes.count {
      result.append(contentsOf: bytes[from..<from + size])
      var axis = shape.count - 1
      while axis >= 0 {
        index[axis] += 1
        from += steps[axis]
        if index[axis] < shape[axis] { break }
        from -= steps[axis] * shape[axis]
        index[axis] = 0
        axis -= 1
      }
    }
    return result
  }
}
