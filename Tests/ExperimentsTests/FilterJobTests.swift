import Files
import Foundation
import Support
import TestData
import TestFiles
import Testing
import Torch
import Vision

@testable import Experiments

/// Five samples of two classes; the second and the fourth are rejected, the third is the most suspicious one.
@Suite struct FilterJobTests {
  private let folder: TemporaryFolder
  private var table: String { folder.path("samples.csv") }

  init() throws {
    folder = try TemporaryFolder()
    for name in ["a/1.png", "a/2.png", "b/1.png", "c/1.png", "c/3.png"] {
      try folder.write("in/\(name)", "image \(name)")
    }
    try folder.write(
      "samples.csv",
      """
      index,path,label,class,decision,kept,suspicion,rank
      0,in/a/1.png,0,cat,kept,1,0.1,5
      1,in/a/2.png,0,cat,rejected,0,0.6,3
      2,in/b/1.png,1,T-shirt/top,kept,1,0.9,1
      3,in/c/1.png,1,T-shirt/top,rejected,0,0.7,2
      4,in/c/3.png,0,cat,kept,1,0.2,4

      """)
  }

  private func run(_ job: FilterJob) throws -> FilterJob.Result { try job.run(progress: SilentProgress()) }
  private func files(_ name: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path(name)).filter { $0.hasSuffix(".png") }.sorted()
  }
  private func problem(_ job: FilterJob) -> String {
    do {
      _ = try run(job)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func filesAreCopiedByDecision() throws {
    let result = try run(FilterJob(table: table, kept: folder.path("kept"), rejected: folder.path("out/rejected")))
    #expect(result.kept == 3 && result.rejected == 2)
    #expect(
      result.classes == [
        .init(name: "cat", kept: 2, rejected: 1), .init(name: "T-shirt/top", kept: 1, rejected: 1),
      ])
    #expect(try files("kept") == ["T-shirt-top/1.png", "cat/1.png", "cat/3.png"])
    #expect(try files("out/rejected") == ["T-shirt-top/1.png", "cat/2.png"])
    #expect(try folder.read("kept/cat/3.png") == "image c/3.png")
  }

  @Test func theMostSuspiciousAreRejectedWhateverWasDecided() throws {
    let result = try run(
      FilterJob(
        table: table, rule: .mostSuspicious(2), kept: folder.path("kept"), rejected: folder.path("look"), links: true))
    #expect(result.rejected == 2)
    // Two files of one name and class.
    #expect(try files("look") == ["T-shirt-top/1.png", "T-shirt-top/3-1.png"])
    let link = try FileManager.default.destinationOfSymbolicLink(atPath: folder.path("look/T-shirt-top/3-1.png"))
    #expect(link.hasPrefix("/") && link.hasSuffix("/in/c/1.png"))
    #expect(try folder.read("look/T-shirt-top/3-1.png") == "image c/1.png")
    #expect(problem(FilterJob(table: table, rule: .mostSuspicious(5))).contains("none would be kept"))
  }

  /// Names that are made up for files of one name may be those of other files; classes are told apart by their bytes.
  @Test func everyFileIsCopied() throws {
    for name in ["a/x.png", "a/2-x.png", "b/x.png", "c/x.png"] { try folder.write("in/\(name)", name) }
    try folder.write(
      "samples.csv",
      "index,path,class,decision\n0,in/a/x.png,k,kept\n1,in/a/2-x.png,k,kept\n2,in/b/x.png,k,kept\n2,in/c/x.png,k,kept\n"
    )
    #expect(try run(FilterJob(table: table, kept: folder.path("kept"))).kept == 4)
    let copied = try files("kept")
    #expect(copied == ["k/2-2-x.png", "k/2-3-x.png", "k/2-x.png", "k/x.png"])
    #expect(try Set(copied.map { try folder.read("kept/\($0)") }).count == 4)
    try folder.write(
      "samples.csv",
      "index,path,class,decision\n0,in/a/x.png,\u{e9},kept\n1,in/b/x.png,e\u{301},kept\n2,in/c/x.png,,kept\n")
    #expect(problem(FilterJob(table: table, kept: folder.path("other"))).contains("two classes would share a folder"))
    #expect(try run(FilterJob(table: table)).classes.count == 3)
  }

  @Test func nothingIsWrittenOverOrHalf() throws {
    try folder.write("full/x.txt", "mine")
    #expect(
      problem(FilterJob(table: table, kept: folder.path("kept"), rejected: folder.path("full")))
        .contains("full exists and is not an empty folder"))
    #expect(try folder.read("full/x.txt") == "mine" && !FileSystem.exists(folder.path("kept")))
    try folder.write("list.csv", "mine")
    #expect(problem(FilterJob(table: table, list: folder.path("list.csv"))).contains("list.csv exists"))
    #expect(
      problem(FilterJob(table: table, kept: folder.path("k"), rejected: folder.path("k"))).contains("name one folder"))
    for (kept, rejected) in [("k", "k/in"), ("k/in/", "k"), ("k", "./k/")] {
      let both = FilterJob(table: table, kept: folder.path(kept), rejected: folder.path(rejected))
      #expect(problem(both).contains("name one folder") && !FileSystem.exists(folder.path("k")))
    }
    try folder.write("file", "")
    #expect(
      problem(FilterJob(table: table, kept: folder.path("kept"), list: folder.path("file/list.csv"))).contains(
        "file/list"))
    #expect(!FileSystem.exists(folder.path("kept")))
    // The last file is missing: no folder is there, not even the one that is complete.
    try folder.remove("in/c/1.png")
    let before = try folder.entries()
    let text = problem(FilterJob(table: table, kept: folder.path("kept"), rejected: folder.path("rejected")))
    #expect(text.contains("samples.csv:5: there is no file") && text.contains("in/c/1.png"))
    #expect(try folder.entries() == before)
    try FileSystem.createFolder(folder.path("empty"))
    _ = try run(FilterJob(table: table, kept: folder.path("empty")))
    #expect(try files("empty").count == 3)
  }

  @Test(arguments: [
    ("index,label\n0,1\n", "no column decision"), ("index,decision\n0,perhaps\n", "samples.csv:2: the decision is"),
    ("index,kept,row\n0,1,x\n", "samples.csv:2: the row is"), ("index,kept\n", "samples.csv:1: there is no sample"),
    ("index,kept\n0,1\n1,0\n", "samples.csv:2: there is no path"),
  ])
  func odd(_ text: String, _ words: String) throws {
    try folder.write("samples.csv", text)
    #expect(problem(FilterJob(table: table, kept: folder.path("kept"))).contains(words))
    #expect(!FileSystem.exists(folder.path("kept")))
  }

  /// The list is a data set, wherever it lies.
  @Test func theListIsADataSet() throws {
    for name in ["a/1.png", "a/2.png", "b/1.png", "c/1.png", "c/3.png"] {
      let image = DecodedImage(width: 4, height: 4, channels: 1, pixels: [UInt8](repeating: 7, count: 16))
      try folder.write("in/\(name)", try image.encodePNG())
    }
    _ = try run(FilterJob(table: table, list: folder.path("lists/kept.csv")))
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.holdOut) = ("csv", folder.path("lists/kept.csv"), 0)
    let data = try ImageDataset.load(settings, .train)
    #expect(data.classNames == ["T-shirt/top", "cat"] && data.labelArray() == [1, 0, 1])
  }

  /// Rows of a tensor file become a tensor file.
  @Test func rowsOfATensorFile() throws {
    let data = ImageDataset.tiny(count: 6, size: 8, classes: 3)
    try TensorFiles.write(data, split: .train, folder: folder.path("in"))
    let rows = [(0, "1"), (5, "0"), (2, "1"), (3, "1"), (1, "0")]
    try folder.write(
      "samples.csv",
      "index,path,row,class,kept\n"
        + rows.enumerated().map { "\($0),in/train.safetensors,\($1.0),x,\($1.1)\n" }.joined())
    _ = try run(FilterJob(table: table, kept: folder.path("kept")))
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.holdOut) = ("tensors", folder.path("kept"), 0)
    let kept = try ImageDataset.load(settings, .train)
    #expect(kept.labelArray() == data.subset([0, 2, 3]).labelArray() && kept.classNames == data.classNames)
    #expect(kept.images.array(UInt8.self) == data.subset([0, 2, 3]).images.array(UInt8.self) && kept.name == data.name)
    try folder.write("samples.csv", "path,row,kept\nin/train.safetensors,6,1\nin/train.safetensors,1,1\n")
    #expect(problem(FilterJob(table: table, kept: folder.path("more"))).contains("samples.csv:2: "))
    try folder.write("samples.csv", "path,row,kept\nin/data_batch_1.bin,6,1\n")
    #expect(problem(FilterJob(table: table, kept: folder.path("more"))).contains("--list FILE"))
  }
}
