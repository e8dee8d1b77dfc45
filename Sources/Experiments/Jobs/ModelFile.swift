import Files
import Files
import Support
import Torch
import TorchNN
public import Vision

/// A model's file with what the user says about it.
public struct ModelFile: Sendable {
  public var path: String
  /// Architecture and width by name, for files that do not say what they hold; nil trusts the file.
  public var named: ModelSettings?

  public init(_ path: String, named: ModelSettings? = nil) {
    self.path = path
    self.named = named
  }

  /// Reads the model for images of a data set.
  /// - Throws: `ModelFileError`, `FileError`, `FormatError`, `StateDictError`: the file is missing or damaged, or is of another architecture, or has
  ///   other classes than the data set; everything that differs is listed.
  public func open(for data: ImageDataset) throws -> Classifier {
    guard FileSystem.exists(path) else { throw JobError.invalid("\(path): no such file. \(suggestion)") }
    let given = try named?.spec(for: data)
    let model: Classifier
    do {
      model = try Classifier.open(path, as: given)
    } catch let error as StateDictError {
      guard let given, let stored = ModelSpec.stored(in: path), stored != given else { throw error }
      throw JobError.invalid(
        "\(error)\n  According to its metadata the file holds \(Self.words(stored)); asked for was \(Self.words(given)).\n"
          + "  Leave out model.name and model.width to use what the metadata says.")
    }
    if let spec = model.spec, given == nil {
      var problems: [String] = []
      if spec.shape.classes != data.classes { problems.append("\(spec.shape.classes) classes, the data set \(data.name) \(data.classes)") }
      if spec.shape.channels < data.channels {
        problems.append(
          "gray images, the data set \(data.name) colour (convert its images to gray, or take a model that was trained on colour)")
      }
      if spec.shape.imageSize != data.height {
        let side = spec.shape.imageSize
        problems.append("images of \(side) pixels, the data set \(data.name) \(data.height) (--set dataset.size=\(side))")
      }
      guard problems.isEmpty else {
        throw JobError.invalid("\(path): the model (\(spec.kind), width \(spec.shape.width)) has " + problems.joined(separator: "; ") + ".")
      }
    }
    return model
  }

  private var suggestion: String {
    Path.similar(to: path).map { "Did you mean \($0)?" } ?? "Name a safetensors file with --model."
  }

  private static func words(_ spec: ModelSpec) -> String {
    let shape = spec.shape
    return "\(spec.kind), width \(shape.width), \(shape.classes) classes, \(shape.channels)x\(shape.imageSize)x\(shape.imageSize) images"
  }
}
