import TestFiles
import Testing
import Vision

@Suite struct IDXFilesTests {
  private static let images: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2] + Array(1...12)
  private static let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 2, 9, 4]

  @Test(.enabled(if: RealData.fashionMNIST != nil, RealData.absent))
  func realFashionMNIST() throws {
    let path = try #require(RealData.fashionMNIST)
    let train = try IDXFiles.fashionMNIST.read(path, split: .train)
    #expect(train.count == 60_000 && train.channels == 1 && train.height == 28 && train.width == 28)
    // Computed with numpy from the files.
    #expect(train.labels.prefix(10) == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5] && train.labels[59_999] == 5)
    #expect(train[0, 0, 14, 14] == 217 && train[0, 0, 3, 12] == 1 && train[59_999, 0, 20, 9] == 0)
    #expect(train.pixels.reduce(0) { $0 + Int($1) } == 3_431_114_169)
    #expect(train.classNames[9] == "Ankle boot")
    let test = try IDXFiles.fashionMNIST.read(path, split: .test)
    #expect(test.count == 10_000 && test.labels.prefix(10) == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7])
    #expect(test[0, 0, 14, 14] == 110 && test[9_999, 0, 20, 9] == 54)
    #expect(test.pixels.reduce(0) { $0 + Int($1) } == 573_469_082)
    for label in Int64(0)..<10 { #expect(test.labels.count { $0 == label } == 1_000) }
  }

  @Test(arguments: ["-idx", ".idx"], [false, true])
  func spellings(separator: String, compressed: Bool) throws {
    let folder = try TemporaryFolder()
    let end = compressed ? ".gz" : ""
    try folder.write(
      "MNIST/raw/train-images\(separator)3-ubyte\(end)", compressed ? gzipStored(Self.images) : Self.images)
    try folder.write(
      "MNIST/raw/train-labels\(separator)1-ubyte\(end)", compressed ? gzipStored(Self.labels) : Self.labels)
    for path in [folder.path, folder.path + "/MNIST/raw"] {
      let images = try IDXFiles.mnist.read(path, split: .train)
      #expect(images.channels == 1 && images.height == 3 && images.width == 2 && images.count == 2)
      #expect(images.pixels == Array(1...12) && images.labels == [9, 4])
    }
    #expect(
      message { _ = try IDXFiles.mnist.read(folder.path, split: .test) }
        .contains("not found here: t10k-images-idx3-ubyte or t10k-images.idx3-ubyte or t10k-images-idx3-ubyte.gz"))
  }

  @Test func damage() throws {
    let folder = try TemporaryFolder()
    func read(_ images: [UInt8], _ labels: [UInt8]) throws -> String {
      try folder.write("t10k-images-idx3-ubyte", images)
      try folder.write("t10k-labels-idx1-ubyte", labels)
      return message { _ = try IDXFiles.mnist.read(folder.path, split: .test) }
    }
    #expect(
      try read(Array(Self.images.dropLast()), Self.labels)
        .contains(
          "t10k-images-idx3-ubyte: 27 bytes, expected 28 (a header of 16 bytes and 2 x 3 x 2 values). The file is "
            + "truncated"
        ))
    #expect(try read(Self.images + [0], Self.labels).contains("The file is too long"))
    #expect(try read(Array(Self.images.prefix(9)), Self.labels).contains("9 bytes, expected 16"))
    #expect(try read(Self.labels + Self.labels, Self.labels).contains("magic number 2049, expected 2051"))
    #expect(
      try read(Self.images, Array(Self.images)).contains("t10k-labels-idx1-ubyte: magic number 2051, expected 2049"))
    #expect(
      try read([0, 0, 8, 3] + [UInt8](repeating: 0xff, count: 12) + [1], Self.labels).contains(
        "its header gives the shape"))
    #expect(
      try read([0, 0, 8, 3] + [UInt8](repeating: 0, count: 12), Self.labels).contains(
        "its header gives the shape [0, 0, 0]"))
    #expect(try read(Self.images, [0, 0, 8, 1, 0, 0, 0, 1, 4]).contains("1 labels for 2 images"))
    #expect(try read(Self.images, [0, 0, 8, 1, 0, 0, 0, 2, 4, 10]).contains("record 1 has label 10, expected 0 to 9"))
    #expect(try read(Array(gzipStored(Self.images).dropLast(9)), Self.labels).contains("ends early"))
    #expect(message { _ = try IDXFiles.mnist.read(folder.path, split: .unlabeled) }.contains("no unlabeled split"))
  }
}
