import Files

/// The elements that tensors of a PyTorch file share: a record of it, under a key.
public struct StoredStorage: Sendable, Equatable {
  public let key: String
  /// nil of an untyped storage, whose tensors say what their elements are.
  public let type: ElementType?
  /// Elements; bytes of an untyped storage.
  public let count: Int
  /// Elements before a view of it, in files of PyTorch's first years.
  var viewOffset = 0
}

/// A tensor of a PyTorch file: where its elements lie, without them.
public struct StoredTensor: Sendable, Equatable {
  public let storage: StoredStorage
  public let type: ElementType
  /// In elements, from the storage's beginning.
  public let offset: Int
  public let shape: [Int]
  /// In elements.
  public let strides: [Int]

  /// Elements.
  public var count: Int { shape.reduce(1, *) }
  public var byteCount: Int { count * type.size }

  /// A tensor that repeats its elements may have so many times as many as its storage, and `freeCount` in any case.
  static let mostRepeats = 16
  static let freeCount = 1 << 16

  /// - Throws: `PickleProblem` where the elements do not lie in the storage.
  init(storage: StoredStorage, type: ElementType, offset: Int, shape: [Int], strides: [Int]) throws {
    let held = storage.type == nil ? storage.count / type.size : storage.count
    func problem() -> PickleProblem {
      PickleProblem(
        "a tensor of shape \(shape), strides \(strides) and offset \(offset) in a storage of \(formatCount(held)) "
          + "elements")
    }
    // What it claims to hold is a number of the file: no product of it may overflow.
    guard type.byteCount(shape) != nil, type.byteCount([held]) != nil, shape.count == strides.count, offset >= 0,
      storage.count >= 0,
      strides.allSatisfy({ $0 >= 0 })
    else { throw problem() }
    if !shape.contains(0) {
      var last = offset
      for (extent, stride) in zip(shape, strides) {
        let (step, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
        let (sum, more) = last.addingReportingOverflow(step)
        guard !overflow, !more else { throw problem() }
        last = sum
      }
      guard last < held, shape.reduce(1, *) / Self.mostRepeats <= held || shape.reduce(1, *) <= Self.freeCount else {
        throw problem()
      }
    }
    self.storage = storage
    self.type = type
    self.offset = offset
    self.shape = shape
    // Where there is one element, no step is made; it may be of any length.
    self.strides = zip(shape, strides).map { $0 == 1 ? 0 : $1 }
  }

  /// The elements that the tensor spans in its storage, gaps included.
  var span: Range<Int> {
    guard !shape.contains(0) else { return 0..<0 }
    return offset..<offset + zip(shape, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 }
  }

  /// Row-major without gaps, little-endian, from the bytes of `span`.
  func elements(from raw: [UInt8], bigEndian: Bool) -> [UInt8] {
    var bytes = isContiguous ? raw : gathered(raw)
    // A complex number is two.
    let word = type == .complex64 || type == .complex128 ? type.size / 2 : type.size
    if bigEndian, word > 1 {
      for start in stride(from: 0, to: bytes.count, by: word) { bytes[start..<start + word].reverse() }
    }
    return bytes
  }

  private var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }

  private func gathered(_ raw: [UInt8]) -> [UInt8] {
    let size = type.size, total = count
    guard total > 0 else { return [] }
    var result: [UInt8] = []
    result.reserveCapacity(total * size)
    var index = [Int](repeating: 0, count: shape.count)
    var from = 0
    for _ in 0..<total {
      result.append(contentsOf: raw[from * size..<(from + 1) * size])
      var axis = shape.count - 1
      while axis >= 0 {
        index[axis] += 1
        from += strides[axis]
        if index[axis] < shape[axis] { break }
        from -= strides[axis] * shape[axis]
        index[axis] = 0
        axis -= 1
      }
    }
    return result
  }
}
