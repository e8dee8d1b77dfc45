import Foundation

/// Standard input, output and error of the process, whatever the parent left of them.
public enum StandardStreams {
  /// Makes sure that the three descriptors are open and that nothing written to them ends the process. Call first of
  /// all.
  ///
  /// A parent may close them (`2>&-`). The next file that the program opens would then be standard error, and every
  /// line of progress would go into it; so a closed descriptor is opened on `/dev/null`. A reader that goes away (`|
  /// head`) makes writing fail with an error in place of a signal that ends the process in the middle of its work.
  public static func prepare() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // The lowest free number is this one: those below it are open.
      _ = open("/dev/null", O_RDWR)
    }
    signal(SIGPIPE, SIG_IGN)
  }

  /// Writes to standard error. What cannot be written is dropped: nobody reads it, and the work goes on.
  public static func writeError(_ text: String) { try? write(text.utf8, to: STDERR_FILENO) }

  /// Writes to standard output.
  /// - Throws: `StandardStreamError`.
  public static func writeOutput(_ bytes: some Sequence<UInt8>) throws(StandardStreamError) {
    try write(bytes, to: STDOUT_FILENO)
  }

  private static func write(
    _ bytes: some Sequence<UInt8>, to descriptor: Int32
  ) throws(StandardStreamError) {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw StandardStreamError(code: count == 0 ? ENOSPC : errno) }
      rest = rest.dropFirst(count)
    }
  }
}

/// Standard output could not be written.
public struct StandardStreamError: Error, CustomStringConvertible, Sendable, Hashable {
  /// The system's error number.
  public let code: Int32
  /// Whether the reader went away, which is no failure of the program: `antidote list | head`.
  public var isClosedPipe: Bool { code == EPIPE }
  public var description: String { "standard output cannot be written: \(String(cString: strerror(code)))." }
}
