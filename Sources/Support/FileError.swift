import Foundation

/// A file operation that failed, with the path, the reason, and what to do about it.
public struct FileError: Error, CustomStringConvertible, Sendable, Hashable {
  /// The reason.
  public enum Reason: Sendable, Hashable {
    /// The disk, or the user's quota on it, is full. `needed`: bytes that did not fit; `free`: bytes left; nil where unknown.
    case diskFull(needed: Int?, free: Int?)
    /// The user may not write or read here.
    case permissionDenied
    /// The file system is mounted read-only.
    case readOnly
    /// The folder that would hold the file does not exist; `parent` is the first missing one.
    case missingParent(String)
    /// The file to read does not exist.
    case missing
    /// There is a folder of this name.
    case isDirectory
    /// A part of the path that must be a folder is a file.
    case notADirectory(String)
    /// The file would exceed the limit on file sizes of the process (`ulimit -f`) or of the file system.
    case tooLarge
    /// Anything else; the system's own words.
    case other(String)
  }

  /// What was attempted.
  public enum Operation: String, Sendable, Hashable {
    case write, read
    case createDirectory = "create the folder"
  }

  public let operation: Operation
  public let path: String
  public let reason: Reason
  /// The system's error number (`ENOSPC`, ...).
  public let code: Int32

  /// `cannot write /data/run/model.safetensors: the disk is full (1.0 MiB free). Free 44.7 MiB or choose another folder with --out.`
  public var description: String { "cannot \(operation.rawValue) \(path): \(explanation)" }

  private var explanation: String {
    switch reason {
    case .diskFull(let needed, let free):
      let left = free.map { " (\(formatBytes($0)) free)" } ?? ""
      let amount = needed.map { formatBytes($0) } ?? "some space"
      return "the disk is full\(left). Free \(amount) or choose another folder with --out."
    case .permissionDenied:
      return operation == .read
        ? "you may not read it. Change its permissions (chmod), or run as its owner."
        : "you may not write there. Change the permissions of the folder (chmod), or choose another folder with --out."
    case .readOnly: return "the file system is read-only. Choose another folder with --out."
    case .missingParent(let parent): return "the folder \(parent) does not exist. Create it (mkdir -p), or correct the path."
    case .missing: return "there is no such file. Correct the path."
    case .isDirectory: return "it is a folder, and a file is expected. Name a file, or remove the folder."
    case .notADirectory(let part): return "\(part) is a file, not a folder. Correct the path, or choose another folder with --out."
    case .tooLarge: return "the file would exceed the largest size allowed (ulimit -f). Raise the limit, or use another file system."
    case .other(let words): return "\(words)."
    }
  }
}

// MARK: - From the system's error numbers

extension FileError {
  /// The error of a failed system call.
  /// - Parameter needed: Bytes that were to be written when the disk was full.
  init(_ operation: Operation, _ path: String, code: Int32 = errno, needed: Int? = nil) {
    self.operation = operation
    self.path = path
    self.code = code
    reason =
      switch code {
      case ENOSPC, EDQUOT: Self.diskFull(path, needed: needed)
      case EACCES, EPERM: .permissionDenied
      case EROFS: .readOnly
      case ENOENT: Self.firstMissingParent(of: path).map(Reason.missingParent) ?? .missing
      case EISDIR: .isDirectory
      case ENOTDIR, EEXIST: .notADirectory(Self.fileAmongParents(of: path) ?? path)
      case EFBIG: .tooLarge
      default: .other(String(cString: strerror(code)))
      }
  }

  init(reading path: String) { self.init(.read, path) }

  private static func diskFull(_ path: String, needed: Int?) -> Reason {
    let free = try? AtomicFile.freeSpace(path)
    return .diskFull(needed: needed.map { max($0 - (free ?? 0), min($0, 1)) }, free: free)
  }

  /// The first folder on the way to `path` that does not exist; nil where all do.
  private static func firstMissingParent(of path: String) -> String? {
    parents(of: path).first { access($0, F_OK) != 0 }
  }

  private static func fileAmongParents(of path: String) -> String? {
    (parents(of: path) + [path]).first { access($0, F_OK) == 0 && !AtomicFile.isDirectory($0) }
  }

  /// `/a`, `/a/b` for `/a/b/c`, outermost first.
  static func parents(of path: String) -> [String] {
    let parts = path.split(separator: "/")
    let root = path.hasPrefix("/") ? "/" : ""
    return parts.indices.dropFirst().map { root + parts[..<$0].joined(separator: "/") }
  }
}
