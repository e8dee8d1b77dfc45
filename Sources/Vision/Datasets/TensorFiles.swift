import Files
import Support
public import Torch

/// Data sets as safetensors: `train.safetensors` and `test.safetensors`, each with `images` (uint8 N x C x H x W),
/// `labels` (int64 N) and the class names (`classes`, a JSON list) and the data set that the images were made of
/// (`dataset`) in the metadata. PyTorch reads them with `safetensors.torch.load_file`.
public enum TensorFiles {
  /// The metadata key that names the data set which the images were made of.
  static let originKey = "dataset"
  /// More classes are taken for a damaged file.
  static let largestClassCount = 100_000

  static func path(_ folder: String, _ split: DataSplit) -> String { "\(folder)/\(split.rawValue).safetensors" }

  /// - Throws: an error that names the file and what is wrong with it.
  static func read(_ folder: String, split: DataSplit) throws -> ImageDataset {
    let path = path(folder, split)
    guard FileSystem.exists(path) else {
      guard FileSystem.isFolder(folder) else {
        throw DataError.missing(path: folder, lookedFor: [], suggestion: Path.similar(to: folder))
      }
      throw DataError.missing(path: folder, lookedFor: ["\(split.rawValue).safetensors"], suggestion: nil)
    }
    let file = try Safetensors.load(path)
    func fail(_ problem: String) -> DataError {
      .malformed(path: path, problem: problem, fix: "Write it with antidote attack, or with these tensors by hand.")
    }
    guard let images = file["images"], let labels = file["labels"] else {
      throw fail("it lacks the tensors images and labels")
    }
    guard images.dtype == .uint8, images.rank == 4, [1, 3].contains(images.dimension(1)), images.dimension(2) > 0,
      images.dimension(3) > 0
    else { throw fail("images is \(images.summary), expected uint8 N x C x H x W with C 1 or 3, H and W at least 1") }
    guard labels.dtype == .int64, labels.shape == [images.dimension(0)] else {
      throw fail("labels is \(labels.summary), expected int64 [\(images.dimension(0))]")
    }
    let values = labels.array(Int64.self)
    let names = try file.metadata["classes"].map { text -> [String] in
      guard let names = try? JSONValue(json: text).decode([String].self) else {
        throw fail("its class names are no JSON list of strings")
      }
      return names
    }
    // Without names the labels say how many classes there are: at least one, and never so many that names alone fill
    // the memory.
    let classes = names?.count ?? Int(min(max(values.max() ?? 0, 0), Int64(largestClassCount)) + 1)
    guard (1...largestClassCount).contains(classes) else {
      let found =
        names.map { "it names \($0.count) classes" } ?? "the label \(values.max() ?? 0) asks for as many classes"
      throw fail("\(found), expected 1 to \(formatCount(largestClassCount))")
    }
    if let position = values.firstIndex(where: { $0 < -1 || $0 >= classes }) {
      let of = names == nil ? "" : " of its \(classes) class names"
      throw fail(
        "label \(values[position]) of image \(position) is outside 0 to \(classes - 1)\(of); -1 marks an image "
          + "without a label"
      )
    }
    let classNames = names ?? (0..<classes).map(String.init)
    return ImageDataset(
      name: "tensors", images: images, labels: labels, classNames: classNames,
      sources: SampleSource.rows(of: [path], total: values.count))
  }

  /// Writes one split into a folder, at once or not at all.
  public static func write(_ data: ImageDataset, split: DataSplit, folder: String, metadata: [String: String] = [:])
    throws
  {
    try FileSystem.createFolder(folder)
    try write(data, to: path(folder, split), metadata: metadata)
  }

  /// Writes images and labels into a file, at once or not at all, with more tensors about the same images if there are
  /// any.
  public static func write(
    _ data: ImageDataset, to path: String, extra: [(key: String, tensor: Tensor)] = [], metadata: [String: String] = [:]
  ) throws {
    var metadata = metadata
    metadata[originKey] = data.name
    metadata["classes"] = JSONValue.array(data.classNames.map(JSONValue.string)).compactJSON
    try Safetensors.save(
      [("images", data.images.to(.cpu).contiguous()), ("labels", data.labels.to(.cpu))] + extra, metadata: metadata,
      to: path)
  }
}
