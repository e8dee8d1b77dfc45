import Foundation
import TestFiles
import Testing

@testable import Files

@Suite struct AtomicFileTests {
  struct Stop: Error {}

  /// Of many that make a file of one name at the same time, one does, and the file is whole.
  @Test func createsOnce() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/claim"
      let made = try await withThrowingTaskGroup(of: Int?.self) { group in
        for number in 0..<16 {
          group.addTask {
            try AtomicFile.create(String(repeating: "\(number)", count: 50_000), at: path) ? number : nil
          }
        }
        var made: [Int] = []
        for try await number in group { if let number { made.append(number) } }
        return made
      }
      #expect(made.count == 1 && contents(path) == String(repeating: "\(made[0])", count: 50_000))
      #expect(listing(folder) == ["claim"])
      #expect(try !AtomicFile.create("other", at: path))
      #expect(throws: FileError.self) { try AtomicFile.create("x", at: folder + "/missing/claim") }
    }
  }

  @Test func writesAndReplaces() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/record.json"
      try AtomicFile.write("one", to: path)
      #expect(contents(path) == "one")
      try AtomicFile.write(Data("two".utf8), to: path)
      #expect(contents(path) == "two")
      let count = try AtomicFile.write(
        to: path,
        streaming: { writer in
          try writer.write("th")
          try writer.write(Data("ree".utf8))
          #expect(contents(path) == "two")  // Nothing shows before the end.
          return writer.count
        })
      #expect(count == 5)
      #expect(contents(path) == "three")
      try AtomicFile.write(to: path, using: { temporary in try Data("four".utf8).write(to: URL(filePath: temporary)) })
      #expect(contents(path) == "four")
      #expect(listing(folder) == ["record.json"])
      try AtomicFile.write(Data(), to: path)
      #expect(contents(path) == "")
    }
  }

  @Test func newFilesFollowTheUmask() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("x", to: folder + "/a")
      close(open(folder + "/b", O_CREAT | O_WRONLY, 0o666))
      var a = stat()
      var b = stat()
      stat(folder + "/a", &a)
      stat(folder + "/b", &b)
      #expect(a.st_mode == b.st_mode)
    }
  }

  @Test func failureLeavesTheOldFileAlone() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/f"
      try AtomicFile.write("old", to: path)
      #expect(throws: Stop.self) {
        try AtomicFile.write(
          to: path,
          streaming: { writer in
            try writer.write("half of the n")
            throw Stop()
          })
      }
      #expect(throws: Stop.self) {
        try AtomicFile.write(
          to: path,
          using: { temporary in
            try Data("half".utf8).write(to: URL(filePath: temporary))
            throw Stop()
          })
      }
      #expect(contents(path) == "old")
      #expect(listing(folder) == ["f"])
      #expect(throws: Stop.self) { try AtomicFile.write(to: folder + "/new", streaming: { _ in throw Stop() }) }
      #expect(listing(folder) == ["f"])
    }
  }

  @Test func aKilledProcessLeavesTheOldFile() async throws {
    try await withTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/f")
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        try AtomicFile.write(
          to: folder + "/f",
          streaming: { writer in
            try writer.write("half")
            kill(getpid(), SIGKILL)
          })
      }
      #expect(contents(folder + "/f") == "old")
      #expect(listing(folder).count == 2)
      #expect(FileSystem.removeLeftovers(in: folder) == 1)
      #expect(listing(folder) == ["f"])
    }
  }

  /// Whoever looks while a folder is removed sees all of it or nothing under its name; and what a killed process left
  /// of it goes with the next clean-up.
  @Test func aFolderIsNeverThereByHalf() async throws {
    try await withTemporaryFolder { parent in
      let folder = parent + "/work", count = 3_000
      try FileSystem.createFolder(folder)
      for number in 0..<count { try Data().write(to: URL(filePath: "\(folder)/\(number)")) }
      async let halves: Int? = Task.detached { () -> Int? in
        while FileSystem.exists(folder) {
          let seen = listing(folder).count
          if seen < count, FileSystem.exists(folder) { return seen }
        }
        return nil
      }.value
      FileSystem.removeWhole(folder)
      #expect(await halves == nil)
      #expect(listing(parent) == [])

      try FileSystem.createFolder(folder)
      try Data("text".utf8).write(to: URL(filePath: folder + "/a"))
      try FileSystem.createFolder(parent + "/.antidote-77-0123456789abcdef.tmp")
      try Data("text".utf8).write(to: URL(filePath: parent + "/.antidote-77-0123456789abcdef.tmp/a"))
      #expect(FileSystem.removeLeftovers(in: parent) == 1)
      #expect(listing(parent) == ["work"])
    }
  }

  @Test func linksAreFollowed() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createFolder(folder + "/real")
      try AtomicFile.write("old", to: folder + "/real/f")
      symlink(folder + "/real/f", folder + "/link")
      try AtomicFile.write("new", to: folder + "/link")
      #expect(contents(folder + "/real/f") == "new")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == folder + "/real/f")
    }
  }

  @Test func foldersAreMadeOnce() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createFolder(folder + "/a/b/c")
      try FileSystem.createFolder(folder + "/a/b/c")
      try FileSystem.createFolder(folder + "/a/b/d/")
      #expect(listing(folder + "/a/b") == ["c", "d"])
    }
  }

  @Test func freeSpaceOfPlacesThatDoNotExistYet() throws {
    for place in ["/tmp", "/tmp/not/yet", "relative", "/"] { #expect(try FileSystem.freeSpace(place) > 0) }
  }
}

