import Files
import Formats
import Torch

/// Folders of backdoor-toolbox: `poisoned_train_set/<data set>/<attack>` with the poisoned training set, and
/// `clean_set/<data set>` beside `poisoned_train_set` with clean images.
///
/// Images are one tensor (`imgs`, float pixels in [0, 1], N x 3 x H x W) or PNG files (`data/<position>.png`), labels a
/// tensor of whole numbers (`labels`, `clean_labels`).
public enum ToolboxFiles {
  /// Reads the poisoned images (`.train`), or the clean test images of the same data set (`.test`). Pixels are rounded to
  /// 8 bits.
  /// - Parameter path: a folder of `poisoned_train_set`, or one of `clean_set` (`clean_split`) for its images.
  /// - Throws: `DataError`, `FileError`, `FormatError`.
  static func read(_ path: String, split: DataSplit, limits: DecodingLimits) throws -> ImageDataset {
    switch split {
    case .train: return try images(in: path, limits, classes: classes(path))
    case .test:
      guard let folder = cleanFolder(path, "test_split") else {
        throw DataError.missing(
          path: path, lookedFor: ["the clean test images, clean_set/\(dataset(path))/test_split"], suggestion: nil)
      }
      return try images(in: folder, limits, classes: classes(path))
    case .unlabeled: throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
  }

  /// Positions of the poisoned samples of a training set, and of its cover samples, ascending.
  /// - Throws: `DataError` for positions of no image, or of one that is both; `FileError`, `FormatError`.
  public static func poison(_ path: String) throws -> (poisoned: [Int], covers: [Int]) {
    func positions(_ name: String) throws -> [Int] {
      let file = Path.join(path, name)
      return FileSystem.exists(file) ? try integers(file).compactMap { Int(exactly: $0) }.sorted() : []
    }
    let (poison, covers) = (try positions("poison_indices"), try positions("cover_indices"))
    let count = try integers(Path.join(path, "labels")).count
    guard (poison + covers).allSatisfy({ (0..<count).contains($0) }), Set(poison).isDisjoint(with: covers) else {
      throw DataError.malformed(
        path: Path.join(path, "poison_indices"),
        problem:
          "a position outside of the \(formatCount(count)) images, or one that is poisoned and a cover sample",
        fix: "Make the data set again.")
    }
    return (poison, covers)
  }

  /// Where in the training set of a folder each image was read from; nil where it was read from elsewhere.
  public static func positions(of data: ImageDataset, in path: String) -> [Int]? {
    let folder = Path.absolute(path)
    let positions = (data.sources ?? []).compactMap { source -> Int? in
      let file = Path.absolute(source.file)
      if let row = source.row { return file == Path.join(folder, "imgs") ? row : nil }
      guard Path.parent(file) == Path.join(folder, "data") else { return nil }
      return Int(Path.name(file).prefix { $0 != "." })
    }
    return positions.count == data.count ? positions : nil
  }

  /// Whether a folder holds such a training set.
  public static func isPoisonedSet(_ path: String) -> Bool {
    FileSystem.isFile(Path.join(path, "labels")) && FileSystem.isFile(Path.join(path, "poison_indices"))
      && (FileSystem.isFile(Path.join(path, "imgs")) || FileSystem.isFolder(Path.join(path, "data")))
  }

  /// Its name of the data set, `cifar10`: the folder above that of the attack.
  public static func dataset(_ path: String) -> String { Path.name(Path.parent(Path.absolute(path))) }

  /// A folder of clean images of the same data set, `clean_split` or `test_split`; nil where it is not there.
  public static func cleanFolder(_ path: String, _ name: String) -> String? {
    let root = Path.parent(Path.parent(Path.parent(Path.absolute(path))))
    let folder = Path.join(root, "clean_set", dataset(path), name)
    return FileSystem.isFolder(folder) ? folder : nil
  }

  /// How many classes the data set has; nil where its name does not tell.
  private static func classes(_ path: String) -> Int? {
    let path = Path.absolute(path)
    return [dataset(path), Path.name(path)].lazy.compactMap { ["cifar10": 10, "gtsrb": 43, "imagenette": 10][$0] }.first
  }

  private static func images(in folder: String, _ limits: DecodingLimits, classes: Int?) throws -> ImageDataset {
    guard FileSystem.isFolder(folder) else {
      throw DataError.missing(path: folder, lookedFor: [], suggestion: Path.similar(to: folder))
    }
    guard
      let labelFile = ["labels", "clean_labels"].map({ Path.join(folder, $0) }).first(where: FileSystem.isFile)
    else { throw DataError.missing(path: folder, lookedFor: ["labels"], suggestion: nil) }
    let labels = try integers(labelFile)
    guard let most = labels.max(), let least = labels.min() else {
      throw DataError.malformed(path: labelFile, problem: "no labels", fix: DataError.copyAgain)
    }
    let count = classes ?? Int(min(most, 99_999)) + 1
    guard least >= 0, most < count else {
      throw DataError.malformed(
        path: labelFile, problem: "labels from \(least) to \(most), expected 0 to \(count - 1)",
        fix: "Is it a training set of backdoor-toolbox?")
    }
    let file = Path.join(folder, "imgs")
    let pixels: Tensor, sources: [SampleSource]
    if FileSystem.isFile(file) {
      pixels = try floats(file, count: labels.count)
      sources = labels.indices.map { SampleSource(file: file, row: $0) }
    } else {
      let names = labels.indices.map { Path.join(folder, "data/\($0).png") }
      pixels = try ImageFiles.read(names, limits: limits)
      sources = names.map { SampleSource(file: $0) }
    }
    return ImageDataset(
      name: "toolbox", images: pixels, labels: Tensor(labels), classNames: (0..<count).map(String.init),
      sources: sources)
  }

  /// A file with one tensor of images.
  private static func floats(_ path: String, count: Int) throws -> Tensor {
    let archive = try TorchArchive(path)
    guard case .tensor(let stored) = archive.value, stored.type == .float32, stored.shape.count == 4,
      stored.shape[0] == count, [1, 3].contains(stored.shape[1]), !stored.shape.contains(0)
    else {
      throw DataError.malformed(
        path: path, problem: "no float32 tensor of \(formatCount(count)) images, N x 3 x H x W",
        fix: "Is it a training set of backdoor-toolbox?")
    }
    let size = stored.byteCount / count, step = max(1, (1 << 26) / size)
    var parts: [Tensor] = []
    try archive.read([stored]) { _, bytes in
      bytes.withUnsafeBytes { bytes in
        for start in stride(from: 0, to: count, by: step) {
          let range = start..<min(start + step, count)
          let part = Tensor.copying(
            bytes: UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound * size..<range.upperBound * size]),
            shape: [range.count] + stored.shape.dropFirst(), dtype: .float32)
          parts.append(part.quantized())
        }
      }
    }
    return Tensor.concatenated(parts)
  }

  /// A file with one list or tensor of whole numbers.
  private static func integers(_ path: String) throws -> [Int64] {
    let archive = try TorchArchive(path)
    if let numbers = archive.value.integers { return numbers }
    var numbers: [Int64]?
    if case .tensor(let stored) = archive.value, stored.type == .int64, stored.shape.count == 1 {
      try archive.read([stored]) { _, bytes in
        numbers = bytes.withUnsafeBytes { raw in
          stride(from: 0, to: raw.count, by: 8).map {
            Int64(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Int64.self))
          }
        }
      }
    }
    guard let numbers else {
      throw DataError.malformed(
        path: path, problem: "no list or tensor of whole numbers", fix: "Is it a file of backdoor-toolbox?")
    }
    return numbers
  }
}
