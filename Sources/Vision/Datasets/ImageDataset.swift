public import Torch

/// Labelled images in memory: uint8, N x C x H x W, with int64 labels (N), both on one device.
public struct ImageDataset {
  public var name: String
  /// uint8, N x C x H x W.
  public let images: Tensor
  /// int64, N. -1 marks an unlabeled image.
  public let labels: Tensor
  public let classNames: [String]
  /// Where each sample was read from, N; nil where that is not known, as of images that were made or changed.
  public var sources: [SampleSource]?

  public init(name: String, images: Tensor, labels: Tensor, classNames: [String], sources: [SampleSource]? = nil) {
    require(
      images.dtype == .uint8 && images.rank == 4,
      "ImageDataset: images must be uint8 N x C x H x W, not \(images.summary)")
    require(
      labels.dtype == .int64 && labels.shape == [images.dimension(0)],
      "ImageDataset: labels must be int64 N, not \(labels.summary)")
    require(
      (sources?.count ?? images.dimension(0)) == images.dimension(0),
      "ImageDataset: \(sources?.count ?? 0) sources of \(images.dimension(0)) images")
    self.name = name
    self.sources = sources
    self.images = images
    self.labels = labels
    self.classNames = classNames
  }

  public var count: Int { images.dimension(0) }
  public var channels: Int { images.dimension(1) }
  public var height: Int { images.dimension(2) }
  public var width: Int { images.dimension(3) }
  public var classes: Int { classNames.count }
  public var device: Device { images.device }

  public func to(_ device: Device) -> ImageDataset {
    ImageDataset(
      name: name, images: images.to(device), labels: labels.to(device), classNames: classNames, sources: sources)
  }
  /// The images at these positions, in this order.
  public func subset(_ indices: [Int]) -> ImageDataset {
    let index = Tensor(indices.map(Int64.init)).to(device)
    return ImageDataset(
      name: name, images: images[index], labels: labels[index], classNames: classNames,
      sources: sources.map { all in indices.map { all[$0] } })
  }
  public func prefix(_ count: Int) -> ImageDataset {
    let count = min(count, self.count)
    return ImageDataset(
      name: name, images: images[0..<count], labels: labels[0..<count], classNames: classNames,
      sources: sources.map { Array($0[..<count]) })
  }
  /// The same images with other labels.
  public func relabeled(_ labels: Tensor) -> ImageDataset {
    ImageDataset(name: name, images: images, labels: labels, classNames: classNames, sources: sources)
  }

  /// The same images with -1 for every label.
  public func withoutLabels() -> ImageDataset { relabeled(Tensor.full(like: labels, -1)) }

  /// Pixels in [0, 1], float32, of a range of images.
  public func pixels(_ range: Range<Int>) -> Tensor { images[range].unitPixels() }
  /// Pixels in [0, 1], float32, at int64 positions.
  public func pixels(at index: Tensor) -> Tensor { images[index].unitPixels() }

  /// Labels on the host.
  public func labelArray() -> [Int] { labels.array(Int64.self).map(Int.init) }
}

extension Tensor {
  /// uint8 images as float32 pixels in [0, 1].
  public func unitPixels() -> Tensor { to(.float32) * (1 / 255.0) }
  /// Pixels in [0, 1] as uint8, rounding halves to even, clipped.
  public func quantized() -> Tensor { noGrad { (self * 255).round().clamped(0, 255).to(.uint8) } }
}
