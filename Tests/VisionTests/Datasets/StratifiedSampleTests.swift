import Files
import Foundation
import Support
import TestFiles
import Testing
import Torch

@testable import Vision

@Suite struct StratifiedSampleTests {
  /// 60 images sorted by class: 40 of the first, 15 of the second, 5 of the third.
  private let sorted = ImageDataset(
    name: "tensors", images: Tensor.zeros([60, 1, 4, 4], dtype: .uint8),
    labels: Tensor(
      [Int64](repeating: 0, count: 40) + [Int64](repeating: 1, count: 15) + [Int64](repeating: 2, count: 5)),
    classNames: ["a", "b", "c"])

  private func counts(_ labels: [Int]) -> [Int] { (0..<3).map { label in labels.count { $0 == label } } }

  @Test func eachClassGivesItsShare() {
    let positions = sorted.stratifiedSample(count: 12, seed: 1, stream: "test")
    #expect(counts(sorted.subset(positions).labelArray()) == [8, 3, 1])
    #expect(positions == positions.sorted() && Set(positions).count == 12)
    #expect(positions == sorted.stratifiedSample(count: 12, seed: 1, stream: "test"))
    #expect(positions != sorted.stratifiedSample(count: 12, seed: 2, stream: "test"))
    #expect(sorted.stratifiedSample(count: 99, seed: 1, stream: "test") == Array(0..<60))
    #expect(sorted.stratifiedSample(count: 0, seed: 1, stream: "test") == [])
  }

  /// The user's own files may be sorted by class.
  @Test func settingsDrawFromOwnFiles() throws {
    try withTemporaryFolder { folder in
      try TensorFiles.write(sorted, split: .train, folder: folder)
      var settings = DatasetSettings()
      (settings.name, settings.path, settings.train) = ("tensors", folder, 12)
      #expect(counts(try ImageDataset.load(settings, .train).labelArray()) == [8, 3, 1])
    }
  }

  /// So are the published data sets that have a folder a class: the first images of GTSRB are of one sign.
  @Test func settingsDrawFromPublishedFilesByClass() throws {
    try withTemporaryFolder { folder in
      for label in 0..<43 {
        let name = label < 10 ? "0000\(label)" : "000\(label)"
        let images = "\(folder)/GTSRB/Final_Training/Images/\(name)"
        try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
        var rows = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"
        for index in 0..<3 {
          let file = "00000_0000\(index).ppm"
          let pixels = [UInt8](repeating: UInt8(label), count: 192)
          try Data(Array("P6 8 8 255\n".utf8) + pixels).write(to: URL(filePath: "\(images)/\(file)"))
          rows += "\(file);8;8;1;1;6;6;\(label)\r\n"
        }
        try Data(rows.utf8).write(to: URL(filePath: "\(images)/GT-\(name).csv"))
      }
      var settings = DatasetSettings()
      (settings.name, settings.path, settings.train, settings.size) = ("gtsrb", folder, 43, 8)
      let labels = try ImageDataset.load(settings, .train).labelArray()
      #expect(labels == Array(0..<43))
      settings.train = 86
      #expect(try ImageDataset.load(settings, .train).labelArray() == (0..<43).flatMap { [$0, $0] })
    }
    #expect(
      Set(DatasetKind.all.filter { !$0.mayBeSorted }.map(\.id)) == [
        "generated", "cifar10", "cifar100", "mnist", "fashion-mnist", "stl10",
      ])
  }

  /// Each split has a limit and a draw of its own; first images keep their labels.
  @Test func splitsAreDrawnApart() throws {
    let named = Tensor((0..<60).flatMap { [UInt8](repeating: UInt8($0), count: 16) }, shape: [60, 1, 4, 4])
    let data = ImageDataset(name: "tensors", images: named, labels: sorted.labels, classNames: sorted.classNames)
    func names(_ data: ImageDataset) -> [Int] {
      data.images.flattened(1).selected(1, 0).array(UInt8.self).map(Int.init)
    }
    try withTemporaryFolder { folder in
      try TensorFiles.write(data, split: .train, folder: folder)
      try TensorFiles.write(data, split: .test, folder: folder)
      var settings = DatasetSettings()
      (settings.name, settings.path, settings.train, settings.test) = ("tensors", folder, 12, 24)
      let (train, test) = (try ImageDataset.load(settings, .train), try ImageDataset.load(settings, .test))
      #expect(train.count == 12 && counts(test.labelArray()) == [16, 6, 2])
      settings.test = 12
      #expect(names(try ImageDataset.load(settings, .test)) != names(train))
      settings.seed = 1
      #expect(names(try ImageDataset.load(settings, .train)) != names(train))
    }
    let last = data.subset([59, 1, 45, 2]).prefix(3)
    #expect(names(last) == [59, 1, 45] && last.labelArray() == [2, 0, 1])
  }

  @Test func namesThatMislead() {
    func first(_ names: [String]) -> Int? {
      ImageDataset(
        name: "test", images: Tensor.zeros([0, 1, 4, 4], dtype: .uint8), labels: Tensor([] as [Int64]),
        classNames: names
      )
      .misleadingClass
    }
    #expect(first(["0", "1", "10", "11", "2"]) == 2)
    #expect(first(["0", "1", "2"]) == nil)
    #expect(first(["0", "stop", "10"]) == nil)
  }
}
