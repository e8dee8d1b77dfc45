public import Files
public import Foundation

/// A process that works for this one: started, listened to, and waited for without blocking.
package final class ChildProcess {
  /// How a process ended.
  package enum Ending: Hashable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  package let id: pid_t
  /// The last line that it wrote to standard output.
  package private(set) var lastLine = ""
  private var output: Int32
  /// Its standard input: closed when this process is gone, however it ends.
  private var lifeline: Int32
  private var rest: [UInt8] = []

  /// Starts a program in a process group of its own, which Ctrl-C on the terminal does not reach.
  /// - Parameters:
  ///   - log: the file that gets its standard error; replaced.
  ///   - environment: over that of this process.
  /// - Throws: `FileError` for a log that cannot be written, or a program that cannot be started.
  package init(
    _ program: String, _ arguments: [String], log: String, environment: [String: String]
  ) throws(FileError) {
    let log = try Self.openLog(log)
    defer { close(log) }
    let input = try Self.pipe(program)
    var kept = false
    defer {
      close(input.read)
      if !kept { close(input.write) }
    }
    let output = try Self.pipe(program)
    defer {
      close(output.write)
      if !kept { close(output.read) }
    }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, place) in [(input.read, STDIN_FILENO), (output.write, STDOUT_FILENO), (log, STDERR_FILENO)] {
      posix_spawn_file_actions_adddup2(&actions, descriptor, place)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)

    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
    var child: pid_t = 0
    let code = Self.withPointers([program] + arguments) { words in
      Self.withPointers(variables) { posix_spawn(&child, program, &actions, &attributes, words, $0) }
    }
    guard code == 0 else { throw FileError(.read, program, code: code) }
    kept = true
    id = child
    self.output = output.read
    lifeline = input.write
    _ = fcntl(output.read, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close(output)
    close(lifeline)
  }

  package func send(_ signal: Int32) { kill(id, signal) }

  /// Reads what there is, and says how the process ended; nil while it goes on.
  package func poll() -> Ending? {
    listen()
    var status: Int32 = 0
    guard retrying({ waitpid(id, &status, WNOHANG) }) == id else { return nil }
    listen()
    let signal = status & 0x7f
    return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
  }

  private func listen() {
    var piece = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = retrying { read(output, &piece, piece.count) }
      guard count > 0 else { return }
      rest += piece.prefix(count)
      if let end = rest.lastIndex(of: UInt8(ascii: "\n")) {
        let lines = rest[..<end].split(separator: UInt8(ascii: "\n"))
        if let line = lines.last { lastLine = String(decoding: line, as: UTF8.self) }
        rest.removeSubrange(...end)
      }
      if rest.count > 1 << 16 { rest = [] }
    }
  }

  private static func pipe(_ program: String) throws(FileError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard Foundation.pipe(&ends) == 0 else { throw FileError(.read, program) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func openLog(_ path: String) throws(FileError) -> Int32 {
    let file = retrying { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o666) }
    guard file >= 0 else { throw FileError(.write, path) }
    return file
  }

  private static func withPointers<R>(
    _ words: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
  ) -> R {
    let pointers = words.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}

extension ChildProcess {
  /// In a child: whether its parent is gone, which closes the child's standard input.
  /// - Parameter seconds: how long to wait for that.
  package static func isClosed(_ descriptor: Int32 = STDIN_FILENO, within seconds: Double) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard Foundation.poll(&request, 1, Int32(seconds * 1000)) > 0 else { return false }
    var byte: UInt8 = 0
    let count = read(descriptor, &byte, 1)
    return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)
  }

  /// In a child: asks the process to stop as Ctrl-C does once its parent is gone.
  package static func stopWithParent() {
    Thread.detachNewThread {
      while !isClosed(within: 1) {}
      kill(getpid(), SIGTERM)
    }
  }
}

extension ChildProcess.Ending {
  /// `exit code 1`, `killed (signal 9), as ...`
  package var words: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .killed(SIGKILL): "killed (signal 9), as the system does when memory runs out"
    case .killed(let signal): "signal \(signal)"
    }
  }
}

extension ChildProcess {
  /// The error that a log ends with, else its last line.
  package static func lastWords(log: String) -> String? {
    let lines = try? FileSystem.readLines(log)
    let said = lines?.last { $0.hasPrefix("antidote: ") || $0.contains("Fatal error") } ?? lines?.last
    return said.map { $0.hasPrefix("antidote: ") ? String($0.dropFirst(10)) : $0 }
  }
}
