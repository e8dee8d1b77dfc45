import Foundation

/// A file or folder that is being made, under a temporary name beside its final one:
/// `.antidote-<process>-<random>.tmp`.
///
/// Its maker holds a lock on it, which the kernel drops when the process ends, however it ends. So a clean-up can tell
/// what a dead process left from what a live one is making, on whichever machine of a shared file system that one runs,
/// and though a process number may be given to another process. The number in the name is for people.
final class TemporaryItem {
  let path: String
  private(set) var descriptor: Int32

  /// Makes an empty file or folder that nobody else has.
  /// - Parameter target: The final name; it need not exist.
  init(for target: String, isFolder: Bool = false) throws(FileError) {
    let folder = Path.parent(target)
    while true {
      let candidate = Path.join(folder, Self.name())
      let opened: Int32
      if isFolder {
        guard mkdir(candidate, 0o777) == 0 else { throw FileError(.write, target) }
        opened = open(candidate, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      } else {
        // 0666 less the umask, as any other new file.
        opened = retrying { open(candidate, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
      }
      guard opened >= 0 else {
        // A clean-up may have come between making the folder and opening it.
        if isFolder, errno == ENOENT, FileSystem.isFolder(folder) { continue }
        throw FileError(.write, target)
      }
      // A clean-up may have come between making the item and locking it: then it is gone, and another one is made.
      // Where the file system has no locks, a clean-up gets none either and removes nothing.
      if flock(opened, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK, Self.isLinked(opened) {
        path = candidate
        descriptor = opened
        return
      }
      Foundation.close(opened)
    }
  }

  deinit { close() }

  /// Puts the item in its place.
  func publish(as target: String) throws(FileError) {
    guard rename(path, target) == 0 else { throw FileError(.write, target) }
  }

  /// Removes the item and what is in it.
  func discard() { try? FileSystem.remove(path) }

  func close() {
    guard descriptor >= 0 else { return }
    Foundation.close(descriptor)
    descriptor = -1
  }

  private static func isLinked(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink > 0
  }

  // MARK: Names

  private static let prefix = ".antidote-"
  private static let suffix = ".tmp"
  private static let randomDigits = 16

  private static func name() -> String {
    let random = String(UInt64.random(in: .min ... .max), radix: 16)
    return "\(prefix)\(getpid())-\(String(repeating: "0", count: randomDigits - random.count))\(random)\(suffix)"
  }

  /// Whether a name is exactly of the kind that this type gives.
  static func isName(_ name: String) -> Bool {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
    let parts = name.dropFirst(prefix.count).dropLast(suffix.count).split(
      separator: "-", omittingEmptySubsequences: false)
    return parts.count == 2 && Int32(parts[0]).map { $0 > 0 && String($0) == parts[0] } == true
      && parts[1].utf8.count == randomDigits
      && parts[1].utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }
}

// MARK: - Clean-up

extension FileSystem {
  /// Whether a name is that of a file or folder that is being made, or that a killed process left unfinished.
  public static func isTemporaryName(_ name: String) -> Bool { TemporaryItem.isName(name) }

  /// Removes what killed processes left unfinished in a folder: temporary files and folders of the user's that no
  /// process holds. What a live process is making stays, and so does every file of another name.
  /// - Returns: How many were removed.
  @discardableResult
  public static func removeLeftovers(in folder: String) -> Int {
    ((try? list(folder, hidden: true)) ?? []).count { isTemporaryName($0) && removeLeftover(Path.join(folder, $0)) }
  }

  /// Removes a folder under a temporary name: a process that is killed meanwhile leaves the whole folder, or what
  /// `removeLeftovers` removes, and no folder that lacks some of its files. What cannot be removed stays.
  public static func removeWhole(_ folder: String) {
    guard let item = try? TemporaryItem(for: folder, isFolder: true) else { return }
    _ = rename(folder, item.path)  // Over the item, which is empty.
    item.discard()
  }

  private static func removeLeftover(_ path: String) -> Bool {
    // NFS locks what is open for writing alone; a folder cannot be.
    let flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    var descriptor = open(path, O_RDWR | flags)
    if descriptor < 0 { descriptor = open(path, O_RDONLY | flags) }
    guard descriptor >= 0 else { return false }
    defer { Foundation.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(),
      [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT),
      flock(descriptor, LOCK_EX | LOCK_NB) == 0
    else { return false }
    return (try? remove(path)) != nil
  }
}
