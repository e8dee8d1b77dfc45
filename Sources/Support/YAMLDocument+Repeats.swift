public import Files
import Yams

extension YAMLDocument {
  /// A key that stands in a group which has it already.
  public struct Repeat: Sendable, Hashable {
    public var key: String
    /// From 1.
    public var line: Int
  }

  /// Reads a text in which keys may stand twice, to find what else is wrong with it: of equal keys the first counts.
  /// - Returns: the document, and the keys that do not count.
  /// - Throws: `ParseError` for anything else that `init(_:source:)` refuses.
  public static func readingRepeats(_ text: String, source: String? = nil) throws(ParseError) -> (
    document: YAMLDocument, repeats: [Repeat]
  ) {
    var text = text
    var repeats: [Repeat] = []
    while let (keys, line, column) = firstRepeat(in: text) {
      // A key that is not found as it is written (in quotes with escapes) is reported by the reader itself.
      guard repeats.count < 100, let key = keys.first,
        let range = secondPlace(of: key, in: text, firstAt: line, column)
      else { break }
      repeats.append(Repeat(key: key, line: text[..<range.lowerBound].count { $0.isNewline } + 1))
      text.replaceSubrange(range, with: "\(mark)\(repeats.count)")
    }
    let document = try YAMLDocument(text, source: source)
    return (document.withoutMarked(), repeats)
  }

  /// Begins the keys that take the place of repeated ones: a character for private use.
  private static let mark: Character = "\u{E000}"

  /// The keys that a group has twice, and where the first of them stands for the first time.
  private static func firstRepeat(in text: String) -> (keys: [String], line: Int, column: Int)? {
    do {
      _ = try Yams.compose(yaml: text)
      return nil
    } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
      return (keys, context.mark.line, context.mark.column)
    } catch {
      return nil
    }
  }

  /// Where a key stands for the second time that stands at a line and column, both from 1, for the first time.
  private static func secondPlace(of key: String, in text: String, firstAt line: Int, _ column: Int) -> Range<
    String.Index
  >? {
    var start = text.startIndex
    for _ in 1..<max(1, line) {
      guard let end = text[start...].firstIndex(where: \.isNewline) else { return nil }
      start = text.index(after: end)
    }
    guard let first = text.index(start, offsetBy: max(0, column - 1), limitedBy: text.endIndex), first < text.endIndex
    else { return nil }
    for places in [blockPlaces(of: key, in: text, first, column), flowPlaces(of: key, in: text, from: first)]
    where places.count > 1 {
      return places[1]
    }
    return nil
  }

  /// In a group of lines, keys begin at the same column.
  private static func blockPlaces(
    of key: String, in text: String, _ first: String.Index, _ column: Int
  ) -> [Range<String.Index>] {
    var places: [Range<String.Index>] = []
    var place = first
    while true {
      if let range = keyRange(key, in: text, at: place) { places.append(range) }
      var line = text[place...].firstIndex(where: \.isNewline).map { text.index(after: $0) }
      // On to the next line that has something at the column, as long as none begins before it.
      while let start = line {
        let indent = text[start...].prefix { $0 == " " }.count
        let content = text.index(start, offsetBy: indent)
        let isEmpty = content == text.endIndex || text[content].isNewline || text[content] == "#"
        if !isEmpty, indent < column - 1 { return places }
        if !isEmpty, indent == column - 1 { break }
        line = text[start...].firstIndex(where: \.isNewline).map { text.index(after: $0) }
      }
      guard let start = line else { return places }
      place = text.index(start, offsetBy: column - 1)
    }
  }

  /// In braces, keys follow a comma of the same depth.
  private static func flowPlaces(of key: String, in text: String, from first: String.Index) -> [Range<String.Index>] {
    var places: [Range<String.Index>] = []
    var depth = 1
    var mayBeKey = true
    var place = first
    while place < text.endIndex {
      let character = text[place]
      switch character {
      case "{", "[": depth += 1
      case "}", "]": depth -= 1
      default: break
      }
      if depth == 0 { break }
      if depth == 1, mayBeKey, !character.isWhitespace {
        if let range = keyRange(key, in: text, at: place) { places.append(range) }
        mayBeKey = false
      }
      if depth == 1, character == "," { mayBeKey = true }
      place = text.index(after: place)
    }
    return places
  }

  /// The key with its quotes, if it stands here with a colon after it.
  private static func keyRange(_ key: String, in text: String, at place: String.Index) -> Range<String.Index>? {
    for word in [key, "\"\(key)\"", "'\(key)'"] where text[place...].hasPrefix(word) {
      let end = text.index(place, offsetBy: word.count)
      if text[end...].drop(while: { $0 == " " }).first == ":" { return place..<end }
    }
    return nil
  }

  private func withoutMarked() -> YAMLDocument {
    func cleaned(_ value: JSONValue) -> JSONValue {
      switch value {
      case .object(let members):
        .object(members.filter { $0.key.first != Self.mark }.mapValues(cleaned))
      case .array(let elements): .array(elements.map(cleaned))
      default: value
      }
    }
    return YAMLDocument(value: cleaned(value), source: source, lines: lines)
  }

  private init(value: JSONValue, source: String?, lines: [String: Int]) {
    self.value = value
    self.source = source
    self.lines = lines
  }
}
