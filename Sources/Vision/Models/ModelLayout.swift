import Formats
public import Torch
import TorchNN

/// How a file from elsewhere calls and stores the entries of a model, so that what is written in its place is loaded by
/// the same code: the same keys in the same order, shapes and types, and for PyTorch's files what lies around them.
public struct ModelLayout {
  /// The file's entries.
  private let entries: [Entry]
  private let container: TensorLayout

  private struct Entry {
    /// The file's.
    let key: String
    let shape: Shape
    let type: DType?
    /// The model's; nil of an entry that is no part of it.
    let modelKey: String?
    /// The tensor that is written again, of such an entry.
    let kept: Tensor?
  }

  /// - Parameter modelKeys: the model's keys by those of the file.
  init(_ file: TensorFile, modelKeys: [String: String]) {
    container = file.layout
    entries = file.contents.tensors.map { key, tensor in
      Entry(
        key: key, shape: tensor.shape, type: file.layout.types[key], modelKey: modelKeys[key],
        kept: modelKeys[key] == nil ? tensor : nil)
    }
  }

  /// The entries of a file with other things around them.
  init(_ other: ModelLayout, within frame: TorchFrame) {
    entries = other.entries
    container = TensorLayout(frame)
  }

  /// A model's own entries.
  init(of model: Classifier, within frame: TorchFrame) {
    entries = model.stateDict().entries.map {
      Entry(key: $0.key, shape: $0.tensor.shape, type: nil, modelKey: $0.key, kept: nil)
    }
    container = TensorLayout(frame)
  }

  /// What is not as it was in the file, one sentence each.
  public var notes: [String] {
    let kept = entries.count { $0.modelKey == nil }
    return container.notes
      + (kept > 0 ? ["\(kept) entries that are no part of the model are written as they were"] : [])
  }

  /// Writes a state dict in the place of the file's.
  /// - Throws: as `TensorFile.save`.
  func save(_ state: StateDict, metadata: [String: String], to path: String) throws {
    let tensors = entries.compactMap { entry -> (key: String, tensor: Tensor)? in
      guard let key = entry.modelKey else { return entry.kept.map { (entry.key, $0) } }
      guard let tensor = state[key] else { return nil }
      let typed = entry.type.map { type in noGrad { tensor.to(type) } } ?? tensor
      return (entry.key, (typed.shape == entry.shape ? typed : typed.reshaped(entry.shape)).contiguous())
    }
    try TensorFile.save(tensors, metadata: metadata, like: container, to: path)
  }
}
