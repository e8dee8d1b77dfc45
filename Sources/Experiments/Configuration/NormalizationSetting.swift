import Files
import Support
public import Vision

/// The setting `model.normalization`: a known normaliser by name, or means and deviations.
public enum NormalizationSetting: Sendable, Hashable {
  case named(String)
  case values(mean: [Float], standardDeviation: [Float])

  /// The names of all that are known, for three channels and for one.
  public static let names: [String] = {
    let names = [3, 1].flatMap { Normalization.known(channels: $0).map(\.name) }
    return names.enumerated().filter { names[..<$0.offset].firstIndex(of: $0.element) == nil }.map(\.element)
  }()

  /// The values for images with this many channels.
  /// - Throws: `SettingsError` for a normaliser of another number of channels.
  func values(channels: Int) throws(SettingsError) -> Normalization {
    switch self {
    case .named(let name):
      let known = Normalization.known(channels: channels)
      if let found = known.first(where: { $0.name == name }) { return found.value }
      throw SettingsError(
        "model.normalization",
        "\(name) is for \(channels == 1 ? "colour" : "gray") images. For images of \(channels) channels there are: "
          + known.map(\.name).joined(separator: ", ") + ".")
    case .values(let mean, let deviation):
      guard mean.count == channels else {
        throw SettingsError(
          "model.normalization", "\(mean.count) means and deviations, and the images have \(channels) channels.")
      }
      return Normalization(mean: mean, standardDeviation: deviation)
    }
  }
}

/// In files: a name, or a list of the means and a list of the deviations: `[[0.49, 0.48, 0.45], [0.25, 0.24, 0.26]]`.
extension NormalizationSetting: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    func problem(_ text: String) -> DecodingError {
      .dataCorruptedError(in: container, debugDescription: text)
    }
    if let lists = try? container.decode([[Float]].self) {
      guard lists.count == 2, lists[0].count == lists[1].count, [1, 3].contains(lists[0].count),
        lists[0].allSatisfy(\.isFinite), lists[1].allSatisfy({ $0.isFinite && $0 > 0 })
      else {
        throw problem(
          "Give means and then deviations above 0, three of each or one for gray images, in units of pixels in [0, 1]: "
            + "[0.49, 0.48, 0.45],[0.25, 0.24, 0.26].")
      }
      self = .values(mean: lists[0], standardDeviation: lists[1])
      return
    }
    guard let name = try? container.decode(String.self), Self.names.contains(name) else {
      throw problem(
        "Give one of \(Self.names.joined(separator: ", ")), or means and deviations: "
          + "[0.49, 0.48, 0.45],[0.25, 0.24, 0.26].")
    }
    self = .named(name)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .named(let name): try container.encode(name)
    case .values(let mean, let deviation): try container.encode([mean, deviation])
    }
  }
}
