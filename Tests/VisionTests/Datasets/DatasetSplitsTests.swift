import TestFiles
import Testing
import Torch
import Vision

struct DatasetSplitsTests {
  private let folder: TemporaryFolder
  private var settings = DatasetSettings()

  init() throws {
    folder = try TemporaryFolder()
    settings.name = "folder"
    settings.path = folder.path
  }

  private func write(_ name: String, side: Int = 4, gray: Bool = false) throws {
    let image = ramp(width: side, height: side)
    let flat = DecodedImage(width: side, height: side, channels: 1, pixels: Array(image.pixels.prefix(side * side)))
    try folder.write(name, try (gray ? flat : image).encodePNG())
  }
  private func load() throws -> (splits: DatasetSplits, notes: [String]) {
    var notes: [String] = []
    let splits = try DatasetSplits.load(settings) { notes.append($0) }
    return (splits, notes)
  }

  @Test(arguments: [true, false]) func channelsAreDecidedOverBothSplits(_ grayTrain: Bool) throws {
    for name in ["cat", "dog"] {
      try write("train/\(name)/1.png", gray: grayTrain)
      try write("test/\(name)/1.png", gray: !grayTrain)
    }
    let (splits, notes) = try load()
    let test = try #require(splits.test)
    #expect(splits.train.channels == 3 && test.channels == 3)
    let gray = grayTrain ? splits.train.images : test.images
    let planes = (0..<3).map { gray[0][$0].array(UInt8.self) }
    #expect(planes[0] == planes[1] && planes[0] == planes[2] && Set(planes[0]).count > 1)
    #expect(
      notes == [
        "gray \(grayTrain ? "training" : "test") images become three equal channels, as the other split has colour"
      ])
  }

  @Test func sizesMustAgree() throws {
    try write("train/cat/1.png", side: 5)
    try write("test/cat/1.png", side: 4)
    let text = message { _ = try DatasetSplits.load(settings) }
    #expect(text.contains("the training images are 5x5 pixels, the test images 4x4") && text.contains("dataset.size="))
  }

  @Test func anEmptyTestClassIsAnErrorAndNoTestSplitIsNone() throws {
    try write("train/cat/1.png")
    #expect(try load().splits.test == nil)
    try write("test/cat/1.png")
    try folder.write("train/dog/1.png", try ramp(width: 4, height: 4).encodePNG())
    try folder.write("test/dog/notes.txt", "")
    #expect(message { _ = try DatasetSplits.load(settings) }.contains("test/dog: a class folder without an image"))
  }

  @Test func filesOfOtherKindsAreCounted() throws {
    try write("train/cat/1.png")
    for name in ["a.txt", "b.HEIC", "c.heic", ".hidden"] { try folder.write("train/cat/\(name)", "") }
    try write("train/cat/more/2.png")
    let notes = try load().notes
    #expect(
      notes == [
        "4 files among the images passed over (2 .heic, 1 .txt, 1 folders), such as \(folder.path)/train/cat/b.HEIC"
      ])
  }

  @Test func tensorsAreMatchedByName() throws {
    func write(_ split: DataSplit, _ labels: [Int64], _ names: [String]) throws {
      let images = Tensor([UInt8](repeating: 1, count: 16 * labels.count), shape: [labels.count, 1, 4, 4])
      let data = ImageDataset(name: "tensors", images: images, labels: Tensor(labels), classNames: names)
      try TensorFiles.write(data, split: split, folder: folder.path)
    }
    try write(.train, [0, 1, 2], ["cat", "dog", "fox"])
    try write(.test, [0, 1], ["fox", "cat"])
    var settings = settings
    settings.name = "tensors"
    let test = try #require(try DatasetSplits.load(settings).test)
    #expect(test.labelArray() == [2, 0] && test.classNames == ["cat", "dog", "fox"])
    try write(.test, [0, 1], ["fox", "cow"])
    #expect(throws: ClassNameError.self) { try DatasetSplits.load(settings) }
  }
}
