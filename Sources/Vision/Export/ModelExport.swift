import Files
import Formats
import Torch
import TorchNN

/// A model that cannot be written in a format.
public struct ModelExportError: Error, CustomStringConvertible, Sendable {
  public let description: String
  init(_ path: String, _ problem: String) { description = "\(path): \(problem)." }
}

/// The formats of other programs that models can be written in.
public enum ExportFormat: String, Sendable, CaseIterable {
  case onnx
  case torchscript
}

extension Classifier {
  /// Writes the model for other programs: pixels in [0, 1], N x C x H x W, called `images`, to `logits`, N x K, for any
  /// number of images. The normaliser, and a guard if there is one, are part of the graph, and so is evaluation mode:
  /// nothing is left that could be trained as before. Weights keep their names; the counters that nothing reads are left
  /// out in ONNX. The class names, where they are known, are in ONNX's metadata.
  ///
  /// What it computes is what `LibTorch`'s tracer sees of one forward pass.
  /// - Parameter imageSize: side of the images in pixels; nil takes that of the model's `spec`.
  /// - Throws: `ModelExportError` for a model whose output depends on chance or whose image size is not known;
  ///   `FormatError` for more than 2 GiB as ONNX; `FileError`.
  public func export(_ format: ExportFormat, to path: String, imageSize: Int? = nil) throws {
    guard let shape = spec?.shape else {
      throw ModelExportError(path, "the model has no ModelSpec, so its images are not known")
    }
    guard shrinkPad?.seed == nil else {
      throw ModelExportError(
        path, "the model's guard draws the place of each image by chance, which a graph cannot hold")
    }
    // Another machine need not have this device.
    guard device == .cpu else {
      return try copied().to(.cpu).export(format, to: path, imageSize: imageSize)
    }
    let side = imageSize ?? shape.imageSize
    let input = Tensor.full([2, shape.channels, side, side], 0.5)
    try withMode(training: false) {
      // Constants are made at the first pass, and a tracer would take their making for a part of the model.
      _ = noGrad { self(input) }
      let graph = try TracedGraph(input: input, parameters: namedParameters(), buffers: namedBuffers()) { self($0) }
      switch format {
      case .torchscript:
        try AtomicFile.write(to: path, using: { (temporary: String) in try graph.saveTorchScript(temporary) })
      case .onnx:
        let translated = try ONNXGraph(graph, state: stateDict().entries, input: input.shape, path: path)
        var model = translated.model
        model.producer = "Antidote"
        model.inputs = [
          ONNXModel.Value(name: "images", shape: [.open("N"), .fixed(shape.channels), .fixed(side), .fixed(side)])
        ]
        model.outputs = [ONNXModel.Value(name: "logits", shape: [.open("N"), .fixed(classes)])]
        if let classNames {
          model.metadata.append((key: "classes", value: try JSONValue(encoding: classNames).compactJSON))
        }
        try AtomicFile.write(model.encoded(path: path), to: path)
      }
    }
  }
}
