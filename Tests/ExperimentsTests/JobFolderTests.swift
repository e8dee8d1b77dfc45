import Files
import Foundation
import Support
import TestFiles
import Testing
import Torch
import Training

@testable import Experiments

/// What a job keeps beside its output.
struct JobFolderTests {
  private let folder: TemporaryFolder
  private let context: TrainingContext
  init() throws {
    folder = try TemporaryFolder()
    context = TrainingContext(device: .cpu, precision: .float32, seed: Seed(0), progress: SilentProgress())
  }
  private struct Failed: Error {}
  private let checkpoint = Checkpoint(epoch: 1, tensors: [("x", Tensor.zeros([1]))])

  @Test func everythingIsGoneAtTheEnd() throws {
    try JobFolder(output: folder.path("out"), identity: ["seed": 0]).perform(context) { _ in
      try context.checkpoints?.save(checkpoint, stage: "train")
      try folder.write("out.work/attack.safetensors", "")
    }
    #expect(try folder.entries() == [])
  }

  /// A folder of somebody else is no work folder, whatever its files are called.
  @Test(arguments: ["draft.tmp", "model.safetensors", ".hidden", "checkpoint-train.safetensors", "attack.safetensors"])
  func aFolderWithOtherFilesIsRefused(_ name: String) throws {
    try folder.write("mine/\(name)", "text")
    let error = #expect(throws: RunStoreError.self) {
      _ = try JobFolder(at: folder.path("mine"), output: folder.path("out"), identity: ["seed": 0])
    }
    #expect(error == .holdsOtherFiles(directory: folder.path("mine"), example: name))
    #expect(try folder.read("mine/\(name)") == "text")
  }

  /// A file that takes the result's name meanwhile stays, and the work too; what this job had begun to write is its own.
  @Test func aResultReplacesNothing() throws {
    let output = folder.path("out"), work = folder.path("out.work")
    func job() throws -> JobFolder { try JobFolder(output: output, identity: ["seed": 0]) }
    func publish(_ job: JobFolder) throws { try job.publish(output) { try AtomicFile.write("result", to: output) } }
    let appeared = JobError.outputAppeared(path: output, folder: work)
    // While it works.
    var error = #expect(throws: JobError.self) {
      try job().perform(context) {
        try context.checkpoints?.save(checkpoint, stage: "train")
        try folder.write("out", "precious")
        try publish($0)
      }
    }
    #expect(error == appeared && FileSystem.exists(work))
    // Between two processes: found before anything is computed.
    error = #expect(throws: JobError.self) { _ = try job() }
    #expect(try error == appeared && folder.read("out") == "precious")
    try folder.remove("out")
    try FileSystem.createFolder(output)
    error = #expect(throws: JobError.self) { _ = try job() }
    #expect(error == .outputExists(path: output))
    try folder.remove("out")
    // Killed after the result was written and before the folder was gone.
    #expect(throws: Failed.self) {
      try job().perform(context) {
        try publish($0)
        throw Failed()
      }
    }
    try job().perform(context) { try publish($0) }
    #expect(try folder.read("out") == "result" && !FileSystem.exists(work))
  }

  /// A folder from somebody else may hold links to any file.
  @Test func aLockIsNoLink() throws {
    try folder.write("notes.txt", "notes")
    try FileSystem.createFolder(folder.path("out.work"))
    for isSymbolic in [true, false] {
      let (from, to) = (folder.path("notes.txt"), folder.path("out.work/.lock"))
      #expect((isSymbolic ? symlink(from, to) : link(from, to)) == 0)
      let error = #expect(throws: RunStoreError.self) {
        _ = try JobFolder(output: folder.path("out"), identity: ["seed": 0])
      }
      #expect(error == .holdsOtherFiles(directory: folder.path("out.work"), example: ".lock"))
      #expect(try folder.read("notes.txt") == "notes")
      try folder.remove("out.work/.lock")
    }
  }

  /// What another job computed with says nothing about a new one; what this job left results with does.
  @Test func theComputationOfAFolderWithoutResultsIsForgotten() throws {
    let output = folder.path("out")
    let compute = try JSONValue(encoding: ComputePlan.Earlier(context)).prettyJSON
    try folder.write("out.work/compute.json", compute)
    try folder.write("out.work/job.json", "{}")
    #expect(JobFolder.earlier(output: output) == nil)
    try folder.write("out.work/checkpoint-train.safetensors", "")
    #expect(JobFolder.earlier(output: output) != nil)
    #expect(JobFolder.earlier(at: folder.path("out.work"), output: folder.path("other")) != nil)
    try folder.remove("out.work/checkpoint-train.safetensors")
    try folder.write("out.work/attack.safetensors", "")
    #expect(JobFolder.earlier(output: output) != nil)
  }

  @Test func filesThatCameWhileItWorkedStay() throws {
    try JobFolder(at: folder.path("work"), output: folder.path("out"), identity: ["seed": 0]).perform(context) { _ in
      try folder.write("work/draft.tmp", "text")
    }
    #expect(try folder.read("work/draft.tmp") == "text")
    #expect(try FileSystem.list(folder.path("work"), hidden: true) == ["draft.tmp"])
  }

  /// Two jobs side by side, the name of one the beginning of the other's.
  @Test func theFilesOfAnotherJobStay() throws {
    try JobFolder(output: folder.path("pp.png"), identity: ["seed": 0]).perform(context) { _ in
      try AtomicFile.write(to: folder.path("pp.png")) { (path: String) in
        _ = try JobFolder(output: folder.path("pp"), identity: ["seed": 0])
        #expect(FileSystem.exists(path))
        try Data("text".utf8).write(to: URL(fileURLWithPath: path))
      }
    }
    #expect(try folder.read("pp.png") == "text")
  }

  @Test func leftoversOfDeadProcessesGo() throws {
    let name = ".antidote-77-0123456789abcdef.tmp"
    for place in ["out.work/\(name)", name] { try folder.write(place, "text") }
    try folder.write(".antidote-77.tmp", "another's")
    try JobFolder(output: folder.path("out"), identity: ["seed": 0]).perform(context) { _ in }
    #expect(try folder.entries() == [".antidote-77.tmp"])
    // Also when the output is there already.
    try folder.write("out", "text")
    try folder.write(name, "text")
    #expect(throws: JobError.outputExists(path: folder.path("out"))) {
      _ = try JobFolder(output: folder.path("out"), identity: ["seed": 0])
    }
    #expect(try folder.entries() == [".antidote-77.tmp", "out"])
  }

  /// What a crash left without a checkpoint keeps nobody out.
  @Test func aFolderWithoutCheckpointsIsTakenOver() throws {
    func job(_ seed: Int) throws -> JobFolder {
      try JobFolder(output: folder.path("out"), identity: ["seed": .int(seed)])
    }
    var first: JobFolder? = try job(0)
    // Its owner lives.
    #expect(throws: RunStoreError.self) { _ = try job(1) }
    withExtendedLifetime(first) {}
    first = nil
    #expect(throws: Failed.self) {
      try job(1).perform(context) { _ in
        #expect(try folder.read("out.work/job.json").contains("1"))
        try context.checkpoints?.save(checkpoint, stage: "train")
        throw Failed()
      }
    }
    let error = #expect(throws: JobError.self) { _ = try job(2) }
    #expect(error == .otherJob(folder: folder.path("out.work"), differences: ["seed: 1 there, 2 now"]))
    try job(1).perform(context) { _ in }
    #expect(try folder.entries() == [])
  }
}

/// Outputs are looked at before anything is computed.
struct OutputCheckTests {
  @Test func placesThatCannotBeWritten() throws {
    let folder = try TemporaryFolder()
    try folder.write("file", "")
    try FileSystem.createFolder(folder.path("folder"))
    for bad in ["new/", "folder", "file/m", "\(String(repeating: "n", count: 255))"] {
      #expect(throws: FileError.self, "\(bad)") { try OutputCheck.file(folder.path(bad)) }
    }
    #expect(throws: FileError.self) { try OutputCheck.file("/proc/m") }
    #expect(throws: FileError.self) { try OutputCheck.folder("/proc/m/") }
    for good in ["m", "a/b/m", "file", String(repeating: "n", count: 245)] {
      #expect(throws: Never.self, "\(good)") { try OutputCheck.file(folder.path(good)) }
    }
    #expect(throws: Never.self) { try OutputCheck.folder(folder.path("new/")) }
    #expect(try folder.entries() == ["file", "folder"])
  }
}
