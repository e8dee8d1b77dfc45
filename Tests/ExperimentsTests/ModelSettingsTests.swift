import Support
import Testing
import Torch
import Vision

@testable import Experiments

struct ModelSettingsTests {
  private func data(_ height: Int, _ width: Int) -> ImageDataset {
    ImageDataset(
      name: "folder", images: .zeros([2, 3, height, width], dtype: .uint8), labels: Tensor([0, 1] as [Int64]),
      classNames: ["a", "b"])
  }

  @Test(arguments: ModelKind.all.map(\.id)) func imagesHaveToBeSquare(_ name: String) throws {
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
