import Backdoor
import Foundation
public import Torch
import Vision

/// How visible a trigger is: triggered against clean images.
public struct Visibility: Sendable, Codable, Equatable {
  /// Peak signal-to-noise ratio in dB, the mean over images that changed; higher is less visible. Nil where none did.
  public var psnr: Double?
  /// Structural similarity, 1 for equal images (Wang, Bovik, Sheikh, Simoncelli 2004: a Gaussian window of 11 pixels and a
  /// deviation of 1.5, each channel by itself; smaller images have a smaller window). The mean over images.
  public var ssim: Double
  /// Largest change of any pixel, in [0, 1].
  public var linf: Double
  /// Images that were compared.
  public var count: Int

  /// - Parameters:
  ///   - clean: uint8 N x C x H x W, N at least 1; triggered: the same shape.
  public init(clean: Tensor, triggered: Tensor) {
    require(
      clean.shape == triggered.shape && clean.dtype == .uint8 && triggered.dtype == .uint8 && clean.count > 0,
      "Visibility: \(clean.summary) against \(triggered.summary)")
    let (a, b) = noGrad { (clean.to(.float32) * (1 / 255.0), triggered.to(.float32) * (1 / 255.0)) }
    let errors = noGrad { (a - b).square().flattened(1).mean([1]) }.array(Float.self).filter { $0 > 0 }
    psnr =
      errors.isEmpty ? nil : errors.reduce(0) { $0 - 10 * log10(Double($1)) } / Double(errors.count)
    linf = noGrad { (a - b).abs().max() }.item()
    ssim = noGrad { StructuralSimilarity.mean(a, b) }.item()
    count = clean.dimension(0)
  }

  /// `PSNR 31.2 dB, SSIM 0.953, L_inf 40/255`.
  public var text: String {
    let noise = psnr.map { String(format: "PSNR %.1f dB, ", $0) } ?? ""
    return noise + String(format: "SSIM %.3f, L_inf %.0f/255", ssim, linf * 255)
  }
}

extension BackdoorEvaluator {
  /// How visible each task's trigger is, by the task's name.
  public var visibilities: [String: Visibility] {
    let found = triggers.indices.compactMap { number in visibility(task: number).map { (triggers[number].name, $0) } }
    return Dictionary(found, uniquingKeysWith: { first, _ in first })
  }
  /// How visible a task's trigger is on up to 1,000 test images that the attack aims at; nil where it aims at none.
  public func visibility(task: Int = 0) -> Visibility? {
    let aimed = Array((0..<test.count).filter { target($0, task: task) != nil }.prefix(1000))
    guard !aimed.isEmpty else { return nil }
    return Visibility(clean: test.subset(aimed).images, triggered: triggered(task).subset(aimed).images)
  }
}
