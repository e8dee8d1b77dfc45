import Mustache

/// Text that came from a record, made safe to stand in HTML, inside attributes too.
///
/// Templates use it through the content type ``name``. It works on Unicode scalars: a quotation mark that is followed
/// by a combining accent is one character to Swift, but to a browser it still ends an attribute.
struct HTMLText: MustacheContentType {
  /// The name under which templates select this content type.
  static let name = "ESCAPED"

  func escapeText(_ text: String) -> String { Self.escape(text) }

  static func escape(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "<": result.append(contentsOf: "&lt;".unicodeScalars)
      case ">": result.append(contentsOf: "&gt;".unicodeScalars)
      case "&": result.append(contentsOf: "&amp;".unicodeScalars)
      case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
      case "'": result.append(contentsOf: "&#39;".unicodeScalars)
      case "`": result.append(contentsOf: "&#96;".unicodeScalars)
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result.append("\u{FFFD}")
      case "\u{7F}": result.append("\u{FFFD}")
      case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": continue  // Would turn the text around them.
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
