import Foundation

extension JSONValue {
  /// Reads the tree as a value of the given type.
  ///
  /// A whole double is accepted for an integer and an integer for a double; nothing else is converted, apart from the
  /// strings `"NaN"`, `"Infinity"` and `"-Infinity"` for a double, which is how JSON text holds them.
  /// - Throws: `DecodingError` with the path and what was found; what the type's own decoding throws.
  public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
    try JSONTreeDecoder(value: self, codingPath: []).unwrap(type)
  }

  /// What this value is, in the words of a message: `the text "a"`, `the number 0.5`, `a list`.
  public var kindDescription: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): "the number \(value)"
    case .double(let value): "the number \(value)"
    case .string(let value): "the text \(JSONWriter.quoted(value.count > 60 ? value.prefix(57) + "..." : value))"
    case .array: "a list"
    case .object: "a group of settings"
    }
  }
}

private struct JSONTreeDecoder: Decoder {
  let value: JSONValue
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func mismatch(_ type: any Any.Type) -> DecodingError {
    let context = DecodingError.Context(codingPath: codingPath, debugDescription: "Found \(value.kindDescription).")
    return value.isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let members = value.objectValue else { throw mismatch([String: JSONValue].self) }
    return KeyedDecodingContainer(KeyedTreeDecoder<Key>(members: members, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let elements = value.arrayValue else { throw mismatch([JSONValue].self) }
    return UnkeyedTreeDecoder(elements: elements, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { SingleTreeDecoder(decoder: self) }

  /// Takes plain values as they are and lets all others decode themselves.
  func unwrap<T: Decodable>(_ type: T.Type) throws -> T {
    let plain: Any?
    switch type {
    case is JSONValue.Type: plain = value
    case is String.Type: plain = value.stringValue
    case is Bool.Type: plain = value.boolValue
    case is Double.Type: plain = double
    case is Float.Type: plain = double.map { Float($0) }
    case let type as any FixedWidthInteger.Type: plain = integer(type)
    case is Date.Type: plain = value.stringValue.flatMap(JSONDates.date)
    default: return try T(from: self)
    }
    guard let result = plain as? T else { throw mismatch(type) }
    return result
  }

  private func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    switch value {
    case .int(let value): T(exactly: value)
    case .double(let value): T(exactly: value)
    default: nil
    }
  }

  private var double: Double? {
    switch value {
    case .string("NaN"): .nan
    case .string("Infinity"): .infinity
    case .string("-Infinity"): -.infinity
    default: value.doubleValue
    }
  }
}

private struct SingleTreeDecoder: SingleValueDecodingContainer {
  let decoder: JSONTreeDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.value.isNull }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.unwrap(type) }
}

private struct UnkeyedTreeDecoder: UnkeyedDecodingContainer {
  let elements: [JSONValue]
  let codingPath: [any CodingKey]
  var currentIndex = 0

  init(elements: [JSONValue], codingPath: [any CodingKey]) {
    self.elements = elements
    self.codingPath = codingPath
  }

  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  private func current(_ type: any Any.Type) throws -> JSONTreeDecoder {
    let path = codingPath + [JSONKey(index: currentIndex)]
    guard currentIndex < elements.count else {
      throw DecodingError.valueNotFound(
        type, .init(codingPath: path, debugDescription: "The list ends after \(elements.count)."))
    }
    return JSONTreeDecoder(value: elements[currentIndex], codingPath: path)
  }

  mutating func decodeNil() throws -> Bool {
    guard try current(JSONValue.self).value.isNull else { return false }
    currentIndex += 1
    return true
  }
  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let value = try current(type).unwrap(type)
    currentIndex += 1
    return value
  }
  mutating func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) throws -> KeyedDecodingContainer<
    NestedKey
  > {
    let container = try current(JSONValue.self).container(keyedBy: type)
    currentIndex += 1
    return container
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let container = try current(JSONValue.self).unkeyedContainer()
    currentIndex += 1
    return container
  }
  mutating func superDecoder() throws -> any Decoder {
    let decoder = try current(JSONValue.self)
    currentIndex += 1
    return decoder
  }
}

private struct KeyedTreeDecoder<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let members: [String: JSONValue]
  let codingPath: [any CodingKey]

  var allKeys: [Key] { JSONWriter.sortedKeys(members).compactMap { Key(stringValue: $0) } }
  func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

  private func decoder(_ key: any CodingKey) throws -> JSONTreeDecoder {
    guard let value = members[key.stringValue] else {
      throw DecodingError.keyNotFound(
        key, .init(codingPath: codingPath, debugDescription: "There is no key \"\(key.stringValue)\"."))
    }
    return JSONTreeDecoder(value: value, codingPath: codingPath + [key])
  }

  func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).value.isNull }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try decoder(key).unwrap(type) }
  func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type, forKey key: Key) throws
    -> KeyedDecodingContainer<NestedKey>
  { try decoder(key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder(key).unkeyedContainer()
  }
  func superDecoder() throws -> any Decoder { try decoder(JSONKey("super")) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}
