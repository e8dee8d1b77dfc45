import Files
import Foundation
import Glibc
import TestFiles
import Testing

@testable import Experiments

struct RunDirectoryTests {
  let folder: TemporaryFolder
  var path: String { folder.path + "/runs/one" }

  init() throws { folder = try TemporaryFolder() }

  @Test func aNewRunGetsItsFolderAndRecord() throws {
    let directory = try RunDirectory.create(at: path, id: "a")
    #expect(directory.isLocked)
    #expect(try directory.readRecord() == nil)
    let record = RunRecordExample.full(id: "a")
    try directory.write(record)
    #expect(try directory.readRecord() == record)
    #expect(try RunDirectory.open(path + "/").readRecord() == record)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [".lock", "record.json", "samples"])
    #expect(directory.modelPath == path + "/model.safetensors")
  }

  @Test func theSameRunIsTakenUpAgain() throws {
    let first = try RunDirectory.create(at: path, id: "a")
    try first.metrics.append(MetricsEntry(stage: "train", epoch: 1, values: [:]))
    try Data().write(to: URL(fileURLWithPath: path + "/.antidote-77-0123456789abcdef.tmp"))
    first.release()
    #expect(!first.isLocked)
    let second = try RunDirectory.create(at: path, id: "a")  // Ended before its first record.
    try second.write(RunRecordExample.full(id: "a"))
    second.release()
    try Data().write(to: URL(fileURLWithPath: path + "/model.safetensors"))
    #expect(try RunDirectory.create(at: path, id: "a").readRecord()?.id == "a")
  }

