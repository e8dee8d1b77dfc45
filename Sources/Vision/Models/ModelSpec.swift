import Files
public import Formats
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
  /// - Throws: `SettingsError` that lists the known names, or says which widths there are; `ModelFileError` for layer
  ///   settings that the architecture cannot have.
  public func make(_ generator: Generator) throws -> Classifier {
    let kind = try ModelKind.named(kind)
    try kind.check(shape)
    try checkMemory(kind)
    let model = kind.make(shape, generator)
    if let problem = shape.layers.flatMap(model.problem(with:)) {
      throw ModelFileError(description: "layer settings that \(kind.id) cannot have: \(problem)")
    }
    return model
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
    copy.normalization = normalization
    (copy.spec, copy.classNames, copy.shrinkPad, copy.layout) = (spec, classNames, shrinkPad, layout)
    copy.adjust(adjustableLayers.mapValues(\.settings))
    try copy.load(stateDict())
    copy.to(device).train(isTraining)
    return copy
  }

  /// The metadata of a safetensors file that hold the `ModelSpec`.
  public static let modelMetadataKey = "antidote.model"
  static let classNamesKey = "antidote.classes"
  static let shrinkPadKey = "antidote.shrinkpad"

  /// Writes the state dict, with the architecture, the normaliser and the class names in the metadata: for `torch.load`
  /// where the ending is one of PyTorch's (`TensorFile.pyTorchEndings`), else as safetensors, which PyTorch reads with
  /// `safetensors.torch.load_file`. A model that was read from a file of elsewhere is written with that file's keys and,
  /// for PyTorch, in its container.
  /// - Throws: an error that names the file; then nothing is left under its name.
  public func save(_ path: String) throws {
    var metadata = ["format": "pt"]
    if let spec { metadata[Self.modelMetadataKey] = try JSONValue(encoding: spec).compactJSON }
    if let classNames { metadata[Self.classNamesKey] = try JSONValue(encoding: classNames).compactJSON }
    if let shrinkPad { metadata[Self.shrinkPadKey] = try JSONValue(encoding: shrinkPad).compactJSON }
    if let layout { return try layout.save(stateDict(), metadata: metadata, to: path) }
    try TensorFile.save(stateDict().entries.map { ($0.key, $0.tensor.contiguous()) }, metadata: metadata, to: path)
  }

  /// Writes a file of PyTorch with these things around the state dict, and with metadata as `save` does.
  /// - Parameter ownKeys: whether a model that was read from elsewhere is written with the zoo's keys all the same.
  /// - Throws: an error that names the file; then nothing is left under its name.
  public func save(_ path: String, within frame: TorchFrame, ownKeys: Bool) throws {
    let kept = layout
    defer { layout = kept }
    layout =
      kept.flatMap { ownKeys ? nil : ModelLayout($0, within: frame) } ?? ModelLayout(of: self, within: frame)
    try save(path)
  }

  /// Takes the weights of a safetensors file or one of PyTorch, and returns itself. What can be fitted without a guess
  /// is: see `ForeignStateDict`.
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
          description:
            "\(path): its metadata '\(modelMetadataKey)' does not fit its tensors: it was damaged, or edited. "
            + "If the weights are whole, --model and --width name what they are of.")
      }
      spec = found
    } else {
      throw ModelFileError(
        description:
          "\(path): the file does not say which architecture it holds. Name it: --set model.name=preactresnet18 "
          + "--set model.width=64.")
    }
    let model: Classifier
    do { model = try spec.make(Generator(seed: 0)) } catch let error as ModelFileError {
      throw ModelFileError(description: "\(path): \(error)")
    }
    try model.take(read, path, options)
    return model
  }

  private func take(_ read: TensorFile, _ path: String, _ options: ModelFileOptions) throws {
    let file = read.contents
    for note in read.notes { options.onNote("\(path): \(note)") }
    // What the user leaves out or renames goes by the file's own names.
    let entries = try ForeignStateDict.renamed(
      file.tensors.map { ($0.key, (own: $0.key, tensor: $0.tensor)) }, ignoring: options.ignored,
      renaming: options.renamed, source: path)
    let naming = naming(of: entries.map { ($0.key, $0.value.tensor.shape) }, path, options)
    let named = naming.applied(to: entries.map { ($0.key, $0.value.tensor) })
    let foreign = ForeignStateDict(StateDict(named), for: self)
    let own = stateDict()
    let keys = zip(entries, named).map { (file: $0.value.own, model: String($1.key.dropFirst(foreign.prefix.count))) }
      .filter { own[$0.model] != nil }
    // A file of our own needs no other way to be written.
    let isForeign = keys.count != own.count || keys.contains { $0.file != $0.model }
    layout =
      isForeign || TensorFile.writesPyTorch(path)
      ? ModelLayout(read, modelKeys: Dictionary(keys.map { ($0.file, $0.model) }) { $1 }) : nil
    if let network = PickledNetwork(read.modules) {
      let found = try network.settings(of: self, naming, options, prefix: foreign.prefix, path: path)
      take(layers: found.settings)
      for note in found.notes { options.onNote("\(path): \(note)") }
    }
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

extension Classifier {
  /// Gives layers settings that are not the architecture's own, and keeps them with the `spec`.
  private func take(layers settings: [String: LayerSettings]) {
    adjust(settings)
    let all = (spec?.shape.layers ?? [:]).merging(settings) { $1 }
    spec?.shape.layers = all.isEmpty ? nil : all
  }

  /// How the file calls what the model has: as the options say, else as it is recognised where the model's own names are
  /// not there.
  private func naming(
    of entries: [(key: String, shape: Shape)], _ path: String, _ options: ModelFileOptions
  ) -> KeyNaming {
    guard options.naming == .same, let kind = spec?.kind else { return options.naming }
    // A prefix of all keys is found later.
    let ends = Set(
      entries.flatMap { entry in
        let words = entry.key.split(separator: ".", omittingEmptySubsequences: false)
        return words.indices.map { words[$0...].joined(separator: ".") }
      })
    let isComplete = stateDict().keys.allSatisfy { ends.contains($0) || $0.hasSuffix("num_batches_tracked") }
    guard !isComplete,
      let found = try? RecognizedModel(entries, path: path, heads: spec?.shape.heads), found.kind == kind
    else { return options.naming }
    return found.naming
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

  /// Keys and shapes of a file as recognition sees them: without what is left out, under the names that the user gives;
  /// and what a whole pickled module says about itself, nil of other files.
  public func outline(of path: String) throws -> (entries: [(key: String, shape: Shape)], network: PickledNetwork?) {
    let (entries, modules) = try TensorFile.outline(path, key: key)
    let renamed = try ForeignStateDict.renamed(
      entries.map { ($0.key, $0.shape) }, ignoring: ignored, renaming: renamed, source: path)
    return (renamed.map { ($0.key, $0.value) }, PickledNetwork(modules))
  }
}
