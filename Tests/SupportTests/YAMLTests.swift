import Files
import Support
import Testing

@Suite struct YAMLTests {
  @Test(arguments: [
    ("1e-3", JSONValue.double(0.001)), ("1E5", 100000.0), ("5e-4", 0.0005), ("-.5", -0.5), ("1.", 1.0), ("12", 12),
    ("+7", 7), ("0x1F", 31),
    ("0o17", 15), ("010", 10), ("true", true), ("True", true), ("null", nil), ("~", nil), ("yes", "yes"), ("no", "no"),
    ("1.2.3", "1.2.3"),
    ("1e", "1e"), ("e5", "e5"), ("-", "-"), ("nan", "nan"), ("inf", "inf"), (".inf", .double(.infinity)), ("0x", "0x"),
    ("0x-1", "0x-1"),
    ("123abc", "123abc"), ("2026-01-02", "2026-01-02"), ("99999999999999999999", 1e20),
  ])
  func words(_ word: String, expected: JSONValue) throws {
    #expect(try JSONValue(yaml: "a: \(word == "-" ? "'-'" : word)")["a"] == expected)
    #expect(try SettingsTree.parseAssignment("a=\(word)").value == expected)
  }

  @Test func quotedIsText() throws {
    let tree = try JSONValue(yaml: "a: '1'\nb: \"true\"\nc: |\n  12\nd: !!str 5\ne:\n")
    #expect(tree == ["a": "1", "b": "true", "c": "12\n", "d": "5", "e": nil])
  }

  @Test func anchorsAndMergeKeys() throws {
    let tree = try JSONValue(
      yaml: """
        base: &base {epochs: 10, rate: 0.1}
        a:
          <<: *base
          rate: 0.5
        b: *base
        """)
    #expect(tree["a"] == ["epochs": 10, "rate": 0.5])
    #expect(tree["b"] == ["epochs": 10, "rate": 0.1])
  }

  @Test func emptyTextIsAnEmptyObject() throws {
    #expect(try JSONValue(yaml: "") == [:])
    #expect(try JSONValue(yaml: "# only a comment\n") == [:])
  }

  @Test(arguments: [
    ("a: 1\nb: [1, 2\nc: 3\n", 3), ("a: 1\na: 2\n", 1), ("a: 1\n  b: 2\n", 2), ("a: 1\nb: !secret x\n", 2),
    ("? [1]\n: 2\n", 1),
    ("a: 1\n---\nb: 2\n", 2), ("a: *nowhere\n", 1), ("a: 1\n\tb: 2\n", 2),
  ])
  func errorsNameTheLine(_ text: String, line: Int) {
    let error = #expect(throws: ParseError.self) { try JSONValue(yaml: text, source: "experiment.yaml") }
    #expect(error?.line == line, "\(error?.description ?? "")")
    #expect(error?.description.hasPrefix("experiment.yaml:\(line):") == true)
  }

  /// Also where Yams takes one for a number and the other for text.
  @Test(arguments: ["3: a\n\"3\": b\n", "a: 1\na: 2\n"]) func keysThatAreThereTwice(_ text: String) {
    #expect(throws: ParseError.self) { try JSONValue(yaml: text) }
  }

  @Test func aliasBombsAreRefused() {
    var text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
    for level in 1...9 {
      text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
    }
    let error = #expect(throws: ParseError.self) { try JSONValue(yaml: text) }
    #expect(error?.message.contains("200000") == true)
  }

  @Test func linesOfValues() throws {
    let document = try YAMLDocument("seed: 1\nattack:\n  rate: 0.1\n  sizes:\n    - 3\n    - 4\n", source: "e.yaml")
    #expect(document.line(of: "attack.rate") == 3)
    #expect(document.line(of: "attack.sizes[1]") == 6)
    #expect(document.line(of: "attack.rate.deeper") == 3)
    #expect(document.line(of: "attack") == 2)
    #expect(document.line(of: "other") == nil)
  }
}
