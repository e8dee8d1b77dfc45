import Foundation
import Support
import TestFiles
import Testing
import Torch
import TorchNN

@testable import Vision

/// Data sets as safetensors that somebody else wrote.
@Suite struct TensorFilesTests {
  /// Writes a training split and loads it.
  private func load(
    images: Tensor = Tensor.zeros([4, 3, 8, 8], dtype: .uint8), labels: Tensor, classes: String? = nil
  ) throws -> ImageDataset {
    try withTemporaryFolder { folder in
      try Safetensors.save(
        [("images", images), ("labels", labels)], metadata: classes.map { ["classes": $0] } ?? [:],
        to: "\(folder)/train.safetensors")
      var settings = DatasetSettings()
      (settings.name, settings.path) = ("tensors", folder)
      return try ImageDataset.load(settings, .train)
    }
  }
  private func refuses(
    _ words: [String], images: Tensor = Tensor.zeros([4, 3, 8, 8], dtype: .uint8), labels: [Int64] = [0, 1, 1, 0],
    classes: String? = nil
  ) {
    refuses(words, images: images, tensor: Tensor(labels), classes: classes)
  }
  private func refuses(
    _ words: [String], images: Tensor = Tensor.zeros([4, 3, 8, 8], dtype: .uint8), tensor labels: Tensor,
    classes: String? = nil
  ) {
    let error = #expect(throws: DataError.self) { try load(images: images, labels: labels, classes: classes) }
    for word in words { #expect(error?.description.contains(word) == true, "\(String(describing: error))") }
  }

  @Test func classesOfLabelsWithoutNames() throws {
    #expect(try load(labels: Tensor([0, 2, 1, 0] as [Int64])).classNames == ["0", "1", "2"])
    #expect(
      try load(labels: Tensor([0, 2, 1, 0] as [Int64]), classes: #"["a","b","c","d"]"#).classNames == [
        "a", "b", "c", "d",
      ])
  }

  @Test func labels() {
    refuses(["train.safetensors", "label -2 of image 1"], labels: [0, -2, 1, 0])
    refuses(["train.safetensors", "label -7 of image 0"], labels: [-7, -7, -7, -7])
    refuses(["the label 9223372036854775807", "1 to 100,000"], labels: [0, .max, 1, 0])
    refuses(["the label 300000000", "1 to 100,000"], labels: [0, 300_000_000, 1, 0])
    refuses(["label 1 of image 1 is outside 0 to 0 of its 1 class names"], classes: #"["a"]"#)
    refuses(["it names 0 classes"], classes: "[]")
    refuses(["no JSON list"], classes: "[1, 2]")
    refuses(["labels is", "int64 [4]"], labels: [0, 1])
    refuses(["labels is", "int64 [4]"], tensor: Tensor.zeros([4], dtype: .uint8))
    refuses(["labels is", "int64 [4]"], tensor: Tensor.zeros([4, 1], dtype: .int64))
  }

  @Test func imagesOfNoSize() {
    for shape in [[4, 3, 0, 8], [4, 3, 8, 0], [4, 2, 8, 8], [4, 3, 8], [4, 8, 8, 3]] {
      refuses(["train.safetensors", "images is", "N x C x H x W"], images: Tensor.zeros(shape, dtype: .uint8))
    }
    refuses(["images is", "uint8"], images: Tensor.zeros([4, 3, 8, 8]))
  }

  /// Whoever trains or measures needs a label of each image.
  @Test func imagesWithoutLabels() {
    refuses(["2 of 4 images of the train split have no label (-1)", "leave them out"], labels: [0, -1, 1, -1])
    refuses(["4 of 4 images"], labels: [-1, -1, -1, -1])
  }

  /// A large stem leaves a quarter of the resolution to the layers after it: 28 pixels are too few for some.
  @Test func aLargeStemNeedsLargerImages() throws {
    for (id, least) in [("densenet121", 32), ("convnext_tiny", 32), ("resnet18", 4)] {
      let kind = try ModelKind.named(id)
      var shape = ModelShape(classes: 3, width: 4 * kind.widthStep, imageSize: least)
      shape.stem = .large
      try kind.check(images: ImageShape(channels: 3, height: least, width: least), stem: .large)
      let model = kind.make(shape, Generator(seed: 0)).train()
      #expect(model(Tensor.zeros([2, 3, least, least])).shape == [2, 3], "\(id)")
      let small = ImageShape(channels: 3, height: 28, width: 28)
      try kind.check(images: small, stem: .small)
      guard least > 28 else { continue }
      let error = #expect(throws: SettingsError.self) { try kind.check(images: small, stem: .large) }
      #expect(error?.description.contains("\(id) takes \(least)x\(least) and larger") == true)
    }
  }

  @Test func imagesTooSmallForAModel() throws {
    for kind in ModelKind.all {
      let least = kind.leastImageSize
      // A transformer takes whole patches, of 4x4 pixels where images are small.
      let side = kind.id.hasPrefix("vit") ? 4 : least
      let shape = ModelShape(classes: 3, width: 4 * kind.widthStep, imageSize: side)
      let model = kind.make(shape, Generator(seed: 0)).train()
      #expect(model(Tensor.zeros([2, 3, side, side])).shape == [2, 3], "\(kind.id)")
      try kind.check(images: ImageShape(channels: 3, height: least, width: least))
      #expect(throws: SettingsError.self) { try kind.check(images: ImageShape(channels: 3, height: 8, width: 16)) }
      guard least > 1 else { continue }
      let error = #expect(throws: SettingsError.self) {
        try kind.check(images: ImageShape(channels: 3, height: least - 1, width: least - 1))
      }
      #expect(
        error?.description.contains("\(least)x\(least) and larger") == true
          && error?.description.contains("dataset.size") == true)
    }
  }
}
