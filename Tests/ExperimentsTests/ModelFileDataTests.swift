import Support
import TestFiles
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

struct ModelFileDataTests {
  /// A file that says nothing about itself: its tensors tell that it takes colour.
  @Test func grayImagesForAColourModelFromElsewhere() throws {
    try withTemporaryFolder { folder in
      let gray = ImageDataset(
        name: "folder", images: .zeros([3, 1, 28, 28], dtype: .uint8), labels: Tensor([0, 1, 2] as [Int64]),
        classNames: ["a", "b", "c"])
      var named = ModelSettings()
      (named.name, named.width) = ("cnn", 4)
      for channels in [1, 3] {
        let path = "\(folder)/\(channels).safetensors"
        let model = try ModelSpec(
          kind: "cnn", shape: ModelShape(classes: 3, width: 4, channels: channels, imageSize: 28)
        ).make(Generator(seed: 1))
        try Safetensors.save(model.stateDict().entries.map { ($0.key, $0.tensor) }, to: path)
        let file = ModelFile(path, named: named, normalization: .named("half"))
        let fitted = try file.fitted(gray, settings: DatasetSettings(), progress: SilentProgress())
        #expect(fitted.channels == channels)
        #expect(try file.open(for: fitted).spec?.shape.channels == channels)
      }
    }
  }
}
