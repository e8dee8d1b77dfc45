import Files
import Foundation
import Testing

@Suite struct JSONValueTests {
  /// Editors and PowerShell write it before the text.
  @Test func aByteOrderMarkIsPassedOver() throws {
    #expect(try JSONValue(json: "\u{FEFF}{\"a\": 1}") == ["a": 1])
    #expect(try JSONValue(json: [0xef, 0xbb, 0xbf] + Array("[2]".utf8)) == [2])
    #expect(throws: ParseError.self) { try JSONValue(json: "\u{FEFF}\u{FEFF}{}") }
    #expect(throws: ParseError.self) { try JSONValue(json: "[\u{FEFF}]") }
  }

  @Test func numbersCompareByValue() {
    #expect(JSONValue.int(1) == .double(1))
    #expect(JSONValue.int(1).hashValue == JSONValue.double(1).hashValue)
    #expect(JSONValue.double(0).hashValue == JSONValue.double(-0.0).hashValue)
    #expect(JSONValue.int(1) != .double(1.5))
    #expect(JSONValue.int(1) != .bool(true))
    #expect(JSONValue.int(1) != "1")
    #expect(JSONValue.double(.nan) == .double(.nan))
    #expect(JSONValue.int(.max) != .double(9_223_372_036_854_775_808))
  }

  @Test func literalsAndSubscripts() {
    var tree: JSONValue = ["attack": ["rate": 0.1, "sizes": [1, 2], "on": true, "name": "x", "none": nil]]
    #expect(tree["attack"]?["rate"]?.doubleValue == 0.1)
    #expect(tree["attack"]?["sizes"]?[1]?.intValue == 2)
    #expect(tree["attack"]?["sizes"]?[2] == nil)
    #expect(tree["attack"]?["none"] == .null)
    #expect(tree["attack"]?["absent"] == nil)
    #expect(tree[path: ["attack", "sizes", "0"]] == 1)
    #expect(tree[path: ["attack", "rate", "deeper"]] == nil)
    tree["seed"] = 3
    #expect(tree["seed"] == 3)
    tree["seed"] = nil
    #expect(tree["seed"] == nil)
    #expect(JSONValue.double(3).intValue == 3)
    #expect(JSONValue.double(3.5).intValue == nil)
    #expect(JSONValue.string("3").intValue == nil)
  }

  @Test func canonicalFormIsOneSpelling() {
    let tree: JSONValue = ["b": [0.1, true, nil, "x"], "a": 1.0]
    #expect(tree.canonicalJSON == #"{"a":1,"b":[0.1,true,null,"x"]}"#)
    #expect(tree.compactJSON == #"{"a":1.0,"b":[0.1,true,null,"x"]}"#)
    #expect(JSONValue.double(-0.0).canonicalJSON == "0")
    #expect(JSONValue.double(1e15).canonicalJSON == "1000000000000000")
    #expect(JSONValue.double(0.1 + 0.2).canonicalJSON == "0.30000000000000004")
    #expect(JSONValue.double(.nan).canonicalJSON == "\"NaN\"")
    #expect(JSONValue.object(["ä": 1, "z": 2, "Z": 3]).canonicalJSON == #"{"Z":3,"z":2,"ä":1}"#)
    #expect(JSONValue.string("a\"\\\n\u{1}é/").canonicalJSON == #""a\"\\\n\u0001é/""#)
  }

  @Test func prettyFormIsReadable() {
    let tree: JSONValue = ["list": [1, 2.0], "empty": [:], "nested": [["a": 1]]]
    #expect(
      tree.prettyJSON == """
        {
          "empty": {},
          "list": [1, 2.0],
          "nested": [
            {
              "a": 1
            }
          ]
        }
        """)
  }

  @Test(arguments: [
    JSONValue.null, true, -3, 0.1, 1.0, 1e-7, 1e300, "text \u{1F600} \"q\" \\ \u{0}", [], [:], [1, [2, [nil]]],
    ["a": ["b": [1.5, "c"]]],
    .int(.max), .int(.min),
  ])
  func textRoundTrips(_ value: JSONValue) throws {
    for text in [value.canonicalJSON, value.compactJSON, value.prettyJSON] {
      #expect(try JSONValue(json: text) == value)
    }
    #expect(try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value)) == value)
    // Foundation agrees that the text is JSON and holds the same.
    #expect(try JSONDecoder().decode(JSONValue.self, from: Data(value.prettyJSON.utf8)) == value)
  }

  @Test func wholeDoublesStayDoubles() throws {
    guard case .double = try JSONValue(json: "1.0") else { return #expect(Bool(false), "1.0 became an integer") }
    guard case .int = try JSONValue(json: "1") else { return #expect(Bool(false), "1 became a double") }
  }

  @Test(arguments: [
    ("{\"a\": 1,\n \"a\": 2}", 2, "twice"), ("[1, 2", 1, "comma"), ("[01]", 1, "not a JSON number"),
    ("{a: 1}", 1, "double quotes"),
    ("[1]\nx", 2, "after the end"), ("\"\\ud800\"", 1, "surrogate"), ("\"a\nb\"", 1, "control"), ("", 1, "ends"),
    ("[1,]", 1, "start with"),
    ("1.", 1, "not a JSON number"), ("\"\\u+123\"", 1, "hexadecimal"),
  ])
  func wrongTextNamesItsLine(_ text: String, line: Int, message: String) {
    let error = #expect(throws: ParseError.self) { try JSONValue(json: text, source: "record.json") }
    #expect(error?.line == line)
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    #expect(error?.description.hasPrefix("record.json:\(line):") == true)
  }

  @Test(arguments: ["1e999", "-1e400", "[1, 2e309]"]) func numbersThatAreTooLarge(_ text: String) {
    #expect(throws: ParseError.self) { try JSONValue(json: text) }
  }

  @Test func deepNestingIsAnErrorNotACrash() {
    #expect(throws: ParseError.self) { try JSONValue(json: String(repeating: "[", count: 100_000)) }
  }

  @Test func readsWhatPythonWrites() throws {
    #expect(
      try JSONValue(json: "[NaN, Infinity, -Infinity, \"\\ud83d\\ude00\"]") == [
        .double(.nan), .double(.infinity), .double(-.infinity), "😀",
      ])
  }
}