/// What is read, and what is refused before it can do harm.
@Suite struct FileReadingTests {
  @Test func pipesAndDevicesAreRefusedAtOnce() throws {
    try withTemporaryFolder { folder in
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      for path in [folder + "/pipe", "/dev/zero", "/dev/null"] {
        let error = #expect(throws: FileError.self) { try FileSystem.read(path) }
        #expect(error?.reason == .notAFile, "\(path)")
      }
      #expect(#expect(throws: FileError.self) { try FileSystem.read(folder) }?.reason == .isDirectory)
    }
  }

  @Test func theLimitIsCheckedBeforeReading() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/large"
      close(open(path, O_CREAT | O_WRONLY, 0o600))
      #expect(truncate(path, 1 << 40) == 0)  // A sparse file: no disk is used.
      #expect(
        #expect(throws: FileError.self) { try FileSystem.read(path) }?.reason
          == .overLimit(size: 1 << 40, limit: 1 << 30))
      try AtomicFile.write("12345", to: folder + "/f")
      #expect(try FileSystem.readText(folder + "/f", limit: 5) == "12345")
      #expect(throws: FileError.self) { try FileSystem.readText(folder + "/f", limit: 4) }
    }
  }

  @Test func aMissingFileSuggestsItsNeighbour() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("x", to: folder + "/suspect.safetensors")
      let error = #expect(throws: FileError.self) { try FileSystem.read(folder + "/suspekt.safetensors") }
      #expect(error?.reason == .missing(suggestion: folder + "/suspect.safetensors"))
    }
  }

  /// A suggestion leads to something of nearly the whole path, and is no folder on the way.
  @Test func absolutePathsHaveNoDots() {
    let here = FileManager.default.currentDirectoryPath
    #expect(Path.absolute("/a/./b/../c/") == "/a/c" && Path.absolute("/../..") == "/" && Path.absolute("/") == "/")
    #expect(Path.absolute(".") == here && Path.absolute("x/./y") == "\(here)/x/y")
    #expect(Path.absolute("..") == Path.parent(here) && Path.absolute("x/../..") == Path.parent(here))
  }

  @Test func aSuggestionIsOfTheWholePath() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createFolder(folder + "/photos/cats")
      #expect(Path.similar(to: folder + "/photo/cats") == folder + "/photos/cats")
      #expect(Path.similar(to: folder + "/photos/cat") == folder + "/photos/cats")
      #expect(Path.similar(to: folder + "/photo/dogs") == nil)
      #expect(Path.similar(to: "/hom/nobody/data") == nil)
    }
  }

  @Test func theKernelsFilesAreReadThoughTheySayThatTheyAreEmpty() throws {
    guard FileSystem.isFile("/proc/meminfo") else { return }
    #expect(try FileSystem.readText("/proc/meminfo").contains("MemTotal"))
  }

  @Test func messagesCarryNoTerminalEscapes() {
    #expect(escaped("a\u{1b}[31m\n\u{202e}b\u{7f}é😀") == "a\\u{1b}[31m\\u{a}\\u{202e}b\\u{7f}é😀")
    #expect(escaped(escaped("\u{1b}")) == escaped("\u{1b}"))
    #expect(escaped("abcdef", limit: 3) == "abc...")
    #expect(escaped(utf8: [0x61, 0xff, 0x1b, 0xc3, 0xa9]) == "a\\xff\\u{1b}é")
    #expect(!FileError(.read, "x\u{1b}[2J", code: EIO).description.contains("\u{1b}"))
  }
}

