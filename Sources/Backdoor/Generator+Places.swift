public import Torch

extension Generator {
  /// First pixels of squares on an axis, int64 of the shape: the squares whole, so far from both ends, and all places
  /// equally likely.
  /// - Parameters:
  ///   - side: of the squares, at most `length`.
  ///   - length: of the axis.
  public func places(side: Int, margin: Int = 0, of length: Int, _ shape: Shape) -> Tensor {
    integers(margin..<(margin + max(length - side - 2 * margin, 0) + 1), shape)
  }
}
