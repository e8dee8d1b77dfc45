/// A tree of plain data: what a configuration, a run record or a YAML file holds before it has a Swift type.
///
/// Numbers compare by value, as in JSON itself: `.int(1) == .double(1.0)`. The two cases are kept apart so that `1.0`
/// is written back as `1.0`. NaN equals itself here, so that a tree can be compared and hashed.
public enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

// MARK: - Reading

extension JSONValue {
  /// Whether this is `null`.
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// The truth value, or nil if this is something else.
  public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The whole number, or nil. A double without a fraction counts (`3.0`), text does not.
  public var intValue: Int? {
    switch self {
    case .int(let value): value
    case .double(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The number, or nil if this is not one.
  public var doubleValue: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The text, or nil if this is something else.
  public var stringValue: String? { if case .string(let value) = self { value } else { nil } }

  /// The elements, or nil if this is not an array.
  public var arrayValue: [JSONValue]? { if case .array(let value) = self { value } else { nil } }

  /// The members, or nil if this is not an object.
  public var objectValue: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }

  /// The member `key` of an object; nil where there is none.
  ///
  /// Setting a member of `null` makes it an object; setting one of any other scalar or of an array does nothing.
  /// Assigning nil removes the member; assign `JSONValue.null` to keep the key.
  public subscript(key: String) -> JSONValue? {
    get { objectValue?[key] }
    set {
      switch self {
      case .object(var members):
        self = .null  // The dictionary is then referenced once, and changes in place.
        members[key] = newValue
        self = .object(members)
      case .null:
        if let newValue { self = .object([key: newValue]) }
      default: break
      }
    }
  }

  /// The element `index` of an array; nil outside its bounds.
  public subscript(index: Int) -> JSONValue? {
    guard let elements = arrayValue, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The value at a path of keys; array positions are written as numbers. Nil where the path leads nowhere.
  public subscript(path path: [String]) -> JSONValue? {
    var current: JSONValue? = self
    for key in path {
      guard let here = current else { return nil }
      if case .array = here { current = Int(key).flatMap { here[$0] } } else { current = here[key] }
    }
    return current
  }
}

// MARK: - Equality by value

extension JSONValue: Hashable {
  public static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a == b || (a.isNaN && b.isNaN)
    case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Int(exactly: b) == a
    case (.string(let a), .string(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a == b
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let value): hasher.combine(value)
    case .int(let value): hasher.combine(value)
    case .double(let value):
      if let whole = Int(exactly: value) {
        hasher.combine(whole)
      } else {
        hasher.combine(value.isNaN ? Double.nan.bitPattern : value.bitPattern)
      }
    case .string(let value): hasher.combine(value)
    case .array(let value): hasher.combine(value)
    case .object(let value): hasher.combine(value)
    }
  }
}

// MARK: - Literals

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(nilLiteral: ()) { self = .null }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
  }
}

extension JSONValue: CustomStringConvertible {
  /// The compact JSON text.
  public var description: String { compactJSON }
}
