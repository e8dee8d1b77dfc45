import Files
import Foundation
import Support

/// Standard output. A full disk behind it is an error, as it is for any other file; a closed pipe ends the program
/// quietly.
enum Output {
  static func write(_ text: String) throws(StandardStreamError) {
    try StandardStreams.writeOutput(escapedLines(text).utf8)
  }
  static func write(json tree: JSONValue) throws(StandardStreamError) { try write(tree.prettyJSON + "\n") }
  static func write(_ data: Data) throws(StandardStreamError) { try StandardStreams.writeOutput(data) }
}
