import TestFiles
import Testing
import Vision

@Suite struct STL10FilesTests {
  private static let names = "airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n"

  private static func sample(_ n: Int, _ c: Int, _ y: Int, _ x: Int) -> UInt8 {
    UInt8((n * 50 + c * 80 + y * 3 + x) & 255)
  }

  /// Planes column by column, as the real files have them.
  private static func images(_ count: Int) -> [UInt8] {
    (0..<count).flatMap { n in
      (0..<3).flatMap { c in (0..<96).flatMap { x in (0..<96).map { y in sample(n, c, y, x) } } }
    }
  }

  @Test func columnsBecomeRows() throws {
    let folder = try TemporaryFolder()
    try folder.write("stl10_binary/class_names.txt", Self.names)
    try folder.write("stl10_binary/train_X.bin", Self.images(2))
    try folder.write("stl10_binary/train_y.bin", [1, 10])
    try folder.write("stl10_binary/unlabeled_X.bin", Self.images(1))
    let train = try STL10Files.read(folder.path, split: .train, records: 2)
    #expect(train.labels == [0, 9] && train.classNames[9] == "truck" && train.height == 96 && train.width == 96)
    let rows = (0..<2).flatMap { n in
      (0..<3).flatMap { c in (0..<96).flatMap { y in (0..<96).map { x in Self.sample(n, c, y, x) } } }
    }
    #expect(same(train.pixels, rows))
    let unlabeled = try STL10Files.read(folder.path + "/stl10_binary", split: .unlabeled, records: 0)
    #expect(unlabeled.labels == [-1] && unlabeled[0, 2, 5, 90] == Self.sample(0, 2, 5, 90))
    #expect(
      message { _ = try STL10Files.read(folder.path, split: .train) }.contains(
        "expected 138,240,000 (5,000 images of 27,648 bytes)"))
    #expect(
      message { _ = try STL10Files.read(folder.path, split: .test) }.contains("not found here: test_X.bin, test_y.bin"))
  }

  @Test func damage() throws {
    let folder = try TemporaryFolder()
    try folder.write("class_names.txt", Self.names)
    try folder.write("test_X.bin", Self.images(2))
    func read(_ labels: [UInt8]) throws -> String {
      try folder.write("test_y.bin", labels)
      return message { _ = try STL10Files.read(folder.path, split: .test, records: 2) }
    }
    #expect(try read([1]).contains("test_y.bin: 1 bytes, expected 2 (one byte an image)"))
    #expect(try read([1, 0]).contains("record 1 has label 0, expected 1 to 10"))
    #expect(try read([11, 1]).contains("record 0 has label 11, expected 1 to 10"))
    try folder.write("test_X.bin", Array(Self.images(2).dropLast()))
    #expect(try read([1, 2]).contains("55,295 bytes, expected 55,296"))
    try folder.write("class_names.txt", "a\n")
    #expect(try read([1, 2]).contains("1 class names, expected 10"))
  }
}
