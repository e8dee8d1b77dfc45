import Files
import Support
import TestFiles
import Testing
import Torch

@testable import Vision

@Suite struct ImageListFilesTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for value in 0..<6 { try folder.write("images/\(value).ppm", ppm(width: 2, height: 2, [UInt8(value), 0, 0])) }
  }

  private func load(_ table: String, _ split: DataSplit = .train, at name: String = "train.csv") throws -> ImageDataset
  {
    let path = try folder.write(name, table)
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.holdOut) = ("csv", name == "train.csv" ? folder.path : path, 0)
    return try ImageDataset.load(settings, split)
  }
  private func reds(_ data: ImageDataset) -> [Int] {
    data.images.selected(3, 0).selected(2, 0).selected(1, 0).contiguous().array(UInt8.self).map(Int.init)
  }

  @Test func namesBecomeClassesInTheOrderOfTheirBytes() throws {
    let data = try load(
      "size,LABEL,path\n1,dog,images/3.ppm\n2,cat,images/1.ppm\n3,dog,\"images/2.ppm\"\n", at: "my.csv")
    #expect(data.classNames == ["cat", "dog"] && data.labelArray() == [1, 0, 1] && reds(data) == [3, 1, 2])
    #expect(data.sources?.map(\.file) == [3, 1, 2].map { folder.path("images/\($0).ppm") })
    #expect(data.name == "csv")
  }

  @Test func numbersAreOrderedAsNumbers() throws {
    let rows = [10, 2, 0, 1].enumerated().map { "images/\($0).ppm,\($1)\n" }.joined()
    let data = try load("file,target\n" + rows)
    #expect(data.classNames == ["0", "1", "2", "10"] && data.labelArray() == [3, 2, 0, 1])
  }

  /// `samples.csv` has the number of a class and its name.
  @Test func theNameCountsBesideANumber() throws {
    let data = try load("path,label,class\nimages/0.ppm,7,ship\nimages/1.ppm,2,cat\n")
    #expect(data.classNames == ["cat", "ship"] && data.labelArray() == [1, 0])
  }

  @Test func testImagesHaveATableOfTheirOwn() throws {
    _ = try load("path,label\nimages/0.ppm,cat\nimages/1.ppm,dog\n")
    let test = try load("path,label\nimages/2.ppm,dog\n", at: "test.csv")
    #expect(test.classNames == ["dog"], "named as a file, it is a set of its own")
    var settings = DatasetSettings()
    (settings.name, settings.path) = ("csv", folder.path)
    let splits = try DatasetSplits.load(settings)
    #expect(splits.train.count == 2 && splits.test?.labelArray() == [1] && splits.test?.classNames == ["cat", "dog"])
    try folder.write("test.csv", "path,label\nimages/2.ppm,cow\n")
    #expect(
      message { _ = try DatasetSplits.load(settings) }.contains("test.csv:2: the class cow is not among those of"))
    #expect(try settings.classNames() == ["cat", "dog"])
  }

  @Test(arguments: [
    ("label,where\ncat,images/0.ppm\n", "train.csv:1: no column is called path, but label, where"),
    ("path,colour\nimages/0.ppm,red\n", "train.csv:1: no column is called label or class, but path, colour"),
    ("path,label\n", "train.csv:1: there is no row under the header"),
    ("path,label\nimages/0.ppm,cat\n,dog\n", "train.csv:3: the path is empty"),
    ("path,label\nimages/0.ppm,cat\nimages/1.ppm, \n", "train.csv:3: images/1.ppm has no label"),
    ("path,label\n\nimages/0.ppm,cat\nimages/9.ppm,dog\n", "train.csv:4: there is no file"),
    ("path,label\nimages/0.ppm,01\nimages/1.ppm,2\n", "train.csv:2: the label 01 is no plain number"),
    ("path,label\nimages/0.ppm\n", "train.csv:2: 1 field, and the header names 2 columns"),
  ])
  func whatIsWrongIsSaidWithItsLine(_ table: String, _ words: String) {
    #expect(message { _ = try load(table) }.contains(words))
  }

  @Test func aFolderWithoutTheTableIsNotOne() throws {
    var settings = DatasetSettings()
    (settings.name, settings.path) = ("csv", folder.path)
    try folder.write("labels.csv", "path,label\nimages/0.ppm,cat\n")
    let text = message { _ = try ImageDataset.load(settings, .train) }
    #expect(text.contains("train.csv") && text.contains("Did you mean \(folder.path("labels.csv"))?"))
  }

  @Test func withoutLabelsImagesAreUnlabeled() throws {
    let data = try load("path\nimages/4.ppm\nimages/5.ppm\n", .unlabeled)
    #expect(data.labelArray() == [-1, -1] && reds(data) == [4, 5])
    var plain = DatasetSettings()
    (plain.name, plain.path) = ("folder", folder.path("images"))
    let images = try ImageDataset.load(plain, .unlabeled)
    #expect(images.count == 6 && images.labelArray() == [Int](repeating: -1, count: 6) && reds(images) == Array(0..<6))
    #expect(message { _ = try ImageDataset.load(plain, .train) }.contains("no subfolder for each class"))
  }
}