@Suite struct JSONCodingTests {
  enum Mode: String, Codable { case fast, slow }
  enum Mapping: Codable, Equatable {
    case allToOne(target: Int)
    case clean
  }
  struct Inner: Codable, Equatable { var x: Int? = nil, names = ["a"] }
  struct Everything: Codable, Equatable {
    var int = 3, small: Int8 = -4, big: UInt64 = 5, double = 2.0, float: Float = 0.1, text = "t", flag = true
    var none: Int? = nil, noText: String? = nil, noInner: Inner? = nil, some: Double? = 0.5
    var inner = Inner(), list = [Inner(x: 1)], map = ["k": 1.5], mode = Mode.slow, mapping = Mapping.allToOne(target: 2)
    var date = Date(timeIntervalSince1970: 1_700_000_000), infinity = Double.infinity
  }
  class Base: Codable { var a = 1 }
  final class Derived: Base {
    var b = 2
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      b = try container.decode(Int.self, forKey: .b)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(b, forKey: .b)
      try super.encode(to: container.superEncoder())
    }
    enum Key: CodingKey { case b }
  }

  @Test func everythingRoundTrips() throws {
    let value = Everything()
    let tree = try JSONValue(encoding: value)
    #expect(try tree.decode(Everything.self) == value)
    #expect(try JSONValue(json: tree.prettyJSON).decode(Everything.self) == value)
    #expect(tree["float"]?.canonicalJSON == "0.1")
    #expect(tree["double"]?.compactJSON == "2.0")
    #expect(tree["mode"] == "slow")
    #expect(tree["mapping"] == ["allToOne": ["target": 2]])
    #expect(tree["date"] == "2023-11-14T22:13:20Z")
  }

  @Test func nilKeepsItsKey() throws {
    let tree = try JSONValue(encoding: Everything())
    for key in ["none", "noText", "noInner"] { #expect(tree[key] == .null) }
    #expect(tree[path: ["inner", "x"]] == .null)
  }

  @Test func classesWithSuperclasses() throws {
    let object = Derived()
    object.a = 7
    object.b = 9
    let copy = try JSONValue(encoding: object).decode(Derived.self)
    #expect(copy.a == 7)
    #expect(copy.b == 9)
  }

  @Test func valuesThatAreNotStructs() throws {
    #expect(try JSONValue(encoding: [1, 2]) == [1, 2])
    #expect(try JSONValue(encoding: "x") == "x")
    #expect(try JSONValue(encoding: Int?.none) == .null)
    #expect(try JSONValue(encoding: JSONValue.double(2)) == 2)
    #expect(try JSONValue.array([1, nil]).decode([Int?].self) == [1, nil])
  }

  @Test func numbersConvertOnlyWithoutLoss() throws {
    #expect(try JSONValue.double(3).decode(Int.self) == 3)
    #expect(try JSONValue.int(3).decode(Double.self) == 3)
    #expect(throws: DecodingError.self) { try JSONValue.double(3.5).decode(Int.self) }
    #expect(throws: DecodingError.self) { try JSONValue.int(300).decode(UInt8.self) }
    #expect(throws: DecodingError.self) { try JSONValue.int(1).decode(Bool.self) }
    #expect(throws: DecodingError.self) { try JSONValue.string("1").decode(Double.self) }
    #expect(throws: EncodingError.self) { try JSONValue(encoding: UInt64.max) }
  }

  @Test func errorsKnowTheirPath() {
    let error = #expect(throws: DecodingError.self) {
      try JSONValue.object(["x": 1, "names": ["a", 2]]).decode(Inner.self)
    }
    guard case .typeMismatch(_, let context)? = error else {
      return #expect(Bool(false), "\(String(describing: error))")
    }
    #expect(context.codingPath.map(\.stringValue) == ["names", "1"])
  }
}
