import Files
import Foundation
import Support
import Torch
import TorchNN

extension ModelSpec {
  /// Reads what a model file says about itself; nil if it says nothing, or names no architecture that is understood,
  /// and where there is no file.
  /// - Throws: `FileError`; `FormatError` for damaged metadata; `ModelFileError` for sizes that no model has.
  public static func stored(in path: String) throws -> ModelSpec? {
    guard FileSystem.exists(path),
      let spec = try TensorFile.metadata(of: path)[Classifier.modelMetadataKey].flatMap(ModelSpec.init(metadata:))
    else { return nil }
    guard ModelShape.imageSizes.contains(spec.shape.imageSize), (1...10_000_000).contains(spec.shape.classes) else {
      throw ModelFileError(
        description:
          "\(path): its metadata '\(Classifier.modelMetadataKey)' names \(spec.shape.classes) classes and images "
          + "of \(spec.shape.imageSize) pixels, which no model has. Its weights may still be read by naming the "
          + "architecture, from a copy without metadata.")
    }
    return spec
  }

  init?(metadata text: String) {
    guard let spec = try? JSONValue(json: text).decode(ModelSpec.self) else { return nil }
    self = spec
  }

  /// Whether a file of these tensors can be such a model. A file may come from anywhere: its words must not make us
  /// build a network that its tensors do not fill.
  func isPlausible(for file: Safetensors) -> Bool {
    let mean = shape.normalization.mean, deviation = shape.normalization.standardDeviation
    guard let kind = try? ModelKind.named(kind), ModelShape.imageSizes.contains(shape.imageSize),
      (try? kind.check(shape)) != nil
    else { return false }
    let held = file.tensors.reduce(0.0) { $0 + Double($1.tensor.count) }
    return shape.classes > 0 && [1, 3].contains(shape.channels)
      && mean.count == deviation.count && (mean.isEmpty || mean.count == shape.channels)
      && (shape.normalization.channelOrder != .bgr || shape.channels == 3)
      && mean.allSatisfy(\.isFinite) && deviation.allSatisfy { $0.isFinite && $0 > 0 }
      && kind.parameterCount(shape) <= held
  }

  /// - Throws: `SettingsError` where the weights alone would not fit the machine's memory.
  func checkMemory(_ kind: ModelKind) throws(SettingsError) {
    // Small ones need no estimate.
    guard shape.width > 256 / (shape.widen ?? kind.options.widen ?? 1) || shape.classes > 10_000 else { return }
    let bytes = 4 * kind.parameterCount(shape)
    let memory = ProcessInfo.processInfo.physicalMemory
    guard bytes < Double(memory) else {
      throw SettingsError(
        "model.width",
        "\(kind.id) of width \(shape.width) for \(shape.classes) classes takes \(formatBytes(Int(min(bytes, 1e18)))) "
          + "for its weights, and "
          + "this machine has \(formatBytes(Int(clamping: memory))). Choose a smaller width.")
    }
  }
}

extension ModelKind {
  /// How many parameters a model has, without building one of that size: the count is quadratic in the width and linear
  /// in the number of classes, so a few small models of the kind determine it.
  public func parameterCount(_ shape: ModelShape) -> Double {
    if let countsParameters {
      // Beyond what any machine holds, its whole numbers would overflow.
      return shape.width > 1 << 20 ? .infinity : countsParameters(shape)
    }
    // No weight depends on the heads.
    let step = options.heads == nil ? widthStep : 1
    let widths = (1...3).map { $0 * step }
    let (width, classes) = (Double(shape.width), Double(shape.classes))
    var total = 0.0
    for small in widths {
      // Lagrange's polynomial: 1 at this width, 0 at the others.
      let share = widths.filter { $0 != small }.reduce(1.0) { $0 * (width - Double($1)) / Double(small - $1) }
      let counts = [1, 2].map { few in
        var least = shape
        (least.classes, least.width) = (few, small)
        (least.normalization, least.groups, least.layers) = (.none, nil, nil)
        if options.heads != nil { least.heads = 1 }
        return Double(make(least, Generator(seed: 0)).parameterCount)
      }
      total += share * (counts[0] + (classes - 1) * (counts[1] - counts[0]))
    }
    // Beyond what a machine holds the sum loses its digits; there are as many as channels and classes at least.
    return max(total, width, classes)
  }
}
