public import Torch

/// The order in which a model takes the three channels of an image.
public enum ChannelOrder: String, Sendable, Codable, CaseIterable {
  /// Red, green, blue, as images are read here and by PIL.
  case rgb
  /// Blue, green, red, as OpenCV reads images.
  case bgr
}

/// What a model does to pixels in [0, 1] first: `(x - mean) / deviation` a channel, then their order.
public struct Normalization: Sendable, Codable, Hashable {
  /// A value a channel, of red, green and blue in this order; empty means that nothing is subtracted or divided.
  public var mean: [Float]
  public var standardDeviation: [Float]
  /// In which order the network gets the channels; nil, and absent in files, is that of images.
  public var channelOrder: ChannelOrder?

  public init(mean: [Float], standardDeviation: [Float], channelOrder: ChannelOrder = .rgb) {
    require(mean.count == standardDeviation.count, "as many means as standard deviations")
    self.mean = mean
    self.standardDeviation = standardDeviation
    self.channelOrder = channelOrder == .rgb ? nil : channelOrder
  }

  /// The same with another order of channels.
  public func ordered(_ order: ChannelOrder) -> Normalization {
    Normalization(mean: mean, standardDeviation: standardDeviation, channelOrder: order)
  }

  public static let none = Normalization(mean: [], standardDeviation: [])
  /// The values that most benchmark code uses.
  public static let cifar10 = Normalization(mean: [0.4914, 0.4822, 0.4465], standardDeviation: [0.247, 0.243, 0.261])
  /// CIFAR-10's means with the deviations averaged over images, as the usual CIFAR code and the DBD paper's have them.
  public static let dbd = Normalization(mean: [0.4914, 0.4822, 0.4465], standardDeviation: [0.2023, 0.1994, 0.201])
  public static let cifar100 = Normalization(
    mean: [0.5071, 0.4865, 0.4409], standardDeviation: [0.2673, 0.2564, 0.2762])
  public static let tinyImageNet = Normalization(
    mean: [0.4802, 0.4481, 0.3975], standardDeviation: [0.2302, 0.2265, 0.2262])
  public static let imageNet = Normalization(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])
  public static let half = Normalization(mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5])
  /// `half` for gray images.
  public static let halfGray = Normalization(mean: [0.5], standardDeviation: [0.5])
  /// As PyTorch's examples have it, for gray images.
  public static let mnist = Normalization(mean: [0.1307], standardDeviation: [0.3081])
  public static let fashionMNIST = Normalization(mean: [0.286], standardDeviation: [0.353])

  /// The usual ones for images with this many channels, by the names that settings have for them.
  public static func known(channels: Int) -> [(name: String, value: Normalization)] {
    channels == 1
      ? [("half", halfGray), ("mnist", mnist), ("fashion-mnist", fashionMNIST), ("none", none)]
      : [
        ("cifar10", cifar10), ("dbd", dbd), ("cifar100", cifar100), ("tiny-imagenet", tinyImageNet),
        ("imagenet", imageNet), ("half", half), ("none", none),
      ]
  }

  /// The setting's name for these values, or the values themselves as a setting takes them; without the order.
  public var name: String {
    let plain = ordered(.rgb)
    if let known = (Self.known(channels: 3) + Self.known(channels: 1)).first(where: { $0.value == plain }) {
      return known.name
    }
    return "\(mean),\(standardDeviation)".filter { $0 != " " }
  }
}
