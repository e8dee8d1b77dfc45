public import Torch

/// Shrinks images and fills up with black, so that a trigger's pixels are not where the model learned them (Li et al.,
/// Backdoor Attack in the Physical World, 2021). Images keep their size. Differentiable in them.
public struct ShrinkPad: Sendable, Codable, Hashable {
  /// Share of each side that becomes black, from 0 to below 1.
  public var share: Double
  /// Of the places of the shrunken images in a batch, one draw an image; nil leaves all at the top left.
  public var seed: UInt64?

  public init(share: Double, seed: UInt64? = nil) { (self.share, self.seed) = (share, seed) }

  /// Black rows or columns of images with so many.
  public func border(_ side: Int) -> Int { min(side - 1, max(0, Int((share * Double(side)).rounded()))) }

  /// - Parameter images: float N x C x H x W.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    let (height, width) = (images.dimension(2), images.dimension(3))
    let (rows, columns) = (border(height), border(width))
    guard rows > 0 || columns > 0, images.dimension(0) > 0 else { return images }
    let small = F.interpolate(images, height: height - rows, width: width - columns)
    guard let seed else { return small.padded([0, columns, 0, rows]) }
    let generator = Generator(seed: seed)
    let count = images.dimension(0)
    let tops = generator.integers(0..<(rows + 1), [count]).array(Int64.self).map(Int.init)
    let lefts = generator.integers(0..<(columns + 1), [count]).array(Int64.self).map(Int.init)
    return Tensor.stacked(
      (0..<count).map { small[$0].padded([lefts[$0], columns - lefts[$0], tops[$0], rows - tops[$0]]) })
  }
}
