import Files

/// STL-10 (Coates, Ng, Lee 2011): 5,000 train, 8,000 test and 100,000 unlabeled images, 96x96 RGB, 10 classes.
/// https://cs.stanford.edu/~acoates/stl10/
public enum STL10Files {
  /// Reads `train_X.bin` and `train_y.bin`, `test_X.bin` and `test_y.bin`, or `unlabeled_X.bin`, with
  /// `class_names.txt`.
  ///
  /// - Parameters:
  ///   - path: the folder of the files, or its parent that holds `stl10_binary`.
  ///   - records: images that the file must hold, by default the official number; 0 accepts any whole number.
  /// - Returns: (N, 3, 96, 96). Labels, 1...10 in the files, are 0...9 here; -1 in the unlabeled split.
  /// - Throws: `DataError`.
  public static func read(_ path: String, split: DataSplit, records: Int? = nil) throws -> RawImages {
    let labeled = split != .unlabeled
    let names = ["\(split.rawValue)_X.bin", "class_names.txt"] + (labeled ? ["\(split.rawValue)_y.bin"] : [])
    let folder = try PathSuggestion.locate(path, candidates: ["", "stl10_binary"], markers: names)
    let nameFile = Path.join(folder, "class_names.txt")
    let classNames = try FileSystem.readLines(nameFile)
    guard classNames.count == 10 else {
      throw DataError.malformed(
        path: nameFile, problem: "\(classNames.count) class names, expected 10", fix: DataError.copyAgain)
    }
    let file = Path.join(folder, names[0])
    let found = try FileSystem.size(file)
    let official = [DataSplit.train: 5_000, .test: 8_000, .unlabeled: 100_000]
    var count = records ?? official[split] ?? 0
    if count == 0 { count = max(1, (found + imageBytes / 2) / imageBytes) }
    guard found == count * imageBytes else {
      throw DataError.wrongSize(
        path: file, found: found, expected: count * imageBytes,
        layout: "\(formatCount(count)) images of \(formatCount(imageBytes)) bytes")
    }
    let labels =
      labeled ? try readLabels(Path.join(folder, names[2]), count: count) : .init(repeating: -1, count: count)
    var pixels = try FileSystem.read(file, limit: FormatLimits.rawData.bytes)
    guard pixels.count == found else {
      throw DataError.malformed(path: file, problem: "its size changed while it was read", fix: DataError.copyAgain)
    }
    transposePlanes(&pixels)
    return RawImages(
      channels: 3, height: side, width: side, pixels: pixels, labels: labels, classNames: classNames,
      sources: SampleSource.rows(of: [file], total: count))
  }

  private static let side = 96
  private static let imageBytes = 3 * side * side

  private static func readLabels(_ file: String, count: Int) throws -> [Int64] {
    let bytes = try FileSystem.read(file)
    guard bytes.count == count else {
      throw DataError.wrongSize(path: file, found: bytes.count, expected: count, layout: "one byte an image")
    }
    if let bad = bytes.firstIndex(where: { !(1...10).contains($0) }) {
      throw DataError.malformed(
        path: file, problem: "record \(formatCount(bad)) has label \(bytes[bad]), expected 1 to 10",
        fix: DataError.copyAgain)
    }
    return bytes.map { Int64($0) - 1 }
  }

  /// The files come from MATLAB: a plane is stored column by column. Planes are square, so they are turned in place,
  /// which saves the 2.8 GB that a copy of the unlabeled images would take.
  private static func transposePlanes(_ pixels: inout [UInt8]) {
    pixels.withUnsafeMutableBufferPointer { buffer in
      for plane in stride(from: 0, to: buffer.count, by: side * side) {
        for y in 1..<side {
          for x in 0..<y { buffer.swapAt(plane + y * side + x, plane + x * side + y) }
        }
      }
    }
  }
}
