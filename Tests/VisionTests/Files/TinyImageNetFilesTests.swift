import TestFiles
import Testing
import Vision

@Suite struct TinyImageNetFilesTests {
  /// Two classes of two train images, three validation images; class order in wnids.txt differs from the sorted one.
  private static func tree() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let root = "tiny-imagenet-200"
    try folder.write("\(root)/wnids.txt", "n09\nn01\n")
    try folder.write("\(root)/words.txt", "n00\tentity\nn01\tgoldfish, Carassius auratus\nn09\tball\n")
    for (label, wnid) in ["n01", "n09"].enumerated() {
      for index in [0, 10] {
        let image = ppm(width: 4, height: 4, [UInt8(label), UInt8(index), 9])
        try folder.write("\(root)/train/\(wnid)/images/\(wnid)_\(index).JPEG", image)
      }
      try folder.write("\(root)/train/\(wnid)/\(wnid)_boxes.txt", "\(wnid)_0.JPEG\t0\t0\t62\t62\n")
    }
    for index in 0..<3 {
      try folder.write("\(root)/val/images/val_\(index).JPEG", ppm(width: 4, height: 4, [7, UInt8(index), 7]))
    }
    try folder.write(
      "\(root)/val/val_annotations.txt",
      "val_2.JPEG\tn09\t0\t32\t44\t62\nval_0.JPEG\tn09\t1\t1\t2\t2\nval_1.JPEG\tn01\t1\t1\t2\t2\n")
    // A JPEG of 20 x 14 and gray, as real ones are JPEG and some are gray.
    try folder.write("\(root)/test/images/test_0.JPEG", try golden("gray.jpg"))
    try folder.write("\(root)/test/images/test_1.JPEG", try golden("colour.jpg"))
    return folder
  }

  @Test func splits() throws {
    let folder = try Self.tree()
    for path in [folder.path, folder.path + "/tiny-imagenet-200"] {
      let train = try TinyImageNetFiles.read(path, split: .train, imagesPerClass: 2)
      #expect(train.labels == [0, 0, 1, 1] && train.classNames == ["goldfish", "ball"])
      #expect(
        (0..<4).map { train[$0, 0, 3, 3] } == [0, 0, 1, 1] && (0..<4).map { train[$0, 1, 2, 1] } == [0, 10, 0, 10])
      let test = try TinyImageNetFiles.read(path, split: .test)
      #expect(test.labels == [1, 0, 1] && (0..<3).map { test[$0, 1, 0, 0] } == [0, 1, 2])
      let unlabeled = try TinyImageNetFiles.read(path, split: .unlabeled)
      #expect(
        unlabeled.labels == [-1, -1] && unlabeled.channels == 3 && unlabeled.width == 20 && unlabeled.height == 14)
      #expect(unlabeled[0, 0, 6, 6] == unlabeled[0, 2, 6, 6] && unlabeled[1, 0, 6, 6] != unlabeled[1, 1, 6, 6])
    }
  }

  /// Validation images in folders by class, as other programs move them, are the same in the same order.
  @Test(arguments: ["", "images/"]) func validationByClass(_ inner: String) throws {
    let folder = try Self.tree()
    let val = "tiny-imagenet-200/val"
    for (index, wnid) in ["n09", "n01", "n09"].enumerated() {
      try folder.write(
        "\(val)/\(wnid)/\(inner)val_\(index).JPEG", ppm(width: 4, height: 4, [7, UInt8(index), 7]))
    }
    // A name that comes before: 10 is after 1.
    try folder.write("\(val)/n01/\(inner)val_10.JPEG", ppm(width: 4, height: 4, [7, 10, 7]))
    try folder.remove("\(val)/images")
    try folder.remove("\(val)/val_annotations.txt")
    let test = try TinyImageNetFiles.read(folder.path, split: .test)
    #expect(test.labels == [1, 0, 0, 1] && (0..<4).map { test[$0, 1, 0, 0] } == [0, 1, 10, 2])
    #expect(test.sources?[2].file.hasSuffix("val/n01/\(inner)val_10.JPEG") == true)
    try folder.remove("\(val)/n01")
    #expect(
      message { _ = try TinyImageNetFiles.read(folder.path, split: .test) }.contains("val/n01: there is no such file"))
    try folder.remove("\(val)/n09")
    #expect(
      message { _ = try TinyImageNetFiles.read(folder.path, split: .test) }.contains(
        "val/images, val/val_annotations.txt"))
  }

  @Test func damage() throws {
    let folder = try Self.tree()
    let root = "tiny-imagenet-200"
    func read(_ split: DataSplit, perClass: Int? = 2) -> String {
      message { _ = try TinyImageNetFiles.read(folder.path, split: split, imagesPerClass: perClass) }
    }
    #expect(read(.train, perClass: 500).contains("train/n01/images: 2 images, expected 500"))
    try folder.write("\(root)/val/val_annotations.txt", "val_0.JPEG\tn77\t0\n")
    #expect(read(.test).contains("val_annotations.txt: line 1 is 'val_0.JPEG\\u{9}n77\\u{9}0'"))
    try folder.write("\(root)/val/val_annotations.txt", "val_9.JPEG\tn01\t0\n")
    #expect(read(.test).contains("val_9.JPEG, which val_annotations.txt names"))
    try folder.write("\(root)/val/val_annotations.txt", "../../wnids.txt\tn01\t0\n")
    #expect(read(.test).contains("line 1"))
    try folder.write("\(root)/train/n09/images/n09_0.JPEG", ppm(width: 5, height: 4, [1, 2, 3]))
    #expect(read(.train).contains("n09_0.JPEG: the image is 5x4, the first image is 4x4"))
    try folder.remove("\(root)/train/n09/images/n09_0.JPEG")
    try folder.remove("\(root)/train/n09/images/n09_10.JPEG")
    #expect(read(.train, perClass: nil).contains("n09/images: not found here: *.JPEG"))
    try folder.remove("\(root)/train/n09")
    #expect(read(.train).contains("train/n09/images: there is no such file or folder."))
    try folder.remove("\(root)/wnids.txt")
    #expect(read(.train).contains("not found here: wnids.txt"))
  }
}
