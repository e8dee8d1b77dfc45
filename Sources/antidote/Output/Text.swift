import Foundation

/// Text in columns for the terminal at hand.
enum Text {
  /// The columns of the terminal; 100 where output is no terminal and COLUMNS says nothing.
  static let width: Int = {
    var size = winsize()
    if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return max(40, Int(size.ws_col)) }
    return max(40, ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 100)
  }()

  /// Words in lines of the terminal's width; lines after the first begin with `indent` spaces.
  static func wrapped(_ text: String, indent: Int) -> String {
    let room = max(20, width - indent)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { fold(String($0), room) }
    return lines.joined(separator: "\n" + String(repeating: " ", count: indent))
  }

  /// An indented paragraph with its line end.
  static func paragraph(_ text: String, indent: Int) -> String {
    String(repeating: " ", count: indent) + wrapped(text, indent: indent) + "\n"
  }

  /// `  name  text`, the text beginning at the same column in each row.
  static func row(_ name: String, _ text: String, width: Int) -> String {
    "  " + name.padding(toLength: max(width, name.count), withPad: " ", startingAt: 0) + "  "
      + wrapped(text, indent: width + 4) + "\n"
  }

  private static func fold(_ line: String, _ room: Int) -> [String] {
    let lead = String(line.prefix { $0 == " " })
    var lines: [String] = []
    var current = lead
    for word in line.split(separator: " ") {
      if current.count > lead.count, current.count + 1 + word.count > room {
        lines.append(current)
        current = lead
      }
      current += (current.count > lead.count ? " " : "") + word
    }
    return lines + [current]
  }
}
