import Foundation
import Support

/// Standard output. A full disk behind it is an error, as it is for any other file; a closed pipe ends the program quietly.
enum Output {
  static func write(_ text: String) throws { try write(Data(text.utf8)) }

  static func write(json tree: JSONValue) throws { try write(tree.prettyJSON + "\n") }

  static func write(_ data: Data) throws {
    var done = 0
    while done < data.count {
      let count = data.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress.map { $0 + done }, data.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw CommandFailure("standard output cannot be written: \(String(cString: strerror(errno))).") }
      done += count
    }
  }
}