  /// A folder that cannot be looked into may well hold a run.
  @Test func aFolderThatCannotBeReadIsNotOneWithoutARun() throws {
    let loop = folder.path("loop")
    symlink(loop, loop)
    #expect(throws: FileError.self) { try RunDirectory.open(loop) }
    #expect(throws: RunStoreError.notARun(directory: folder.path("none"))) {
      try RunDirectory.open(folder.path("none"))
    }
  }

  /// A run that failed before it made anything does not stand in the way of the corrected command.
  @Test func aFailedRunWithoutResultsGivesWay() throws {
    func fail(_ id: String) throws {
      let directory = try RunDirectory.create(at: path, id: id)
      var record = RunRecordExample.full(id: id)
      (record.status, record.failure) = (.failed, "a wrong setting")
      try directory.write(record)
      try directory.metrics.append(MetricsEntry(stage: "train", epoch: 0, values: [:]))
      try Data().write(to: URL(fileURLWithPath: directory.file(PoisonManifest.fileName)))
      directory.release()
    }
    try fail("a")
    let second = try RunDirectory.create(at: path, id: "b")
    #expect(try second.readRecord() == nil && second.metrics.read().isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [".lock", "samples"])
    second.release()
    for name in ["backdoored.safetensors", "checkpoint-train.safetensors", "samples/1.png", "notes.txt"] {
      try fail("a")
      try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)"))
      #expect(throws: RunStoreError.belongsToAnotherRun(directory: path, found: "a", expected: "b"), "\(name)") {
        try RunDirectory.create(at: path, id: "b")
      }
      #expect(try RunDirectory.open(path).readRecord()?.id == "a")
      try FileSystem.remove("\(path)/\(name)")
    }
  }

  @Test func anotherRunsFolderIsRefused() throws {
    let first = try RunDirectory.create(at: path, id: "a")
    var record = RunRecordExample.full(id: "a")
    record.status = .interrupted
    try first.write(record)
    first.release()
    let error = #expect(throws: RunStoreError.self) { try RunDirectory.create(at: path, id: "b") }
    #expect(error == .belongsToAnotherRun(directory: path, found: "a", expected: "b"))
    #expect(
      error?.description
        == "\(path) belongs to run a, not to run b: their settings differ. Choose another folder, restore the "
        + "settings to resume that run, "
        + "or remove the folder to start again.")
    #expect(try RunDirectory.open(path).id == "a")
  }

  @Test func aFolderWithOtherFilesIsRefusedAndLeftAlone() throws {
    try folder.write("thesis.tex", "precious")
    #expect(throws: RunStoreError.holdsOtherFiles(directory: folder.path, example: "thesis.tex")) {
      try RunDirectory.create(at: folder.path, id: "a")
    }
    #expect(try folder.entries() == ["thesis.tex"])
  }

  @Test func aSecondClaimIsRefusedUntilTheFirstIsReleased() throws {
    let first = try RunDirectory.create(at: path, id: "a")
    let error = #expect(throws: RunStoreError.self) { try RunDirectory.create(at: path, id: "a") }
    #expect(error == .locked(directory: path, process: Int(getpid())))
    #expect(error?.description.contains("in use by process \(getpid())") == true)
    first.release()
    let second = try RunDirectory.create(at: path, id: "a")
    #expect(second.isLocked)
    second.release()
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/flock"))) func anotherProcessIsKeptOut()
    throws
  {
    let directory = try RunDirectory.create(at: path, id: "a")
    func tryLock() throws -> Int32 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
      process.arguments = ["--nonblock", path + "/.lock", "true"]
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
    #expect(try tryLock() == 1)
    directory.release()
    #expect(try tryLock() == 0)
  }

  @Test func theLockGoesWithItsOwner() throws {
    do {
      let directory = try RunDirectory.create(at: path, id: "a")
      #expect(directory.isLocked)
    }
    #expect(try RunDirectory.create(at: path, id: "a").isLocked)
  }

  @Test func onlyTheOwnerWrites() throws {
    let directory = try RunDirectory.create(at: path, id: "a")
    try directory.write(RunRecordExample.full(id: "a"))
    let reader = try RunDirectory.open(path)
    #expect(throws: RunStoreError.notClaimed(directory: path)) { try reader.write(RunRecordExample.full(id: "a")) }
    #expect(throws: RunStoreError.belongsToAnotherRun(directory: path, found: "a", expected: "b")) {
      try directory.write(RunRecordExample.full(id: "b"))
    }
    directory.release()
    #expect(throws: RunStoreError.notClaimed(directory: path)) { try directory.write(RunRecordExample.full(id: "a")) }
  }

  @Test func aFailedWriteLeavesNothingBehind() throws {
    let directory = try RunDirectory.create(at: path, id: "a")
    // A folder under the record's name cannot be replaced by a file.
    try FileManager.default.createDirectory(atPath: path + "/record.json", withIntermediateDirectories: false)
    let before = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let error = #expect(throws: FileError.self) { try directory.write(RunRecordExample.full(id: "a")) }
    #expect(error?.path == path + "/record.json" && error?.reason == .isDirectory)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/record.json").isEmpty)
  }

  @Test(.enabled(if: geteuid() != 0, "The superuser may write anywhere.")) func aReadOnlyFolderKeepsItsRecord() throws {
    let directory = try RunDirectory.create(at: path, id: "a")
    let record = RunRecordExample.full(id: "a")
    try directory.write(record)
    chmod(path, 0o555)
    defer { chmod(path, 0o755) }
    var changed = record
    changed.title = "changed"
    #expect(throws: FileError.self) { try directory.write(changed) }
    #expect(try directory.readRecord() == record)
  }

  @Test func placesWithoutARunAreNamed() throws {
    #expect(throws: RunStoreError.notARun(directory: folder.path)) { try RunDirectory.open(folder.path) }
    #expect(throws: RunStoreError.notARun(directory: folder.path + "/none")) {
      try RunDirectory.open(folder.path + "/none")
    }
    try folder.write("file", "")
    let opened = #expect(throws: FileError.self) { try RunDirectory.open(folder.path + "/file") }
    #expect(opened?.reason == .notADirectory((folder.path + "/file").replacing("//", with: "/")))
    let created = #expect(throws: FileError.self) { try RunDirectory.create(at: folder.path + "/file", id: "a") }
    #expect(created?.reason == .notADirectory(folder.path + "/file"))
  }

  @Test func anUnwritablePlaceIsNamed() {
    let error = #expect(throws: FileError.self) { try RunDirectory.create(at: "/proc/antidote-run", id: "a") }
    #expect(error?.description.hasPrefix("cannot create the folder /proc/antidote-run: ") == true)
  }

  @Test func aDamagedRecordIsNotOverwritten() throws {
    try folder.write("record.json", "{\"formatVersion\": 1, ")
    let error = #expect(throws: RunStoreError.self) { try RunDirectory.create(at: folder.path, id: "a") }
    #expect(error?.description.contains("record.json is damaged: it is not valid JSON (line 1, column 22") == true)
  }
}
