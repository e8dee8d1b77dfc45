/// A table as text (RFC 4180): a header with the names of the columns, then one row a line.
///
/// Fields are separated by commas, semicolons or tabs, whichever the header has; those in quotes may hold separators,
/// line ends and doubled quotes. Empty lines are passed over.
public struct CSVTable: Sendable {
  /// One row with the line that it begins in, from 1.
  public struct Row: Sendable, Equatable {
    public let line: Int
    public let fields: [String]
  }

  public let path: String
  public let header: [String]
  public let rows: [Row]

  /// - Parameter limit: The most bytes of the file.
  /// - Throws: `FileError`; `ParseError` with the line: no header, a column twice, a quote that is not closed, or
  ///   is followed by more of its field; a row with more or fewer fields than the header.
  public init(contentsOf path: String, limit: Int = FormatLimits.standard.bytes) throws {
    try self.init(FileSystem.readText(path, limit: limit), path: path)
  }

  public init(_ text: String, path: String) throws(ParseError) {
    let bytes = Array(text.utf8)
    let firstLine = bytes.prefix { $0 != Self.newline && $0 != Self.carriageReturn }
    let separators = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    let separator = separators.max { a, b in
      firstLine.count { $0 == a } < firstLine.count { $0 == b }
    }
    var lines = try Self.rows(bytes, separator: separator ?? separators[0], path)
    guard !lines.isEmpty else { throw ParseError("the table is empty. Give a header line and a row.", source: path) }
    let header = lines.removeFirst()
    self.path = path
    self.header = header.fields.map(\.trimmedBlanks)
    rows = lines
    if let twice = self.header.first(where: { name in self.header.count { $0 == name } > 1 }), !twice.isEmpty {
      throw ParseError("the column \(twice) is there twice.", source: path, line: header.line)
    }
    if let odd = rows.first(where: { $0.fields.count != header.fields.count }) {
      throw ParseError(
        "\(odd.fields.count) field\(odd.fields.count == 1 ? "" : "s"), and the header names \(header.fields.count) columns. "
          + "A field that holds the separator stands in quotes.", source: path, line: odd.line)
    }
  }

  /// The place of the first of these columns that there is, in any case.
  public func column(_ names: String...) -> Int? {
    names.lazy.compactMap { name in header.firstIndex { $0.lowercased() == name.lowercased() } }.first
  }

  /// The text as a field: in quotes where it needs them.
  public static func field(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { ",\"\n\r;\t".unicodeScalars.contains($0) }
    return needsQuotes ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }

  /// Rows as lines of fields with commas between them, the header among them.
  public static func text(_ rows: [[String]]) -> String {
    rows.map { $0.map(field).joined(separator: ",") + "\n" }.joined()
  }

  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")
  private static let quote = UInt8(ascii: "\"")

  private static func rows(_ bytes: [UInt8], separator: UInt8, _ path: String) throws(ParseError) -> [Row] {
    func isEnd(_ byte: UInt8) -> Bool { byte == separator || byte == newline || byte == carriageReturn }
    var rows: [Row] = []
    var (at, line) = (0, 1)
    while at < bytes.count {
      let first = line
      var fields: [String] = []
      var isBlank = true
      row: while true {
        var field: [UInt8] = []
        if at < bytes.count, bytes[at] == quote {
          isBlank = false
          at += 1
          while true {
            guard at < bytes.count else {
              throw ParseError("a quote that is not closed.", source: path, line: first)
            }
            if bytes[at] == quote {
              at += 1
              guard at < bytes.count, bytes[at] == quote else { break }
            }
            if bytes[at] == newline { line += 1 }
            field.append(bytes[at])
            at += 1
          }
          guard at == bytes.count || isEnd(bytes[at]) else {
            throw ParseError(
              "text after a closing quote. A quote within a field is written twice.", source: path, line: line)
          }
        } else {
          while at < bytes.count, !isEnd(bytes[at]) {
            field.append(bytes[at])
            at += 1
          }
        }
        isBlank = isBlank && field.isEmpty
        fields.append(String(decoding: field, as: UTF8.self))
        guard at < bytes.count else { break row }
        let end = bytes[at]
        at += 1
        if end == separator {
          isBlank = false
          continue row
        }
        if end == carriageReturn, at < bytes.count, bytes[at] == newline { at += 1 }
        line += 1
        break row
      }
      if !isBlank { rows.append(Row(line: first, fields: fields)) }
    }
    return rows
  }
}
