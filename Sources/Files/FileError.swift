import Foundation

/// A file operation that failed, with the path, the reason, and what to do about it.
public struct FileError: Error, CustomStringConvertible, Sendable, Hashable {
  /// The reason.
  public enum Reason: Sendable, Hashable {
    /// The disk, or the user's quota on it, is full. `needed`: bytes that did not fit; `free`: bytes left; nil where
    /// unknown.
    case diskFull(needed: Int?, free: Int?)
    /// The user may not write or read here.
    case permissionDenied
    /// The file system is mounted read-only.
    case readOnly
    /// The folder that would hold the file does not exist; `parent` is the first missing one.
    case missingParent(String)
    /// There is nothing to read; `suggestion` is a path with nearly the same name.
    case missing(suggestion: String?)
    /// There is a folder of this name.
    case isDirectory
    /// A part of the path that must be a folder is a file.
    case notADirectory(String)
    /// A named pipe, a device or a socket, which may have no end.
    case notAFile
    /// The file would exceed the limit on file sizes of the process (`ulimit -f`) or of the file system.
    case tooLarge
    /// The file has more bytes than its reader takes.
    case overLimit(size: Int, limit: Int)
    /// The file lost bytes while it was read.
    case shortened
    /// The file is not text in UTF-8.
    case notText
    /// A name in the folder is not UTF-8; its other bytes are spelt out.
    case nameNotText(String)
    /// Anything else; the system's own words.
    case other(String)
  }

  /// What was attempted.
  public enum Operation: String, Sendable, Hashable {
    case write, read
    case createFolder = "create the folder"
    case remove
  }

  public let operation: Operation
  public let path: String
  public let reason: Reason
  /// The system's error number (`ENOSPC`, ...); 0 where the system had nothing against it.
  public let code: Int32

  /// `cannot write /data/run/model.safetensors: the disk is full (1.0 MiB free). Free 44.7 MiB or choose another folder
  /// with --out.`
  public var description: String { escaped("cannot \(operation.rawValue) \(path): \(explanation)", limit: .max) }

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
    case .missingParent(let parent):
      return operation == .read
        ? "the folder \(parent) does not exist. Correct the path."
        : "the folder \(parent) does not exist. Create it (mkdir -p), or correct the path."
    case .missing(let suggestion):
      return "there is no such file or folder. " + (suggestion.map { "Did you mean \($0)?" } ?? "Check the path.")
    case .isDirectory: return "it is a folder, and a file is expected. Name a file, or remove the folder."
    case .notADirectory(let part):
      return "\(part) is a file, not a folder. Correct the path, or choose another folder with --out."
    case .notAFile: return "it is a pipe or a device, not a regular file. Copy its content into a file, and name that."
    case .tooLarge:
      return "the file would exceed the largest size allowed (ulimit -f). Raise the limit, or use another file system."
    case .overLimit(let size, let limit):
      return
        "it has \(formatBytes(size)), more than the \(formatBytes(limit)) that are read of such a file. Is it the "
        + "right one?"
    case .shortened: return "it became shorter while it was read. Wait until it is written, and try again."
    case .notText: return "it is not a text in UTF-8. Is it the right file?"
    case .nameNotText(let name):
      return
        "the name \(name) in it is not UTF-8. Rename it (convmv -f latin1 -t utf8 --notest does so for names in "
        + "Latin-1)."
    case .other(let words): return "\(words)."
    }
  }
}

// MARK: - From the system's error numbers

extension FileError {
  /// The error of a failed system call.
  /// - Parameter needed: Bytes that were to be written when the disk was full.
  package init(_ operation: Operation, _ path: String, code: Int32 = errno, needed: Int? = nil) {
    let reason: Reason =
      switch code {
      case ENOSPC, EDQUOT: Self.diskFull(path, needed: needed)
      case EACCES, EPERM: .permissionDenied
      case EROFS: .readOnly
      case ENOENT: Self.missing(operation, path)
      case EISDIR: .isDirectory
      case ENOTDIR, EEXIST: .notADirectory(Self.fileAmongParents(of: path) ?? path)
      case EFBIG: .tooLarge
      default: .other(String(cString: strerror(code)))
      }
    self.init(operation, path, reason, code: code)
  }

  package init(_ operation: Operation, _ path: String, _ reason: Reason, code: Int32 = 0) {
    self.operation = operation
    self.path = path
    self.reason = reason
    self.code = code
  }

  /// The same error about a file that the user knows by another path.
  func renaming(_ old: String, to new: String) -> FileError {
    let reason: Reason =
      if case .notADirectory(let part) = reason { .notADirectory(part.replacing(old, with: new)) } else { reason }
    return FileError(operation, path.replacing(old, with: new), reason, code: code)
  }

  private static func diskFull(_ path: String, needed: Int?) -> Reason {
    let free = try? FileSystem.freeSpace(path)
    return .diskFull(needed: needed.map { max($0 - (free ?? 0), min($0, 1)) }, free: free)
  }

  /// Who reads is told what is there; who writes, which folder is not.
  private static func missing(_ operation: Operation, _ path: String) -> Reason {
    let suggestion = operation == .read ? Path.similar(to: path) : nil
    if suggestion == nil, let parent = Path.folders(above: path).first(where: { access($0, F_OK) != 0 }) {
      return .missingParent(parent)
    }
    return .missing(suggestion: suggestion)
  }

  private static func fileAmongParents(of path: String) -> String? {
    (Path.folders(above: path) + [path]).first { access($0, F_OK) == 0 && !FileSystem.isFolder($0) }
  }
}
