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
    ssim = Self.similarity(a, b)
    count = clean.dimension(0)
  }

  private static func similarity(_ a: Tensor, _ b: Tensor) -> Double {
    noGrad {
      let shape = a.shape
      let planes = { (x: Tensor) in x.contiguous().reshaped(shape[0] * shape[1], 1, shape[2], shape[3]) }
      let (a, b) = (planes(a), planes(b))
      let rows = weights(min(11, shape[2])).reshaped(1, 1, -1, 1).to(a.device)
      let columns = weights(min(11, shape[3])).reshaped(1, 1, 1, -1).to(a.device)
      func mean(_ x: Tensor) -> Tensor { F.conv2d(F.conv2d(x, rows), columns) }
      let (meanA, meanB) = (mean(a), mean(b))
      let varianceA = mean(a.square()) - meanA.square()
      let varianceB = mean(b.square()) - meanB.square()
      let covariance = mean(a * b) - meanA * meanB
      let (c1, c2) = (0.0001, 0.0009)
      let same = (meanA * meanB * 2 + c1) * (covariance * 2 + c2)
      let whole = (meanA.square() + meanB.square() + c1) * (varianceA + varianceB + c2)
      return (same / whole).mean().item()
    }
  }

  private static func weights(_ length: Int) -> Tensor {
    let center = Double(length - 1) / 2
    let taps = (0..<length).map { exp(-0.5 * pow((Double($0) - center) / 1.5, 2)) }
    let sum = taps.reduce(0, +)
    return Tensor(taps.map { Float($0 / sum) })
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
    let found = tasks.indices.compactMap { number in visibility(task: number).map { (tasks[number].name, $0) } }
    return Dictionary(found, uniquingKeysWith: { first, _ in first })
  }
  /// How visible a task's trigger is on up to 1,000 test images that the attack aims at; nil where it aims at none.
  public func visibility(task: Int = 0) -> Visibility? {
    let aimed = Array((0..<test.count).filter { target($0, task: task) != nil }.prefix(1000))
    guard !aimed.isEmpty else { return nil }
    return Visibility(clean: test.subset(aimed).images, triggered: triggered(task).subset(aimed).images)
  }
}