@Suite struct LeftoverTests {
  @Test func whatALiveWriterHoldsStays() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write(
        to: folder + "/f",
        streaming: { writer in
          #expect(FileSystem.removeLeftovers(in: folder) == 0)
          try writer.write("whole")
        })
      try AtomicFolder.write(to: folder + "/d") { temporary in
        try AtomicFile.write(Array("x".utf8), to: temporary + "/x", isDurable: false)
        #expect(FileSystem.removeLeftovers(in: folder) == 0)
      }
      #expect(listing(folder) == ["d", "f"] && contents(folder + "/d/x") == "x")
    }
  }

  @Test func onlyTemporaryNamesAreRemoved() throws {
    try withTemporaryFolder { folder in
      let others = [
        ".antidote-1-x.tmp", ".antidote-notes.tmp", ".antidote-01-0123456789abcdef.tmp",
        "antidote-1-0123456789abcdef.tmp",
      ]
      for name in others { try Data().write(to: URL(filePath: "\(folder)/\(name)")) }
      // Left by a process whose number a living one has: the number does not count.
      try Data().write(to: URL(filePath: "\(folder)/.antidote-\(getpid())-0123456789abcdef.tmp"))
      try FileSystem.createFolder(folder + "/.antidote-1-fedcba9876543210.tmp/png")
      #expect(FileSystem.removeLeftovers(in: folder) == 2)
      #expect(listing(folder) == others.sorted())
    }
  }

  @Test func aFailedFolderLeavesNothingAndNamesItsFinalPath() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) {
        try AtomicFolder.write(to: folder + "/d") { try AtomicFile.write("x", to: $0 + "/no/x") }
      }
      #expect(error?.path == folder + "/d/no/x")
      #expect(listing(folder) == [])
    }
  }
}

