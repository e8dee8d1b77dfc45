import Foundation
import TestFiles
import Testing
import Vision

@Suite struct GTSRBFilesTests {
  private static let header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"

  private static func rampPPM(width: Int, height: Int, plus: Int) -> [UInt8] {
    Array("P6 \(width) \(height) 255\n".utf8) + ramp(width: width, height: height, plus: plus).pixels
  }

  /// Three classes; images of 8 x 8 except one, whose CSV lines are out of order.
  private static func tree() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for label in 0..<3 {
      let base = "GTSRB/Final_Training/Images/0000\(label)"
      try folder.write("\(base)/00000_00000.ppm", rampPPM(width: 8, height: 8, plus: label))
      try folder.write("\(base)/00000_00001.ppm", rampPPM(width: label == 2 ? 12 : 8, height: 8, plus: 20 + label))
      try folder.write(
        "\(base)/GT-0000\(label).csv",
        header + "00000_00001.ppm;\(label == 2 ? 12 : 8);8;1;2;6;6;\(label)\r\n00000_00000.ppm;8;8;2;1;5;6;\(label)\r\n"
      )
    }
    try folder.write("GTSRB/Final_Test/Images/00000.ppm", rampPPM(width: 8, height: 8, plus: 50))
    try folder.write("GTSRB/Final_Test/Images/00001.ppm", rampPPM(width: 8, height: 8, plus: 60))
    try folder.write(
      "GTSRB/Final_Test/Images/GT-final_test.test.csv", "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2\n")
    try folder.write("GT-final_test.csv", header + "00000.ppm;8;8;1;1;6;6;2\n00001.ppm;8;8;1;1;6;6;0\n")
    return folder
  }

  @Test func trainAndTest() throws {
    let folder = try Self.tree()
    for path in [folder.path, folder.path + "/GTSRB"] {
      let train = try GTSRBFiles.read(path, split: .train, size: 8, resize: nearest, classes: 3)
      #expect(train.count == 6 && train.labels == [0, 0, 1, 1, 2, 2] && train.channels == 3)
      for (n, plus) in [0, 20, 1, 21, 2].enumerated() {
        #expect(train[n, 1, 3, 4] == UInt8((4 + 30 + 100 + plus) & 255))
      }
      #expect(train[5, 0, 2, 7] == UInt8(7 * 12 / 8 + 20 + 22))  // column 10 of 12
      let test = try GTSRBFiles.read(path, split: .test, classes: 3)
      #expect(test.labels == [2, 0] && test[1, 0, 0, 0] == 60 && test[0, 2, 7, 7] == UInt8((7 + 70 + 200 + 50) & 255))
    }
    #expect(GTSRBFiles.classNames.count == 43 && GTSRBFiles.classNames[14] == "Stop")
  }

  /// As BackdoorBench unpacks it.
  @Test func trainAndTestInOnePlace() throws {
    let folder = try Self.tree()
    try folder.remove("GTSRB/Final_Test/Images/GT-final_test.test.csv")
    try folder.write("GTSRB/Final_Test/Images/GT-final_test.csv", folder.read("GT-final_test.csv"))
    try folder.remove("GT-final_test.csv")
    let files = FileManager.default
    try files.createDirectory(atPath: folder.path("gtsrb"), withIntermediateDirectories: false)
    try files.moveItem(atPath: folder.path("GTSRB/Final_Training/Images"), toPath: folder.path("gtsrb/Train"))
    try files.moveItem(atPath: folder.path("GTSRB/Final_Test/Images"), toPath: folder.path("gtsrb/Test"))
    try folder.remove("GTSRB")
    for path in [folder.path, folder.path("gtsrb")] {
      let train = try GTSRBFiles.read(path, split: .train, size: 8, resize: nearest, classes: 3)
      #expect(train.labels == [0, 0, 1, 1, 2, 2])
      #expect(train.sources?.last?.file.hasSuffix("gtsrb/Train/00002/00000_00001.ppm") == true)
      let test = try GTSRBFiles.read(path, split: .test, classes: 3)
      #expect(test.labels == [2, 0] && test[1, 0, 0, 0] == 60)
      #expect(DatasetRecognition.kinds(at: path) == ["gtsrb"])
    }
  }

  /// Spreadsheets write the CSV files again with other separators.
  @Test(arguments: [",", "\t"]) func otherSeparators(_ separator: String) throws {
    let folder = try Self.tree(), files = (0..<3).map { "GTSRB/Final_Training/Images/0000\($0)/GT-0000\($0).csv" }
    for name in files + ["GT-final_test.csv"] {
      try folder.write(name, folder.read(name).replacing(";", with: separator))
    }
    let (train, test) = (
      try GTSRBFiles.read(folder.path, split: .train, size: 8, resize: nearest, classes: 3),
      try GTSRBFiles.read(folder.path, split: .test, classes: 3)
    )
    #expect(train.labels == [0, 0, 1, 1, 2, 2] && test.labels == [2, 0])
    try folder.write(files[0], folder.read(files[0]).replacing(separator, with: ";", maxReplacements: 1))
    #expect(throws: DataError.self) { try GTSRBFiles.read(folder.path, split: .train, classes: 3) }
  }

  @Test func cropKeepsBothCorners() throws {
    let folder = try Self.tree()
    // Boxes of 4 x 6 and 6 x 5 pixels: without resizing they differ, so the error shows the exact crop.
    let text = message { _ = try GTSRBFiles.read(folder.path, split: .train, cropToSign: true, classes: 3) }
    #expect(text.contains("00000_00001.ppm: the image is 6x5, the first image is 4x6. Set the image size"))
    let test = try GTSRBFiles.read(folder.path, split: .test, cropToSign: true, classes: 3)
    #expect(test.height == 6 && test.width == 6)
    #expect(test[0, 0, 0, 0] == 61 && test[0, 0, 5, 5] == UInt8(6 + 60 + 50))
  }

  @Test func differingSizesNeedASize() throws {
    let folder = try Self.tree()
    let text = message { _ = try GTSRBFiles.read(folder.path, split: .train, classes: 3) }
    #expect(text.contains("00002/00000_00001.ppm: the image is 12x8, the first image is 8x8. Set the image size"))
    #expect(
      message { _ = try GTSRBFiles.read(folder.path, split: .train, size: 8, classes: 3) }.contains(
        "Give the reader a resize function"))
  }

  @Test func damage() throws {
    let folder = try Self.tree()
    let base = "GTSRB/Final_Training/Images"
    func read(_ split: DataSplit = .train) -> String {
      message { _ = try GTSRBFiles.read(folder.path, split: split, size: 8, resize: nearest, classes: 3) }
    }
    func csv(_ rows: String, header: String = Self.header) throws -> String {
      try folder.write("\(base)/00001/GT-00001.csv", header + rows)
      return read()
    }
    let good = "00000_00000.ppm;8;8;2;1;5;6;1\n"
    #expect(try csv(good).contains("00000_00001.ppm: an image that GT-00001.csv does not list"))
    #expect(try csv(good + "00000_00002.ppm;8;8;2;1;5;6;1\n").contains("00000_00002.ppm, which GT-00001.csv lists"))
    #expect(
      try csv(good + "00000_00001.ppm;8;8;2;1;5;6;2\n").contains(
        "00000_00001.ppm has class 2, expected 1, the folder's"))
    #expect(try csv(good + "00000_00001.ppm;8;8;2;1;5;6;3\n").contains("line 3: class 3, expected 0 to 2"))
    #expect(
      try csv(good + "00000_00001.ppm;8;8;2;1;8;6;1\n").contains("line 3: the box 2,1 to 8,6 does not lie within 8x8"))
    #expect(
      try csv(good + "00000_00001.ppm;8;8;2;1\n").contains(
        "line 3: '00000_00001.ppm;8;8;2;1' is not a file name and 7 integers"))
    #expect(try csv(good + "00000_00001.ppm;9;8;2;1;5;6;1\n").contains("the image is 8x8, its CSV says 9x8"))
    #expect(try csv(good + good).contains("an image twice"))
    #expect(try csv(good, header: "").contains("its header is"))
    try folder.write("\(base)/00001/GT-00001.csv", Self.header + good + "00000_00001.ppm;8;8;2;1;5;6;1\n")
    #expect(try GTSRBFiles.read(folder.path, split: .train, size: 8, resize: nearest, classes: 3).count == 6)
    try folder.write("\(base)/00001/00000_00001.ppm", Array(Self.rampPPM(width: 8, height: 8, plus: 0).dropLast(5)))
    #expect(read().contains("00001/00000_00001.ppm: 198 bytes, expected 203"))
    #expect(
      message { _ = try GTSRBFiles.read(folder.path, split: .train, classes: 4) }.contains("not found here: 00003."))
    #expect(
      message { _ = try GTSRBFiles.read(folder.path, split: .train, classes: 2) }.contains("none of the 2 classes"))
    try folder.write("GT-final_test.csv", "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2\n")
    #expect(read(.test).contains("This is the test CSV without labels"))
    try folder.remove("GT-final_test.csv")
    #expect(read(.test).contains("GTSRB_Final_Test_GT.zip"))
    #expect(read(.unlabeled).contains("no unlabeled split"))
  }
}
