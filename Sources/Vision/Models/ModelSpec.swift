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
    try checkMemory(kind)
    return kind.make(shape, generator)
  }
}

/// Why a model file cannot be used.
public struct ModelFileError: Error, CustomStringConvertible, Sendable {
  public let description: String
}

extension Classifier {
  /// A model of the same architecture and constructor arguments with copies of the weights, on the same device and in
  /// the same mode.
  /// - Throws: `ModelFileError` for an architecture that is not in the zoo and does not override `rebuilt`.
  public func copied() throws -> Classifier {
    let copy = try rebuilt()
    (copy.spec, copy.classNames, copy.shrinkPad) = (spec, classNames, shrinkPad)
    try copy.load(stateDict())
    copy.to(device).train(isTraining)
    return copy
  }

  /// The metadata of a safetensors file that hold the `ModelSpec`.
  public static let modelMetadataKey = "antidote.model"
  static let classNamesKey = "antidote.classes"
  static let shrinkPadKey = "antidote.shrinkpad"

  /// Writes the state dict as safetensors, with the architecture and the class names in the metadata. PyTorch reads it
  /// with `safetensors.torch.load_file`.
  /// - Throws: an error that names the file; then nothing is left under its name.
  public func save(_ path: String) throws {
    var metadata = ["format": "pt"]
    if let spec { metadata[Self.modelMetadataKey] = try JSONValue(encoding: spec).compactJSON }
    if let classNames { metadata[Self.classNamesKey] = try JSONValue(encoding: classNames).compactJSON }
    if let shrinkPad { metadata[Self.shrinkPadKey] = try JSONValue(encoding: shrinkPad).compactJSON }
    try Safetensors.save(stateDict().entries.map { ($0.key, $0.tensor.contiguous()) }, metadata: metadata, to: path)
  }

  /// Takes the weights of a safetensors file or one of PyTorch, and returns itself. What can be fitted without a guess is: see
  /// `ForeignStateDict`.
  /// - Throws: an error that names the file and everything that does not fit, or the tensors that no working network
  ///   holds.
  public func loading(_ path: String) throws -> Self {
    _ = try take(TensorFile.load(path), path, ModelFileOptions())
    return self
  }

  /// A model from a file that Antidote wrote, or of the given architecture from any file of safetensors or
  /// PyTorch.
  /// - Parameter options: entries to leave out or to rename, and who hears what was fitted.
  /// - Throws: an error that names the file and everything that does not fit, or the tensors that no working network
  ///   holds.
  public static func open(
    _ path: String, as given: ModelSpec? = nil, options: ModelFileOptions = ModelFileOptions()
  ) throws -> Classifier {
    let read = try TensorFile.load(path, key: options.key)
    let file = read.contents
    let spec: ModelSpec
    if let given {
      spec = given
    } else if let text = file.metadata[modelMetadataKey] {
      guard let found = ModelSpec(metadata: text), found.isPlausible(for: file) else {
        throw ModelFileError(
          description: "\(path): its metadata '\(modelMetadataKey)' does not fit its tensors. "
            + "Name the model and width: --set model.name=preactresnet18 --set model.width=64.")
      }
      spec = found
    } else {
      throw ModelFileError(
        description:
          "\(path): the file does not say which architecture it holds. Name it: --set model.name=preactresnet18 "
          + "--set model.width=64.")
    }
    let model = try spec.make(Generator(seed: 0))
    try model.take(read, path, options)
    return model
  }

  private func take(_ read: TensorFile, _ path: String, _ options: ModelFileOptions) throws {
    let file = read.contents
    for note in read.notes { options.onNote("\(path): \(note)") }
    // What the user leaves out or renames goes by the file's own names.
    let entries = try ForeignStateDict.renamed(
      file.tensors.map { ($0.key, $0.tensor) }, ignoring: options.ignored, renaming: options.renamed, source: path)
    let foreign = ForeignStateDict(
      StateDict(options.naming.applied(to: entries.map { ($0.key, $0.value) })), for: self)
    try load(foreign.state, source: path)
    let impossible = foreign.state.impossibleValues
    guard impossible.isEmpty else {
      let more = impossible.count > 8 ? "\n  ... and \(impossible.count - 8) more tensors" : ""
      throw ModelFileError(
        description: "\(path) holds values that no working network has:\n"
          + impossible.prefix(8).map { "  \($0)" }.joined(separator: "\n") + more
          + "\nIts training failed, or the file is damaged. Take an earlier checkpoint.")
    }
    for note in foreign.notes { options.onNote("\(path): \(note)") }
    if let text = file.metadata[Self.shrinkPadKey] {
      guard let found = try? JSONValue(json: text).decode(ShrinkPad.self), (0..<1).contains(found.share) else {
        throw ModelFileError(
          description: "\(path): its metadata '\(Self.shrinkPadKey)' is no share below 1 of an image's side. Write the "
            + "file again.")
      }
      shrinkPad = found
    }
    if let text = file.metadata[Self.classNamesKey] {
      guard let names = (try? JSONValue(json: text))?.arrayValue?.compactMap(\.stringValue), names.count == classes
      else {
        throw ModelFileError(
          description:
            "\(path): its metadata '\(Self.classNamesKey)' is no list of the \(classes) class names. Write the file "
            + "again."
        )
      }
      classNames = names
    }
  }
}

/// How a model file from elsewhere is read.
public struct ModelFileOptions: Sendable {
  /// Entries that are left out: whole keys or beginnings up to a dot.
  public var ignored: [String] = []
  /// Beginnings of keys, up to a dot, with what takes their place.
  public var renamed: [(from: String, to: String)] = []
  /// Which state dict of a PyTorch file, as the keys that lead to it with dots; nil takes the one that is meant.
  public var key: String?
  /// How the file calls what the model has under other names.
  public var naming = KeyNaming.same
  /// Hears what was fitted, one sentence each.
  public var onNote: @Sendable (String) -> Void = { _ in }
  public init() {}

  /// Keys and shapes of a file as recognition sees them: without what is left out, under the names that the user gives.
  public func shapes(of path: String) throws -> [(key: String, shape: Shape)] {
    try ForeignStateDict.renamed(
      TensorFile.shapes(path, key: key).map { ($0.key, $0.shape) }, ignoring: ignored, renaming: renamed, source: path
    ).map { ($0.key, $0.value) }
  }
}
