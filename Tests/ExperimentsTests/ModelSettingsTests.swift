import Files
import Support
import TestData
import Testing
import Torch
import Vision

@testable import Experiments

/// What a configuration makes of a model's name and a data set, and which runs share their backdoored model.
@Suite struct ModelSettingsTests {
  @Test(arguments: DatasetKind.all.map(\.id)) func modelsNormalizeAsTheirDataSet(_ id: String) throws {
    let kind = try DatasetKind.named(id)
    for channels in [1, 3] {
      let data = ImageDataset.tiny(count: 6, channels: channels, size: 16, classes: 3, name: id)
      var settings = ModelSettings()
      settings.name = "resnet32"
      let spec = try settings.spec(for: data)
      #expect(spec.kind == "resnet32" && spec.shape.width == 16 && spec.shape.classes == 3)
      #expect(spec.shape.channels == channels && spec.shape.imageSize == 16)
      #expect(spec.shape.normalization == kind.normalization(channels: channels))
      settings.width = 8
      #expect(try settings.spec(for: data).shape.width == 8)
    }
  }

  /// Defense, evaluation and the clean images do not change the backdoored model, unless these are taken out of its
  /// training set.
  @Test func runsThatShareTheirModel() throws {
    func id(_ changes: JSONValue) throws -> String { try ExperimentConfiguration(changes).backdooredModelID() }
    let plain = try id([:])
    for same: JSONValue in [
      ["defense": "ft"], ["defense": "none"], ["evaluation": ["every": 3]], ["clean": ["share": 0.2]],
      ["clean": ["count": 7, "balanced": true]], ["threads": 3],
    ] { #expect(try id(same) == plain, "\(same.compactJSON)") }
    var seen = Set([plain])
    for other: JSONValue in [
      ["seed": 1], ["attack": ["rate": 0.2]], ["attack": "none"], ["recipe": ["epochs": 3]], ["model": ["width": 8]],
      ["precision": "float32"], ["dataset": ["size": 40]], ["clean": ["disjoint": true]],
      ["clean": ["disjoint": true, "share": 0.2]], ["clean": ["unlabeled": 0.3]],
      ["clean": ["unlabeled": 0.3, "share": 0.2]], ["clean": ["unlabeled": 0.4]],
    ] { #expect(seen.insert(try id(other)).inserted, "\(other.compactJSON)") }
  }

  @Test(arguments: ModelKind.all.map(\.id)) func imagesHaveToBeSquare(_ name: String) throws {
    func data(_ height: Int, _ width: Int) -> ImageDataset {
      ImageDataset(
        name: "folder", images: .zeros([2, 3, height, width], dtype: .uint8), labels: Tensor([0, 1] as [Int64]),
        classNames: ["a", "b"])
    }
    var settings = ModelSettings()
    settings.name = name
    #expect(try settings.spec(for: data(32, 32)).shape.imageSize == 32)
    for (height, width) in [(32, 40), (40, 32)] {
      let error = #expect(throws: SettingsError.self) { try settings.spec(for: data(height, width)) }
      #expect(error?.issues.first?.path == "dataset.size")
      #expect(error?.description.contains("\(height)x\(width) pixels, and models take square ones") == true)
    }
  }
}
