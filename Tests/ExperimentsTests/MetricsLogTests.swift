import Experiments
import Files
import Foundation
import TestFiles
import Testing

struct MetricsLogTests {
  let folder: TemporaryFolder
  let log: MetricsLog

  init() throws {
    folder = try TemporaryFolder()
    log = MetricsLog(path: folder.path + "/metrics.jsonl")
  }

  private func entry(_ stage: String, _ epoch: Int, _ loss: Double = 0.5) -> MetricsEntry {
    MetricsEntry(stage: stage, epoch: epoch, values: ["trainLoss": loss])
  }

  @Test func entriesComeBackInOrder() throws {
    let entries = [entry("train", 1, 2.25), entry("train", 2, 1e-300), entry("purify", 1, 0)]
    for entry in entries { try log.append(entry) }
    #expect(try log.read() == entries)
    #expect(
      try folder.read("metrics.jsonl").split(separator: "\n").first
        == "{\"epoch\":1,\"stage\":\"train\",\"values\":{\"trainLoss\":2.25}}")
  }

  @Test(arguments: ["-1", "9223372036854775807", "1e18", "-9223372036854775808"])
  func epochsThatCannotBe(_ epoch: String) throws {
    try folder.write(
      "metrics.jsonl",
      "{\"stage\":\"train\",\"epoch\":1,\"values\":{}}\n{\"stage\":\"train\",\"epoch\":\(epoch),\"values\":{}}\n")
    let error = #expect(throws: RunStoreError.self) { try log.read() }
    guard case .damagedLine(log.path, 2, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func noFileIsNoEntries() throws {
    #expect(try log.read().isEmpty)
    try log.drop(after: 0, of: "train")
    #expect(try folder.entries().isEmpty)
  }

  /// A pipe would block whoever opens it.
  @Test(.timeLimit(.minutes(1))) func aPipeIsRefused() throws {
    #expect(mkfifo(log.path, 0o600) == 0)
    #expect(#expect(throws: FileError.self) { try log.read() }?.reason == .notAFile)
    #expect(#expect(throws: FileError.self) { try log.drop(after: 0, of: "train") }?.reason == .notAFile)
    #expect(#expect(throws: FileError.self) { try log.append(entry("train", 1)) }?.reason == .notAFile)
  }

  @Test func notANumberSurvives() throws {
    try log.append(entry("train", 1, .nan))
    try log.append(entry("train", 2, -.infinity))
    let values = try log.read().compactMap { $0.values["trainLoss"] }
    #expect(values.count == 2 && values[0].isNaN && values[1] == -.infinity)
  }

  @Test func aTornLastLineIsPassedOverAndThenReplaced() throws {
    try log.append(entry("train", 1))
    let whole = try folder.read("metrics.jsonl")
    // Every possible tear of the second line, from its first byte to all but its last.
    let second = "{\"epoch\":2,\"stage\":\"train\",\"values\":{\"trainLoss\":0.5}}"
    for length in 1..<second.count {
      try folder.write("metrics.jsonl", whole + second.prefix(length))
      #expect(try log.read() == [entry("train", 1)])
      try log.append(entry("train", 2, 0.25))
      #expect(try log.read() == [entry("train", 1), entry("train", 2, 0.25)])
    }
  }

  @Test func aLastLineThatLacksOnlyItsNewlineCounts() throws {
    try folder.write("metrics.jsonl", "{\"epoch\":1,\"stage\":\"train\",\"values\":{\"trainLoss\":0.5}}")
    #expect(try log.read() == [entry("train", 1)])
    try log.append(entry("train", 2))
    #expect(try log.read() == [entry("train", 1), entry("train", 2)])
  }

  @Test func aTornLineLongerThanOneReadIsRemoved() throws {
    try log.append(entry("train", 1))
    let whole = try folder.read("metrics.jsonl")
    try folder.write("metrics.jsonl", whole + "{\"stage\":\"" + String(repeating: "x", count: 20_000))
    try log.append(entry("train", 2))
    #expect(try log.read() == [entry("train", 1), entry("train", 2)])
  }

  @Test(arguments: ["{\"epoch\":2", "", "[]", "{\"epoch\":2,\"stage\":\"train\"}", "\0\0\0"])
  func damageBeforeTheEndNamesItsLine(line: String) throws {
    try log.append(entry("train", 1))
    try folder.write("metrics.jsonl", try folder.read("metrics.jsonl") + line + "\n")
    try log.append(entry("train", 3))
    let error = #expect(throws: RunStoreError.self) { try log.read() }
    guard case .damagedLine(let path, let number, _) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(path == log.path && number == 2)
    #expect(error?.description.contains("metrics.jsonl, line 2 is damaged") == true)
  }

  @Test func resumingDropsLaterEpochsOfThatStageOnly() throws {
    for entry in [entry("pretrain", 9), entry("train", 1), entry("train", 2), entry("train", 3), entry("purify", 4)] {
      try log.append(entry)
    }
    try folder.write("metrics.jsonl", try folder.read("metrics.jsonl") + "{\"epoch\":4,\"st")
    try log.drop(after: 2, of: "train")
    #expect(try log.read() == [entry("pretrain", 9), entry("train", 1), entry("train", 2), entry("purify", 4)])
    #expect(try folder.read("metrics.jsonl").hasSuffix("}\n"))
    #expect(try folder.entries() == ["metrics.jsonl"])
    try log.drop(after: 0, of: "train")
    #expect(try log.read() == [entry("pretrain", 9), entry("purify", 4)])
  }

  @Test func aDamagedLogIsNotRewritten() throws {
    let text = "{\"epoch\":1,\"stage\":\"train\",\"values\":{}}\nnonsense\n"
    try folder.write("metrics.jsonl", text)
    #expect(throws: RunStoreError.self) { try log.drop(after: 0, of: "train") }
    #expect(try folder.read("metrics.jsonl") == text)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func aFullDiskIsNamed() {
    let full = MetricsLog(path: "/dev/full")
    let error = #expect(throws: FileError.self) { try full.append(entry("train", 1)) }
    #expect(error?.path == "/dev/full" && error?.code == ENOSPC)
    #expect(error?.description.contains("the disk is full") == true)
  }

  @Test func aMissingFolderIsNamed() {
    let lost = MetricsLog(path: folder.path + "/nowhere/metrics.jsonl")
    let error = #expect(throws: FileError.self) { try lost.append(entry("train", 1)) }
    #expect(error?.reason == .missingParent((folder.path + "/nowhere").replacing("//", with: "/")))
  }
}
