import Foundation
import Synchronization
import TestFiles
import Testing
import Vision

@Suite struct ImageFolderFilesTests {
  @Test func formatsOrderAndColour() throws {
    let folder = try TemporaryFolder()
    let colour = ramp(width: 5, height: 4)
    let gray = DecodedImage(width: 5, height: 4, channels: 1, pixels: Array(40..<60))
    try folder.write("zebra/b.PNG", try colour.encodePNG())
    try folder.write("zebra/a.png", try gray.encodePNG())
    try folder.write("ant/x.ppm", ppm(width: 5, height: 4, [1, 2, 3]))
    try folder.write("ant/W.pgm", Array("P5 5 4 255 ".utf8) + gray.pixels)
    try folder.write("ant/notes.txt", "not an image")
    try folder.write("ant/.hidden.png", "not an image")
    try folder.write("readme.md", "")
    let images = try ImageFolderFiles.read(folder.path, split: .train)
    #expect(images.classNames == ["ant", "zebra"] && images.labels == [0, 0, 1, 1])
    #expect(images.channels == 3 && images.height == 4 && images.width == 5)
    let grayPlanes = gray.pixels + gray.pixels + gray.pixels
    let colourPlanes = (0..<3).flatMap { c in (0..<20).map { colour.pixels[3 * $0 + c] } }
    let flat = (1...3).flatMap { [UInt8](repeating: UInt8($0), count: 20) }
    #expect(images.pixels == grayPlanes + flat + grayPlanes + colourPlanes)
  }

  @Test func allGrayStaysGray() throws {
    let folder = try TemporaryFolder()
    for (index, name) in ["a/1.png", "a/2.png", "b/1.png"].enumerated() {
      let image = DecodedImage(width: 2, height: 2, channels: 1, pixels: (0..<4).map { UInt8(10 * index + $0) })
      try folder.write(name, try image.encodePNG())
    }
    let images = try ImageFolderFiles.read(folder.path, split: .train)
    #expect(images.channels == 1 && images.pixels == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23])
  }

