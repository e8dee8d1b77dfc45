import Files
import Formats

/// CIFAR-10 and CIFAR-100 in the python layout: one pickled dict a file, with `data` (uint8, N x 3072, planes) and
/// `labels`, or `fine_labels` and `coarse_labels`. The pickles are read as data by `SafePickle` and never executed.
public enum CIFARPythonFiles {
  /// - Parameters:
  ///   - path: the folder with `data_batch_1`..`5`, `test_batch` and `batches.meta`, or the parent of
  ///     `cifar-10-batches-py`.
  ///   - recordsPerFile: records that each file must hold; nil accepts any number.
  /// - Returns: (N, 3, 32, 32), the files in order.
  /// - Throws: `DataError`, `.refusedGlobal` for a pickle that holds more than plain data.
  public static func readCIFAR10(_ path: String, split: DataSplit, recordsPerFile: Int? = 10_000) throws -> RawImages {
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let names = split == .train ? (1...5).map { "data_batch_\($0)" } : ["test_batch"]
    let folder = try PathSuggestion.locate(
      path, candidates: ["", "cifar-10-batches-py"], markers: names + ["batches.meta"])
    let classNames = try readNames(Path.join(folder, "batches.meta"), key: "label_names", count: 10)
    return try read(
      names.map { Path.join(folder, $0) }, key: "labels", records: recordsPerFile, classNames: classNames)
  }

  /// - Parameters:
  ///   - path: the folder with `train`, `test` and `meta`, or the parent of `cifar-100-python`.
  ///   - records: records that the file must hold, by default the official 50,000 or 10,000; 0 accepts any number.
  /// - Returns: (N, 3, 32, 32) in the order of the file.
  /// - Throws: `DataError`, `.refusedGlobal` for a pickle that holds more than plain data.
  public static func readCIFAR100(
    _ path: String, split: DataSplit, labels: CIFAR100Files.Labels = .fine, records: Int? = nil
  ) throws -> RawImages {
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let folder = try PathSuggestion.locate(
      path, candidates: ["", "cifar-100-python"], markers: [split.rawValue, "meta"])
    let classNames = try readNames(Path.join(folder, "meta"), key: "\(labels.name)_label_names", count: labels.classes)
    return try read(
      [Path.join(folder, split.rawValue)], key: "\(labels.name)_labels",
      records: CIFAR100Files.expected(split, records), classNames: classNames)
  }

  /// `path` or its subfolder `name`, whichever holds the file `marker`.
  static func folder(_ path: String, name: String, marker: String) -> String? {
    [path, Path.join(path, name)].first { FileSystem.isFile(Path.join($0, marker)) }
  }

  private static func read(_ files: [String], key: String, records: Int?, classNames: [String]) throws -> RawImages {
    var pixels: [UInt8] = []
    var labels: [Int64] = []
    for file in files {
      let batch = try SafePickle().load(try FileSystem.read(file), name: file)
      func fail(_ problem: String) -> DataError {
        .malformed(path: file, problem: problem, fix: "It is not a CIFAR batch of this data set, or it is damaged.")
      }
      guard let data = batch["data"]?.array else { throw fail("no numpy array under the key 'data'") }
      guard data.dtype == .uint8, data.shape.count == 2, data.shape[1] == CIFARRecords.pixelBytes else {
        throw fail("'data' is \(data.dtype) \(data.shape), expected uint8 [N, \(CIFARRecords.pixelBytes)]")
      }
      guard let found = batch[key]?.integers else { throw fail("no list of integers under the key '\(key)'") }
      guard found.count == data.shape[0] else { throw fail("\(found.count) labels for \(data.shape[0]) images") }
      if let records, found.count != records {
        throw fail("\(formatCount(found.count)) images, expected \(formatCount(records))")
      }
      if let bad = found.firstIndex(where: { $0 < 0 || $0 >= classNames.count }) {
        throw fail("record \(formatCount(bad)) has label \(found[bad]), expected 0 to \(classNames.count - 1)")
      }
      pixels.reserveCapacity(files.count * data.bytes.count)
      pixels += data.bytes
      labels += found
    }
    return RawImages(
      channels: 3, height: 32, width: 32, pixels: pixels, labels: labels, classNames: classNames,
      sources: SampleSource.rows(of: files, total: labels.count))
  }

  private static func readNames(_ file: String, key: String, count: Int) throws -> [String] {
    let meta = try SafePickle().load(try FileSystem.read(file), name: file)
    guard let names = meta[key]?.list?.map(\.text), names.count == count, !names.contains(nil) else {
      throw DataError.malformed(
        path: file, problem: "no list of \(count) class names under the key '\(key)'", fix: DataError.copyAgain)
    }
    return names.compactMap { $0 }
  }
}
