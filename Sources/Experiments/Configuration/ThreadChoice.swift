import Support

/// How many CPU threads an operation takes: the setting `threads`.
public enum ThreadChoice: Sendable, Hashable, CustomStringConvertible {
  /// As many as there are free cores when the computation starts.
  case auto
  case count(Int)

  /// Allowed numbers.
  public static let range = 1...4096

  /// `auto` or a number; nil for anything else.
  public init?(_ text: String) {
    if text == "auto" {
      self = .auto
    } else if let count = Int(text), Self.range.contains(count) {
      self = .count(count)
    } else {
      return nil
    }
  }

  public var description: String {
    switch self {
    case .auto: "auto"
    case .count(let count): String(count)
    }
  }
}

/// In files: `auto`, null (which means the same) or a number.
extension ThreadChoice: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .auto
    } else if let text = try? container.decode(String.self) {
      guard text == "auto" else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "Give auto or a whole number from 1.")
      }
      self = .auto
    } else {
      self = .count(try container.decode(Int.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .auto: try container.encode("auto")
    case .count(let count): try container.encode(count)
    }
  }
}
