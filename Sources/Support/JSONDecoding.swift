import Foundation

extension JSONValue {
  /// Reads the tree as a value of the given type.
  ///
  /// A whole double is accepted for an integer and an integer for a double; nothing else is converted, apart from the strings
  /// `"NaN"`, `"Infinity"` and `"-Infinity"` for a double, which is how JSON text holds them.
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

  func unwrap<T: Decodable>(_ type: T.Type) throws -> T {
    switch type {
    case is JSONValue.Type: return try cast(value, type)
    case is Date.Type:
      guard let text = value.stringValue, let date = try? Date(text, strategy: JSONDates.style) else { throw mismatch(type) }
      return try cast(date, type)
    case is Data.Type:
      guard let text = value.stringValue, let data = Data(base64Encoded: text) else { throw mismatch(type) }
      return try cast(data, type)
    case is URL.Type:
      guard let text = value.stringValue, let url = URL(string: text) else { throw mismatch(type) }
      return try cast(url, type)
    default: return try T(from: self)
    }
  }

  private func cast<T>(_ value: Any, _ type: T.Type) throws -> T {
    guard let result = value as? T else { throw mismatch(type) }
    return result
  }

  func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    let whole: T? =
      switch value {
      case .int(let value): T(exactly: value)
      case .double(let value): T(exactly: value)
      default: nil
      }
    guard let whole else { throw mismatch(type) }
    return whole
  }

  func double(_ type: any Any.Type = Double.self) throws -> Double {
    switch value {
    case .int(let value): return Double(value)
    case .double(let value): return value
    case .string("NaN"): return .nan
    case .string("Infinity"): return .infinity
    case .string("-Infinity"): return -.infinity
    default: throw mismatch(type)
    }
  }
}

private struct SingleTreeDecoder: SingleValueDecodingContainer {
  let decoder: JSONTreeDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.value.isNull }
  func decode(_ type: Bool.Type) throws -> Bool {
    guard let value = decoder.value.boolValue else { throw decoder.mismatch(type) }
    return value
  }
  func decode(_ type: String.Type) throws -> String {
    guard let value = decoder.value.stringValue else { throw decoder.mismatch(type) }
    return value
  }
  func decode(_ type: Double.Type) throws -> Double { try decoder.double() }
  func decode(_ type: Float.Type) throws -> Float { Float(try decoder.double(type)) }
  func decode(_ type: Int.Type) throws -> Int { try decoder.integer(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer(type) }
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
      throw DecodingError.valueNotFound(type, .init(codingPath: path, debugDescription: "The list ends after \(elements.count)."))
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
  mutating func nestedContainer<NestedKey: CodingKey>(keyedBy type: NestedKey.Type) throws -> KeyedDecodingContainer<NestedKey> {
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
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try decoder(key).unkeyedContainer() }
  func superDecoder() throws -> any Decoder { try decoder(JSONKey("super")) }
  func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}