  @Test func splits() throws {
    let folder = try TemporaryFolder()
    try folder.write("train/a/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    try folder.write("train/train/1.ppm", ppm(width: 2, height: 2, [2, 2, 2]))
    try folder.write("val/train/1.ppm", ppm(width: 2, height: 2, [3, 3, 3]))
    try folder.write("unlabeled/u.ppm", ppm(width: 2, height: 2, [4, 4, 4]))
    let train = try ImageFolderFiles.read(folder.path, split: .train)
    #expect(train.classNames == ["a", "train"] && train.labels == [0, 1] && train[1, 0, 0, 0] == 2)
    let test = try ImageFolderFiles.read(folder.path, split: .test)
    #expect(test.classNames == ["a", "train"] && test.labels == [1] && test[0, 0, 0, 0] == 3)
    #expect(try ImageFolderFiles.read(folder.path, split: .unlabeled).labels == [-1])
    try folder.write("val/c/1.ppm", ppm(width: 2, height: 2, [3, 3, 3]))
    #expect(
      message { _ = try ImageFolderFiles.read(folder.path, split: .test) }.contains(
        "val/c: a class that the train folder lacks"))
    // Without class folders inside, `train` is a class.
    let flat = try TemporaryFolder()
    try flat.write("car/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    try flat.write("train/1.ppm", ppm(width: 2, height: 2, [2, 2, 2]))
    #expect(try ImageFolderFiles.read(flat.path, split: .train).classNames == ["car", "train"])
    #expect(message { _ = try ImageFolderFiles.read(flat.path, split: .test) }.contains("test/<class> or val/<class>"))
  }

  @Test(arguments: [("Train", "TEST"), ("training", "valid"), ("TRAIN", "Validation"), ("train", "testing")])
  func namesOfSplits(_ train: String, _ test: String) throws {
    let folder = try TemporaryFolder()
    for name in ["\(train)/a", "\(train)/b", "\(test)/b"] {
      try folder.write("\(name)/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    }
    #expect(try ImageFolderFiles.read(folder.path, split: .train).classNames == ["a", "b"])
    let images = try ImageFolderFiles.read(folder.path, split: .test)
    #expect(images.labels == [1] && images.notes.isEmpty)
  }

  @Test func splitsThatAreNotReadAreNamed() throws {
    let folder = try TemporaryFolder()
    for name in ["train/a", "test/a", "val/a", "extra"] {
      try folder.write("\(name)/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    }
    let notes = try ImageFolderFiles.read(folder.path, split: .train).notes
    #expect(notes == ["\(folder.path): not used: extra, val; the images come from train and test"])
    let flat = try TemporaryFolder()
    for name in ["car", "test"] { try flat.write("\(name)/1.ppm", ppm(width: 2, height: 2, [1, 1, 1])) }
    let images = try ImageFolderFiles.read(flat.path, split: .train)
    #expect(images.notes == ["\(flat.path): taken for a class, not a split, as it holds no class folders: test"])
  }

  @Test func spellingsThatUnicodeCallsEqualAreTwoClasses() throws {
    let folder = try TemporaryFolder()
    let names = ["cafe\u{301}", "caf\u{e9}", "truck"]
    for name in names { try folder.write("train/\(name)/1.ppm", ppm(width: 2, height: 2, [1, 1, 1])) }
    try folder.write("test/caf\u{e9}/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    #expect(try ImageFolderFiles.read(folder.path, split: .train).labels == [0, 1, 2])
    #expect(try ImageFolderFiles.read(folder.path, split: .test).labels == [1])
  }

  @Test func manyImagesInOrderWithProgress() throws {
    let folder = try TemporaryFolder()
    for index in 0..<600 {
      let image = ppm(width: 3 + index % 5, height: 3, [UInt8(index & 255), UInt8(index >> 8), 0])
      try folder.write("c\(index % 3)/\(1_000 + index).ppm", image)
    }
    let seen = Mutex<[Int]>([])
    let images = try ImageFolderFiles.read(folder.path, split: .train, size: 4, resize: nearest) { done, total in
      #expect(total == 600)
      seen.withLock { $0.append(done) }
    }
    #expect(images.count == 600 && images.width == 4 && images.height == 4)
    let order = (0..<3).flatMap { c in (0..<600).filter { $0 % 3 == c } }
    #expect((0..<600).map { Int(images[$0, 0, 3, 3]) + 256 * Int(images[$0, 1, 0, 2]) } == order)
    let calls = seen.withLock { $0 }
    #expect(calls == calls.sorted() && calls.last == 600)
    #expect(try ImageFolderFiles.read(folder.path, split: .train, size: 4, resize: nearest) == images)
  }

  @Test func firstFailureInOrderIsReported() throws {
    let folder = try TemporaryFolder()
    for index in 0..<8 { try folder.write("c/\(index).ppm", ppm(width: 2, height: 1, [UInt8(index), 0, 0])) }
    struct Refused: Error, Equatable { let image: UInt8 }
    // Image 1 fails late, image 2 at once and on another thread: the answer is image 1 all the same.
    for _ in 0..<3 {
      #expect(throws: Refused(image: 1)) {
        try ImageFolderFiles.read(folder.path, split: .train, size: 2) { image, size in
          let index = image.pixels[0]
          if index == 1 { Thread.sleep(forTimeInterval: 0.05) }
          if index == 1 || index == 2 { throw Refused(image: index) }
          return try nearest(image, size)
        }
      }
    }
  }

  @Test func errors() throws {
    let folder = try TemporaryFolder()
    func read(size: Int? = nil, resize: ImageResize? = nil) -> String {
      message { _ = try ImageFolderFiles.read(folder.path, split: .train, size: size, resize: resize) }
    }
    #expect(read().contains("not found here: one subfolder for each class"))
    try folder.write("a/1.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    try folder.write("b/2.ppm", ppm(width: 3, height: 2, [1, 1, 1]))
    #expect(
      read()
        == "\(folder.path)/b/2.ppm: the image is 3x2, the first image is 2x2. Set the image size, so that all are "
        + "resized to it."
    )
    #expect(read(size: 2).contains("b/2.ppm: the image is 3x2, expected 2x2, and no way to resize was given"))
    #expect(read(size: 0, resize: nearest).contains("an image size of 0"))
    #expect(read(size: 2) { image, _ in image }.contains("resizing gave 3x2x3, expected 2x2x3"))
    struct Refused: Error {}
    #expect(throws: Refused.self) {
      try ImageFolderFiles.read(folder.path, split: .train, size: 2) { _, _ in throw Refused() }
    }
    try folder.write("b/2.ppm", "hello world")
    #expect(
      read().contains(
        "b/2.ppm: neither PNG, JPEG, WebP, BMP, GIF, TIFF, PPM (P6) nor PGM (P5): it starts with the bytes 68 65 6c 6c")
    )
    try folder.remove("b/2.ppm")
    #expect(
      read().contains("/b: a class folder without an image. Put images into it, or remove it. Read are *.png, *.jpg"))
    // The folder of one class in place of the one above it; images without classes.
    try folder.write("b/2.ppm", ppm(width: 2, height: 2, [1, 1, 1]))
    let own = message { _ = try ImageFolderFiles.read(folder.path + "/b", split: .train) }
    #expect(
      own.contains("no subfolder for each class") && own.contains("one class of \(folder.path), which has 2"), "\(own)")
    try folder.remove("a/1.ppm")
    #expect(message { _ = try ImageFolderFiles.read(folder.path + "/b", split: .train) }.contains("--dataset csv"))
    #expect(
      message { _ = try ImageFolderFiles.read(folder.path + "/nowhere/at/all", split: .train) }.contains(
        "no such file or folder"))
  }
}
