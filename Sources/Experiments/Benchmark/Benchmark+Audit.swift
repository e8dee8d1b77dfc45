import Audit
import Torch
import TorchNN
import Training
import Vision

extension Benchmark {
  /// The three searches of an audit over all classes, a few steps each, and what they found scored on held-out images.
  /// Forward and backward passes of single images per second; what is only scored does not count.
  func audit(_ precision: Precision, warmUp: Bool) throws -> Double {
    let context = TrainingContext(device: device, precision: precision)
    let model = model()
    model.to(.channelsLast).eval()
    var s = AuditSettings()
    let steps = warmUp ? 1 : 2
    (s.images, s.marginSteps, s.patchSteps, s.perturbationSteps) = (2 * s.batch, steps, steps, steps)
    let images = try AuditImages(data.prefix(s.images), model: model, most: s.images, context: context)
    return try rate(model.classes * steps * (s.starts + 2 * s.batch)) {
      _ = try AuditMeasurement(model, images, s, stage: nil, context: context)
    }
  }
}
