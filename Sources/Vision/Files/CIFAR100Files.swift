import Files

/// CIFAR-100 (Krizhevsky 2009): 50,000 train and 10,000 test images, 32x32 RGB, 100 classes in 20 groups.
public enum CIFAR100Files {
  /// Which of the two labels of an image to return.
  public enum Labels: Sendable {
    /// The 100 classes.
    case fine
    /// The 20 groups of classes.
    case coarse

    var classes: Int { self == .fine ? 100 : 20 }
    var name: String { self == .fine ? "fine" : "coarse" }
  }

  /// Reads the binary layout (`train.bin`, `test.bin`, `fine_label_names.txt`, `coarse_label_names.txt`) or else the
  /// python layout (`train`, `test`, `meta`).
  ///
  /// - Parameters:
  ///   - path: the folder of the files, or its parent that holds `cifar-100-binary` or `cifar-100-python`.
  ///   - records: records that the file must hold, by default the official 50,000 or 10,000; 0 accepts any whole
  ///     number.
  /// - Returns: (N, 3, 32, 32) in the order of the file.
  /// - Throws: `DataError`.
  public static func read(_ path: String, split: DataSplit, labels kind: Labels = .fine, records: Int? = nil) throws
    -> RawImages
  {
    if let python = CIFARPythonFiles.folder(path, name: "cifar-100-python", marker: "meta"),
      (try? PathSuggestion.locate(path, candidates: candidates, markers: ["test.bin"])) == nil
    {
      return try CIFARPythonFiles.readCIFAR100(python, split: split, labels: kind, records: records)
    }
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let file = "\(split.rawValue).bin", names = "\(kind.name)_label_names.txt"
    let folder = try PathSuggestion.locate(path, candidates: candidates, markers: [file, names])
    // The coarse label comes first in a record.
    let reader = CIFARRecords(labelBytes: 2, labelIndex: kind == .fine ? 1 : 0, classes: kind.classes)
    let classNames = try reader.readNames(Path.join(folder, names))
    let (pixels, labels) = try reader.read([Path.join(folder, file)], records: expected(split, records))
    return RawImages(
      channels: 3, height: 32, width: 32, pixels: pixels, labels: labels, classNames: classNames,
      sources: SampleSource.rows(of: [Path.join(folder, file)], total: labels.count))
  }

  static func expected(_ split: DataSplit, _ records: Int?) -> Int? {
    let count = records ?? (split == .train ? 50_000 : 10_000)
    return count == 0 ? nil : count
  }

  private static let candidates = ["", "cifar-100-binary"]
}
