import Foundation

extension JSONValue {
  /// The tree of any encodable value.
  ///
  /// Optional properties that are nil keep their key, with the value `null`, so that a stored configuration shows every
  /// setting. `Float`s are widened by their shortest text (`0.1`, not `0.10000000149`). `Date` becomes ISO 8601 in
  /// whole seconds.
  /// - Throws: What the value's own encoding throws; `EncodingError` for an unsigned integer above `Int.max`.
  public init(encoding value: some Encodable) throws {
    let slot = JSONSlot()
    try slot.encode(value, codingPath: [])
    self = slot.tree
  }
}

/// A place in the tree that an encoder fills; a class, because containers write into it after they were handed out.
private final class JSONSlot {
  enum Content {
    case empty
    case leaf(JSONValue)
    case array([JSONSlot])
    case object([String: JSONSlot])
  }

  var content = Content.empty

  var tree: JSONValue {
    switch content {
    case .empty: .object([:])  // A type without stored properties asks for no container.
    case .leaf(let value): value
    case .array(let slots): .array(slots.map(\.tree))
    case .object(let slots): .object(slots.mapValues(\.tree))
    }
  }

  func member(_ key: String) -> JSONSlot {
    let slot = JSONSlot()
    if case .object(var members) = content {
      members[key] = slot
      content = .object(members)
    } else {
      content = .object([key: slot])
    }
    return slot
  }

  func element() -> JSONSlot {
    let slot = JSONSlot()
    if case .array(var elements) = content {
      content = .empty
      elements.append(slot)
      content = .array(elements)
    } else {
      content = .array([slot])
    }
    return slot
  }

  /// Takes plain values as they are and lets all others encode themselves.
  func encode(_ value: some Encodable, codingPath: [any CodingKey]) throws {
    switch value {
    case let value as JSONValue: content = .leaf(value)
    case let value as String: content = .leaf(.string(value))
    case let value as Bool: content = .leaf(.bool(value))
    case let value as Double: content = .leaf(.double(value))
    case let value as Float: content = .leaf(.double(Double(value.description) ?? Double(value)))
    case let value as any BinaryInteger:
      guard let whole = Int(exactly: value) else {
        throw EncodingError.invalidValue(
          value, .init(codingPath: codingPath, debugDescription: "\(value) exceeds 63 bits."))
      }
      content = .leaf(.int(whole))
    case let value as Date: content = .leaf(.string(value.formatted(JSONDates.style)))
    default: try value.encode(to: JSONTreeEncoder(slot: self, codingPath: codingPath))
    }
  }
}

/// How dates are spelt in a tree.
enum JSONDates {
  static let style = Date.ISO8601FormatStyle()
  static func date(_ text: String) -> Date? {
    (try? Date(text, strategy: style))
      ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
  }
}

private struct JSONTreeEncoder: Encoder {
  let slot: JSONSlot
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .object = slot.content {} else { slot.content = .object([:]) }
    return KeyedEncodingContainer(KeyedTreeEncoder<Key>(slot: slot, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .array = slot.content {} else { slot.content = .array([]) }
    return UnkeyedTreeEncoder(slot: slot, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    SingleTreeEncoder(slot: slot, codingPath: codingPath)
  }
}

private struct SingleTreeEncoder: SingleValueEncodingContainer {
  let slot: JSONSlot
  let codingPath: [any CodingKey]

  func encodeNil() { slot.content = .leaf(.null) }
  func encode<T: Encodable>(_ value: T) throws { try slot.encode(value, codingPath: codingPath) }
}

private struct UnkeyedTreeEncoder: UnkeyedEncodingContainer {
  let slot: JSONSlot
  let codingPath: [any CodingKey]

  var count: Int { if case .array(let slots) = slot.content { slots.count } else { 0 } }
  private var nextPath: [any CodingKey] { codingPath + [JSONKey(index: count)] }

  func encodeNil() { slot.element().content = .leaf(.null) }
  func encode<T: Encodable>(_ value: T) throws {
    let path = nextPath
    try slot.element().encode(value, codingPath: path)
  }
  func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
    let path = nextPath
    return JSONTreeEncoder(slot: slot.element(), codingPath: path).container(keyedBy: type)
  }
  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    let path = nextPath
    return JSONTreeEncoder(slot: slot.element(), codingPath: path).unkeyedContainer()
  }
  func superEncoder() -> any Encoder {
    let path = nextPath
    return JSONTreeEncoder(slot: slot.element(), codingPath: path)
  }
}

private struct KeyedTreeEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let slot: JSONSlot
  let codingPath: [any CodingKey]

  private func encoder(_ key: any CodingKey) -> JSONTreeEncoder {
    JSONTreeEncoder(slot: slot.member(key.stringValue), codingPath: codingPath + [key])
  }

  func encodeNil(forKey key: Key) { slot.member(key.stringValue).content = .leaf(.null) }
  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    try slot.member(key.stringValue).encode(value, codingPath: codingPath + [key])
  }

  // The default implementations of these leave a nil out; a configuration's keys must all show.
  private func encodeOrNull(_ value: (some Encodable)?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
  }
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOrNull(value, key) }
  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try encodeOrNull(value, key) }

  func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type, forKey key: Key) -> KeyedEncodingContainer<
    NestedKey
  > {
    encoder(key).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
  func superEncoder() -> any Encoder { encoder(JSONKey("super")) }
  func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

/// A key made at run time.
struct JSONKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(_ string: String) {
    stringValue = string
    intValue = nil
  }
  init(index: Int) {
    stringValue = String(index)
    intValue = index
  }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { self.init(index: intValue) }
}
