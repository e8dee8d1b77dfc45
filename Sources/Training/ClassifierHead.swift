public import Torch
import TorchNN
public import Vision

extension Classifier {
  /// Numbers that the last layer reads for one image of the data set.
  public func featureCount(for data: ImageDataset) -> Int {
    withMode(training: false) {
      noGrad {
        features(Tensor.zeros([1, data.channels, data.height, data.width], device: device)).penultimate.dimension(1)
      }
    }
  }

  /// The parameters of the last layer with their keys: those that the logits depend on once the features are given.
  /// - Parameter features: `featureCount` of the images.
  public func headParameters(features: Int) -> [(key: String, tensor: Tensor)] {
    withGrad {
      let all = namedParameters().filter { $0.tensor.requiresGrad }
      let found = gradientsIfAny(
        of: [logits(Tensor.zeros([1, features], device: device)).sum()], at: all.map(\.tensor))
      return zip(all, found).compactMap { $1 == nil ? nil : $0 }
    }
  }
}
