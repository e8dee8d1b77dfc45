/// Ranges of a shuffled order, batch by batch.
public struct Batches {
  /// Images in a batch that is only looked at: more are no faster on a CPU and hold more memory.
  public static let evaluationSize = 256

  public let ranges: [Range<Int>]
  /// Images in all batches together.
  public var images: Int { ranges.reduce(0) { $0 + $1.count } }

  /// - Parameter dropLast: leave a last batch out that is not full (kept if it is the only one).
  public init(count: Int, size: Int, dropLast: Bool = false) {
    let all = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    ranges = dropLast && all.count > 1 ? all.filter { $0.count == size } : all
  }
}
