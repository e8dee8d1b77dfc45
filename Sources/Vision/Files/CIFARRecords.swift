import Files

/// The records of CIFAR's binary files: label bytes, then the red, green and blue planes of a 32x32 image.
struct CIFARRecords {
  static let pixelBytes = 3 * 32 * 32

  /// Label bytes before the pixels, and which of them is the label wanted.
  let labelBytes: Int
  let labelIndex: Int
  /// Labels are 0..<classes.
  let classes: Int

  /// Reads the files one after the other.
  ///
  /// - Parameter records: records that each file must hold, nil for any whole number.
  /// - Throws: `DataError.wrongSize`, or `.malformed` with the first record whose label is out of range.
  func read(_ files: [String], records: Int?) throws -> (pixels: [UInt8], labels: [Int64]) {
    let stride = labelBytes + Self.pixelBytes
    let counts = try files.map { file in
      let size = try FileSystem.size(file)
      let expected = records ?? max(1, (size + stride / 2) / stride)
      guard size == expected * stride else {
        throw DataError.wrongSize(
          path: file, found: size, expected: expected * stride,
          layout: "\(formatCount(expected)) records of \(formatCount(stride)) bytes")
      }
      return expected
    }
    let total = counts.reduce(0, +)
    var labels: [Int64] = []
    labels.reserveCapacity(total)
    let pixels = try [UInt8](unsafeUninitializedCapacity: total * Self.pixelBytes) { target, filled in
      for (file, count) in zip(files, counts) {
        let bytes = try FileSystem.read(file)
        guard bytes.count == count * stride else {
          throw DataError.malformed(path: file, problem: "its size changed while it was read", fix: DataError.copyAgain)
        }
        try bytes.withUnsafeBytes { source in
          for record in 0..<count {
            let start = record * stride
            let label = source[start + labelIndex]
            guard label < classes else {
              throw DataError.malformed(
                path: file, problem: "record \(formatCount(record)) has label \(label), expected 0 to \(classes - 1)",
                fix: DataError.copyAgain)
            }
            labels.append(Int64(label))
            let image = UnsafeRawBufferPointer(rebasing: source[start + labelBytes..<start + stride])
            UnsafeMutableRawBufferPointer(
              rebasing: UnsafeMutableRawBufferPointer(target)[filled..<filled + Self.pixelBytes]
            )
            .copyMemory(from: image)
            filled += Self.pixelBytes
          }
        }
      }
    }
    return (pixels, labels)
  }

  /// Class names, one a line. Throws `DataError.malformed` where their number is not `classes`.
  func readNames(_ file: String) throws -> [String] {
    let names = try FileSystem.readLines(file)
    guard names.count == classes else {
      throw DataError.malformed(
        path: file, problem: "\(names.count) class names, expected \(classes)", fix: DataError.copyAgain)
    }
    return names
  }
}