/// One folder of classes, without a test split: twelve cats, six dogs.
@Suite struct HeldOutSplitTests {
  private let folder: TemporaryFolder
  private var settings = DatasetSettings()

  init() throws {
    folder = try TemporaryFolder()
    for value in 0..<18 {
      try folder.write("\(value < 12 ? "cat" : "dog")/\(value).ppm", ppm(width: 2, height: 2, [UInt8(value), 0, 0]))
    }
    (settings.name, settings.path) = ("folder", folder.path)
  }

  private func files(_ data: ImageDataset?) -> Set<String> { Set(data?.sources?.map(\.file) ?? []) }

  @Test func aFifthOfEachClassIsHeldOut() throws {
    var notes: [String] = []
    var settings = settings
    settings.holdOut = 1.0 / 3
    let splits = try DatasetSplits.load(settings) { notes.append($0) }
    let test = try #require(splits.test)
    #expect(test.count == 6 && test.labelArray().count { $0 == 0 } == 4, "each class gives its share")
    #expect(splits.train.count == 12 && files(splits.train).isDisjoint(with: files(test)))
    #expect(files(splits.train).union(files(test)).count == 18)
    #expect(notes.contains { $0.contains("no test split; 6 of 18 images") })
    // Every command takes the same images, and another seed others.
    #expect(try files(ImageDataset.load(settings, .test)) == files(test))
    #expect(try files(ImageDataset.load(settings, .train)) == files(splits.train))
    settings.seed = 5
    #expect(try files(ImageDataset.load(settings, .test)) != files(test))
    settings.holdOut = nil
    #expect(try DatasetSplits.load(settings).test?.count == 4, "a fifth")
  }

  @Test func whatASplitSpoilsIsSaid() throws {
    var notes: [String] = []
    for value in 0..<8 { try folder.write("kind\(value)/x.ppm", ppm(width: 2, height: 2, [UInt8(value), 1, 0])) }
    var settings = settings
    settings.holdOut = 0.5
    let train = try DatasetSplits.load(settings) { notes.append($0) }.train
    let lost = train.classNames.indices.filter { !train.labelArray().contains($0) }.map { train.classNames[$0] }
    try #require(!lost.isEmpty && lost.count <= 5)
    #expect(notes.contains { $0.contains("no training image is left of \(lost.joined(separator: ", "))") }, "\(notes)")
    #expect(!notes.contains { $0.contains("listed again") })
    let rows = (0..<12).map { "cat/\($0).ppm,cat\n" } + (12..<18).map { "dog/\($0).ppm,dog\n" }
    try folder.write("list.csv", "path,label\n" + rows.joined() + rows[3] + rows[3] + rows[14])
    (settings.name, settings.path, notes) = ("csv", folder.path("list.csv"), [])
    _ = try DatasetSplits.load(settings) { notes.append($0) }
    #expect(notes.contains { $0.contains("3 images are listed again") }, "\(notes)")
  }

  @Test func allOrNothing() throws {
    var settings = settings
    settings.holdOut = 0
    #expect(try DatasetSplits.load(settings).test == nil)
    #expect(try ImageDataset.load(settings, .train).count == 18)
    #expect(message { _ = try ImageDataset.load(settings, .test) }.contains("has no test split"))
    settings.holdOut = 1
    #expect(try ImageDataset.load(settings, .test).count == 18)
  }

  /// The limits count what is left on each side, by class.
  @Test func limitsComeAfterTheSplit() throws {
    var settings = settings
    (settings.holdOut, settings.train, settings.test) = (1.0 / 3, 6, 3)
    let splits = try DatasetSplits.load(settings)
    #expect(splits.train.labelArray().count { $0 == 0 } == 4 && splits.train.count == 6)
    #expect(splits.test?.count == 3 && splits.test?.labelArray().count { $0 == 0 } == 2)
  }

  @Test func theGeneratedSetTakesNoFolder() {
    var settings = settings
    settings.name = "generated"
    let error = #expect(throws: SettingsError.self) { _ = try ImageDataset.load(settings, .train) }
    #expect(error.map { "\($0)".contains("it looks like folder") } == true)
  }
}