/// The wrong places, and what the user is told.
@Suite struct FileErrorTests {
  @Test func missingParents() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/no/such/f") }
      #expect(error?.reason == .missingParent(folder + "/no"))
      #expect(
        error?.description
          == "cannot write \(folder)/no/such/f: the folder \(folder)/no does not exist. Create it (mkdir -p), or "
          + "correct the path."
      )
      #expect(listing(folder) == [])
    }
  }

  @Test func foldersInTheWay() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createFolder(folder + "/d")
      #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/d/") }
      let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/d") }
      #expect(error?.reason == .isDirectory)
      #expect(error?.code == EISDIR)
      #expect(listing(folder) == ["d"])
      #expect(throws: FileError.self) { try AtomicFile.write("x", to: "") }
    }
  }

  @Test func filesInTheWay() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("x", to: folder + "/f")
      let write = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/f/g") }
      #expect(write?.reason == .notADirectory(folder + "/f"))
      let create = #expect(throws: FileError.self) { try FileSystem.createFolder(folder + "/f/g") }
      #expect(create?.reason == .notADirectory(folder + "/f"))
      let same = #expect(throws: FileError.self) { try FileSystem.createFolder(folder + "/f") }
      #expect(same?.reason == .notADirectory(folder + "/f"))
      #expect(same?.description.hasPrefix("cannot create the folder \(folder)/f: \(folder)/f is a file") == true)
      #expect(contents(folder + "/f") == "x")
    }
  }

  /// Root may write anywhere, so the attempt is made as nobody, in a process of its own.
  @Test func foldersOfOthers() async throws {
    try await withTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/f")
      chmod(folder, 0o555)
      await #expect(processExitsWith: .success) { [folder = folder as String] in
        if getuid() == 0 { seteuid(65534) }
        let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/f") }
        #expect(error?.reason == .permissionDenied)
        #expect(error?.description.contains("you may not write there. Change the permissions of the folder") == true)
      }
      #expect(contents(folder + "/f") == "old")
      #expect(listing(folder) == ["f"])
      chmod(folder, 0o755)
    }
  }

  /// The kernel refuses every byte past the limit, as it does on a full disk.
  @Test func theFileThatDoesNotFit() async throws {
    try await withTemporaryFolder { folder in
      try AtomicFile.write("old", to: folder + "/f")
      await #expect(processExitsWith: .success) { [folder = folder as String] in
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
        #if canImport(Glibc)
          setrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
        #else
          setrlimit(RLIMIT_FSIZE, &limit)
        #endif
        let error = #expect(throws: FileError.self) { try AtomicFile.write(Data(count: 1_000_000), to: folder + "/f") }
        #expect(error?.reason == .tooLarge)
        #expect(throws: FileError.self) { try AtomicFile.write(Data(count: 1_000_000), to: folder + "/new") }
      }
      #expect(contents(folder + "/f") == "old")
      #expect(listing(folder) == ["f"])
    }
  }

  /// /dev/full answers every write as a full disk does.
  @Test(.enabled(if: access("/dev/full", W_OK) == 0, "there is no /dev/full here"))
  func writersTellAFullDisk() throws {
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let writer = AtomicFile.Writer(full, path: "/tmp/model.safetensors")
    let error = #expect(throws: FileError.self) { try writer.write(Data(count: 5000)) }
    #expect(error?.code == ENOSPC)
    guard case .diskFull? = error?.reason else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(error?.description.hasPrefix("cannot write /tmp/model.safetensors: the disk is full (") == true)
    #expect(error?.description.hasSuffix("or choose another folder with --out.") == true)
    #expect(throws: FileError.self) { try LineFile.append("x", to: "/dev/full", isWhole: { _ in true }) }
  }

  @Test(.enabled(if: TinyDisk.isPossible, "mounting a tiny disk needs root and the right to mount"))
  func aDiskThatFills() throws {
    try withTemporaryFolder { folder in
      let disk = try #require(TinyDisk(folder))
      defer { disk.unmount() }
      try AtomicFile.write("old", to: folder + "/f")
      let error = #expect(throws: FileError.self) { try AtomicFile.write(Data(count: 1_000_000), to: folder + "/f") }
      guard case .diskFull(let needed?, let free?)? = error?.reason else {
        return #expect(Bool(false), "\(String(describing: error))")
      }
      #expect(needed > 900_000 - 65_536 && needed <= 1_000_000)
      #expect(free <= 65_536)
      #expect(contents(folder + "/f") == "old")
      #expect(listing(folder) == ["f"])
      try AtomicFile.write("new", to: folder + "/f")  // The space of the failed attempt is free again.
      #expect(contents(folder + "/f") == "new")

      disk.makeReadOnly()
      let readOnly = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/f") }
      #expect(readOnly?.reason == .readOnly)
      #expect(throws: FileError.self) { try FileSystem.createFolder(folder + "/sub") }
      #expect(contents(folder + "/f") == "new")
    }
  }

  @Test func everyReasonSaysWhatToDo() {
    let cases: [(Int32, String)] = [
      (ENOSPC, "--out"), (EDQUOT, "--out"), (EACCES, "chmod"), (EROFS, "--out"), (EISDIR, "Name a file"),
      (EFBIG, "ulimit"),
    ]
    for (code, fix) in cases {
      let text = FileError(.write, "/tmp/x", code: code).description
      #expect(text.hasPrefix("cannot write /tmp/x: "))
      #expect(text.contains(fix), "\(text)")
    }
    #expect(FileError(.write, "/tmp/x", code: EIO).description == "cannot write /tmp/x: Input/output error.")
  }
}

/// A memory disk of 64 KiB.
struct TinyDisk {
  let folder: String

  init?(_ folder: String) {
    self.folder = folder
    guard mount("tmpfs", folder, "tmpfs", 0, "size=64k") == 0 else { return nil }
  }

  func makeReadOnly() { mount("tmpfs", folder, "tmpfs", 32 | 1, nil) }  // MS_REMOUNT | MS_RDONLY
  func unmount() { umount2(folder, 2) }  // MNT_DETACH

  static let isPossible: Bool =
    (try? withTemporaryFolder { folder in
      guard let disk = TinyDisk(folder) else { return false }
      disk.unmount()
      return true
    }) ?? false
}
