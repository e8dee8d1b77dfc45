import Files
public import Formats

/// How a file lays out its tensors, so that another one is written in the same way.
public struct TensorLayout {
  /// What lies around the state dict in a file of PyTorch; nil of safetensors.
  let frame: TorchFrame?
  /// Types of the file that tensors here have too.
  public let types: [String: DType]

  /// For a file of PyTorch with other things around its state dict.
  public init(_ frame: TorchFrame) {
    self.frame = frame
    types = [:]
  }

  init(frame: TorchFrame?, types: [String: DType]) {
    self.frame = frame
    self.types = types
  }

  /// What is not written again, one sentence each.
  public var notes: [String] {
    guard let frame else { return [] }
    var notes: [String] = []
    func note(_ text: String, _ names: [String]) {
      guard !names.isEmpty else { return }
      let rest = names.count > 6 ? " and \(names.count - 6) more" : ""
      notes.append(text + names.prefix(6).map { "'\(escaped($0, limit: 60))'" }.joined(separator: ", ") + rest)
    }
    if frame.isModule { notes.append("a state dict is written in the place of the whole module") }
    note("left out, as it belongs to the weights before: ", frame.dropped.filter(\.isStale).map(\.name))
    note("left out, as it is no plain data: ", frame.dropped.filter { !$0.isStale }.map(\.name))
    return notes
  }
}

extension TensorFile {
  /// Endings of file names under which PyTorch's format is written.
  public static let pyTorchEndings = [".pth", ".pt", ".bin", ".tar", ".ckpt"]

  /// Whether a file of this name is written in PyTorch's format.
  public static func writesPyTorch(_ path: String) -> Bool {
    pyTorchEndings.contains { path.lowercased().hasSuffix($0) }
  }

  /// Beside the pickle of a PyTorch file: what safetensors have as metadata.
  static let metadataRecord = "antidote.json"

  /// Writes tensors from any device, complete or not at all: as `torch.save` does where the ending is one of PyTorch's,
  /// as safetensors otherwise.
  /// - Parameters:
  ///   - metadata: safetensors' own; in a PyTorch file a record that PyTorch passes over.
  ///   - layout: of the file whose place a PyTorch file takes; nil writes a state dict alone.
  /// - Throws: `FormatError`, `FileError`.
  public static func save(
    _ tensors: [(key: String, tensor: Tensor)], metadata: [String: String] = [:], like layout: TensorLayout? = nil,
    to path: String
  ) throws {
    guard writesPyTorch(path) else { return try Safetensors.save(tensors, metadata: metadata, to: path) }
    let entries = tensors.map { key, tensor in
      (
        key: key,
        tensor: TorchTensor(type: tensor.dtype.elementType, shape: tensor.shape) {
          tensor.contiguous().withBytes { Array($0) }
        }
      )
    }
    let whole =
      layout?.frame?.filled(with: entries) ?? .ordered(entries.map { (.string($0.key), .tensor($0.tensor)) })
    let text = JSONValue.object(metadata.mapValues(JSONValue.string)).compactJSON
    try TorchWriter.write(
      whole, records: metadata.isEmpty ? [] : [(metadataRecord, Array(text.utf8))], to: path)
  }

  /// The metadata of a file of either kind; empty where there are none.
  /// - Throws: As `load`; also for a record that is no JSON object of texts, which would be a model without the shape,
  ///   normaliser and classes that somebody wrote down.
  public static func metadata(of path: String) throws -> [String: String] {
    guard try isPyTorch(path) else { return try Safetensors.metadata(of: path) }
    guard let bytes = try TorchArchive.record(metadataRecord, of: path) else { return [:] }
    func damaged(_ problem: String) -> FormatError {
      .malformed(
        path: path, problem: "its record \(metadataRecord), what antidote wrote about the model, \(problem)",
        fix: "Write the file again; or load it in Python and save it with torch.save, which leaves the record out")
    }
    let record: JSONValue
    do { record = try JSONValue(json: bytes) } catch { throw damaged("is no JSON (\(error))") }
    guard case .object(let members) = record else { throw damaged("is \(record.kindDescription), no group of texts") }
    return try members.sorted { $0.key < $1.key }.reduce(into: [:]) { result, member in
      guard let text = member.value.stringValue else {
        throw damaged("has under '\(escaped(member.key, limit: 60))' \(member.value.kindDescription), no text")
      }
      result[member.key] = text
    }
  }
}
