import Audit
import Backdoor
import Files
import Torch
import Training
import Vision

/// Pictures of an audit's triggers, and of images with and without them.
enum AuditPictures {
  static let images = 4

  /// Writes the pictures of the result's class into a folder and notes them in the result.
  static func write(
    _ measured: AuditMeasurement, _ images: AuditImages, _ result: inout AuditResult, _ model: Classifier,
    to folder: String, _ context: TrainingContext
  ) throws {
    func save(_ pixels: Tensor, _ name: String) throws -> String {
      try AtomicFile.write(DecodedImage(pixels.quantized()).encodePNG(), to: "\(folder)/\(name)")
      return name
    }
    guard let patch = measured.patches[result.label] else { return }
    let change = measured.perturbations?[result.label]
    // Grey where nothing changes.
    _ = try save(noGrad { patch.picture + (1 - patch.mask) * 0.5 }, AuditResult.patchPicture)
    if let change {
      _ = try save(noGrad { change * (0.5 * 255 / max(result.epsilon, 1e-9)) + 0.5 }, AuditResult.perturbationPicture)
    }
    let sources = images.heldOut.labelArray()
    let shown = sources.indices.filter { sources[$0] != result.label }.prefix(Self.images)
    result.pictures = try shown.map { position in
      let pixels = images.heldOut.pixels(position..<(position + 1))
      let patched = noGrad { patch.stamp(pixels) }
      let perturbed = change.map { change in noGrad { (pixels + change).clamped(0, 1) } }
      func answer(_ pixels: Tensor) -> Int {
        noGrad { context.compute { model(pixels.contiguous(.channelsLast)) }.argmax(1)[0].intItem() }
      }
      return AuditResult.Picture(
        file: try save(pixels[0], "image-\(position).png"),
        patched: try save(patched[0], "image-\(position)-patch.png"),
        perturbed: try perturbed.map { try save($0[0], "image-\(position)-perturbation.png") },
        answer: sources[position], patchedAnswer: answer(patched), perturbedAnswer: perturbed.map(answer))
    }
  }
}

extension AuditResult {
  /// The patch on grey.
  public static let patchPicture = "trigger-patch.png"
  /// The universal perturbation, 0 as grey and epsilon as full.
  public static let perturbationPicture = "trigger-perturbation.png"
}
