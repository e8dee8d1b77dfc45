import Files
public import Torch
import TorchNN

/// Architecture and shape of a model: enough to build it again. It travels in the metadata of model files.
public struct ModelSpec: Sendable, Codable, Hashable {
  /// Name in the model zoo.
  public var kind: String
  public var shape: ModelShape

  public init(kind: String, shape: ModelShape) {
    self.kind = kind
    self.shape = shape
  }

  /// A new model with random weights.
  /// - Throws: `SettingsError` that lists the known names, or says which widths there are.
  public func make(_ generator: Generator) throws -> Classifier {
    let kind = try ModelKind.named(kind)
    try kind.check(width: shape.width)
    return kind.make(shape, generator)
  }
}

/// Why a model file cannot be used.
public struct ModelFileError: Error, CustomStringConvertible, Sendable {
  public let description: String
}

extension Classifier {
  /// A model of the same architecture with copies of the weights, on the same device.
  /// - Throws: `ModelFileError` for an architecture that is not in the zoo and does not override `copied`.
  public func copied() throws -> Classifier {
    guard let spec else {
      throw ModelFileError(description: "\(type(of: self)) has no ModelSpec, so it cannot be copied. Set `spec` in its initialiser.")
    }
    let copy = try spec.make(Generator(seed: 0))
    try copy.load(stateDict())
    copy.to(device).train(isTraining)
    return copy
  }

  static let metadataKey = "antidote.model"

  /// Writes the state dict as safetensors, with the architecture in the metadata. PyTorch reads it with `safetensors.torch.load_file`.
  /// - Throws: an error that names the file; then nothing is left under its name.
  public func save(_ path: String) throws {
    var metadata = ["format": "pt"]
    if let spec { metadata[Self.metadataKey] = try JSONValue(encoding: spec).compactJSON }
    try Safetensors.save(stateDict().entries.map { ($0.key, $0.tensor.contiguous()) }, metadata: metadata, to: path)
  }

  /// Takes the weights of a safetensors file, and returns itself.
  /// - Throws: an error that names the file and everything that does not fit.
  public func loading(_ path: String) throws -> Self {
    try load(StateDict(Safetensors.load(path).tensors), source: path)
    return self
  }

  /// A model from a file that Antidote wrote, or of the given architecture from any safetensors file.
  public static func open(_ path: String, as given: ModelSpec? = nil) throws -> Classifier {
    let file = try Safetensors.load(path)
    let spec: ModelSpec
    if let given {
      spec = given
    } else if let text = file.metadata[metadataKey] {
      guard let found = ModelSpec(metadata: text), found.isPlausible(for: file) else {
        throw ModelFileError(
          description: "\(path): its metadata '\(metadataKey)' does not fit its tensors. "
            + "Name the model and width: --set model.name=preactresnet18 --set model.width=64.")
      }
      spec = found
    } else {
      throw ModelFileError(
        description: "\(path): the file does not say which architecture it holds. Name it: --set model.name=preactresnet18 "
          + "--set model.width=64.")
    }
    let model = try spec.make(Generator(seed: 0))
    try model.load(StateDict(file.tensors), source: path)
    return model
  }
}
