import Crypto
import Foundation

/// A run's source of randomness: named streams that do not depend on each other, nor on the order in which they are
/// asked for.
///
/// ```swift
/// let seed: Seed = 7
/// seed("poison")        // the number that seeds the choice of poisoned samples
/// seed("augment", 3)    // the number for the augmentation of epoch 3
/// seed.stream("attack") // a Seed to hand to a part, which names its own streams below it
/// ```
public struct Seed: Sendable, Hashable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// The number that the user chose, or that an outer seed gave.
  public let root: UInt64

  public init(_ root: UInt64) { self.root = root }
  public init(integerLiteral value: UInt64) { root = value }

  /// The number of the stream `name`, from 0 to 2^63 - 1.
  public func callAsFunction(_ name: String) -> UInt64 { Self.derive(root, name) }

  /// The number of the stream `name` at an index, such as an epoch; the same as that of the name `"name/index"`.
  public func callAsFunction(_ name: String, _ index: Int) -> UInt64 { Self.derive(root, "\(name)/\(index)") }

  /// A seed below this one, for a part that names streams of its own.
  public func stream(_ name: String) -> Seed { Seed(self(name)) }

  /// A generator on the stream `name`.
  public func generator(_ name: String) -> Xoshiro256StarStar { Xoshiro256StarStar(seed: self(name)) }

  /// A generator on the stream `name` at an index, such as an epoch.
  public func generator(_ name: String, _ index: Int) -> Xoshiro256StarStar {
    Xoshiro256StarStar(seed: self(name, index))
  }

  /// The first 8 bytes, most significant first, of the SHA-256 of `antidote/<root>/<name>`, without the top bit: it
  /// fits an `Int64`.
  public static func derive(_ root: UInt64, _ name: String) -> UInt64 {
    let hash = SHA256.hash(data: Data("antidote/\(root)/\(name)".utf8))
    return hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } & (UInt64.max >> 1)
  }

  /// The root.
  public var description: String { "\(root)" }

  /// Reads the root from a plain number.
  public init(from decoder: any Decoder) throws { root = try decoder.singleValueContainer().decode(UInt64.self) }

  /// Writes the root as a plain number.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(root)
  }
}
