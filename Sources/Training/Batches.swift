/// Ranges of a shuffled order, batch by batch.
public struct Batches {
  /// Images in a batch that is only looked at: more are no faster on a CPU and hold more memory.
  public static let evaluationSize = 256

  public let ranges: [Range<Int>]
  /// Images in all batches together.
  public var images: Int { ranges.reduce(0) { $0 + $1.count } }

  /// - Parameters:
  ///   - dropLast: leave a last batch out that is not full (kept if it is the only one).
  ///   - joinsSingle: a last batch of one image joins the one before it: BatchNorm has no statistics over one image.
  public init(count: Int, size: Int, dropLast: Bool = false, joinsSingle: Bool = false) {
    var all = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    if dropLast, all.count > 1 { all = all.filter { $0.count == size } }
    if joinsSingle, size > 1, all.count > 1, let last = all.last, last.count == 1 {
      all.removeLast(2)
      all.append((last.lowerBound - size)..<last.upperBound)
    }
    ranges = all
  }
}
