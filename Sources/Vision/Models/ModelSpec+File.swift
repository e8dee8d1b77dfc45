import Files
import Torch

extension ModelSpec {
  /// Reads what a model file says about itself; nil if it says nothing, or nothing that can be understood.
  public static func stored(in path: String) -> ModelSpec? {
    (try? Safetensors.metadata(of: path))?[Classifier.metadataKey].flatMap(ModelSpec.init(metadata:))
  }

  init?(metadata text: String) {
    guard let spec = try? JSONValue(json: text).decode(ModelSpec.self) else { return nil }
    self = spec
  }

  /// Whether a file of these tensors can be such a model. A file may come from anywhere: its words must not make us build a network that
  /// its tensors do not fill.
  func isPlausible(for file: Safetensors) -> Bool {
    let mean = shape.normalization.mean, deviation = shape.normalization.standardDeviation
    let sides = file.tensors.map(\.tensor.shape)
    return shape.width > 0 && shape.classes > 0 && [1, 3].contains(shape.channels) && (8...2048).contains(shape.imageSize)
      && mean.count == deviation.count && (mean.isEmpty || mean.count == shape.channels)
      && mean.allSatisfy(\.isFinite) && deviation.allSatisfy { $0.isFinite && $0 > 0 }
      && sides.contains { $0.first == shape.classes }
      && sides.contains { $0.count == 4 && $0[0] >= shape.width && $0[1] >= shape.width }
  }
}
