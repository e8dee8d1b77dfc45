import Testing

@testable import Formats

@Suite struct StoredTensorTests {
  private let storage = StoredStorage(key: "0", type: .float32, count: 3)

  private func elements(_ shape: [Int], _ strides: [Int]) throws -> [UInt8] {
    let tensor = try StoredTensor(storage: storage, type: .float32, offset: 0, shape: shape, strides: strides)
    return tensor.elements(from: Array(0..<UInt8(4 * tensor.span.count)), bigEndian: false)
  }

  /// A dimension of one element makes no step, whatever a file says how long it is.
  @Test func aSingleElementHasAnyStride() throws {
    let expected: [UInt8] = [0, 1, 2, 3, 8, 9, 10, 11]
    for long in [1, 7, Int.max] {
      #expect(try elements([2, 1], [2, long]) == expected)
      #expect(try elements([1, 2], [long, 2]) == expected)
    }
    #expect(throws: (any Error).self) { try elements([2, 2], [2, Int.max]) }
  }
}
