import Files

/// CIFAR-10 (Krizhevsky 2009): 50,000 train and 10,000 test images, 32x32 RGB, 10 classes.
/// https://www.cs.toronto.edu/~kriz/cifar.html
public enum CIFAR10Files {
  /// Reads the binary layout (`data_batch_1.bin`..`5`, `test_batch.bin`, `batches.meta.txt`) or else the python layout
  /// (`data_batch_1`..`5`, `test_batch`, `batches.meta`).
  ///
  /// - Parameters:
  ///   - path: the folder of the files, or its parent that holds `cifar-10-batches-bin` or `cifar-10-batches-py`.
  ///   - recordsPerFile: records that each file must hold; nil accepts any whole number, for reduced copies.
  /// - Returns: (N, 3, 32, 32), the files in order.
  /// - Throws: `DataError`.
  public static func read(_ path: String, split: DataSplit, recordsPerFile: Int? = 10_000) throws -> RawImages {
    if let python = CIFARPythonFiles.folder(path, name: "cifar-10-batches-py", marker: "test_batch"),
      (try? PathSuggestion.locate(path, candidates: candidates, markers: ["test_batch.bin"])) == nil
    {
      return try CIFARPythonFiles.readCIFAR10(python, split: split, recordsPerFile: recordsPerFile)
    }
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let names = split == .train ? (1...5).map { "data_batch_\($0).bin" } : ["test_batch.bin"]
    let folder = try PathSuggestion.locate(path, candidates: candidates, markers: names + ["batches.meta.txt"])
    let records = CIFARRecords(labelBytes: 1, labelIndex: 0, classes: 10)
    let classNames = try records.readNames(Path.join(folder, "batches.meta.txt"))
    let files = names.map { Path.join(folder, $0) }
    let (pixels, labels) = try records.read(files, records: recordsPerFile)
    return RawImages(
      channels: 3, height: 32, width: 32, pixels: pixels, labels: labels, classNames: classNames,
      sources: SampleSource.rows(of: files, total: labels.count))
  }

  private static let candidates = ["", "cifar-10-batches-bin"]
}
