import Files

/// One line of a GTSRB CSV: `Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId`. Copies that a program has
/// written again may have commas or tabs in place of the semicolons.
struct GTSRBRow {
  let path: String
  let width: Int
  let height: Int
  /// Columns and rows of the sign. The corners in the CSV both belong to it, as in the benchmark's own sample code.
  let signX: Range<Int>
  let signY: Range<Int>
  let label: Int64

  private static let columns = ["Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId"]

  private static let separators: [Character] = [";", ",", "\t"]

  /// The rows of a file in file-name order; every image that it lists must be in the folder `images`, and no other.
  static func read(_ file: String, images: String, classes: Int) throws -> [GTSRBRow] {
    let lines = try FileSystem.readLines(file)
    func fields(_ line: String, _ separator: Character) -> [String] {
      line.split(separator: separator, omittingEmptySubsequences: false).map(\.trimmedBlanks)
    }
    let separator = separators.first { separator in lines.first.map { fields($0, separator) } == columns }
    guard let separator else {
      let found = lines.first ?? ""
      let fix =
        separators.contains { fields(found, $0) == columns.dropLast() }
        ? "This is the test CSV without labels; download GTSRB_Final_Test_GT.zip." : DataError.copyAgain
      throw DataError.malformed(
        path: file, problem: "its header is '\(found.prefix(120))', expected '\(columns.joined(separator: ";"))'",
        fix: fix)
    }
    let rows = try lines.dropFirst().enumerated().map { index, line in
      try parse(
        line, fields(line, separator), at: index + 2, file: file, images: images, classes: classes)
    }
    let listed = Set(rows.map { Path.name($0.path) })
    guard !rows.isEmpty, listed.count == rows.count else {
      throw DataError.malformed(path: file, problem: "no rows, or an image twice", fix: DataError.copyAgain)
    }
    let present = Set(try ImageFolderFiles.imageNames(images))
    if let lost = listed.subtracting(present).min() {
      throw DataError.missing(path: images, lookedFor: ["\(lost), which \(Path.name(file)) lists"], suggestion: nil)
    }
    if let extra = present.subtracting(listed).min() {
      throw DataError.malformed(
        path: Path.join(images, extra), problem: "an image that \(Path.name(file)) does not list",
        fix: "The CSV is truncated, or the image does not belong here.")
    }
    return rows.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func parse(
    _ line: String, _ fields: [String], at number: Int, file: String, images: String, classes: Int
  ) throws -> GTSRBRow {
    func fail(_ problem: String) -> DataError {
      .malformed(path: file, problem: "line \(number): \(problem)", fix: DataError.copyAgain)
    }
    let numbers = fields.dropFirst().compactMap { Int($0) }
    guard fields.count == columns.count, numbers.count == columns.count - 1, !fields[0].contains("/"),
      !fields[0].isEmpty
    else {
      throw fail("'\(line.prefix(120))' is not a file name and \(columns.count - 1) integers")
    }
    let (width, height, x1, y1, x2, y2) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    guard 0 <= x1, x1 <= x2, x2 < width, 0 <= y1, y1 <= y2, y2 < height else {
      throw fail("the box \(x1),\(y1) to \(x2),\(y2) does not lie within \(width)x\(height) pixels")
    }
    guard (0..<classes).contains(numbers[6]) else { throw fail("class \(numbers[6]), expected 0 to \(classes - 1)") }
    return GTSRBRow(
      path: Path.join(images, fields[0]), width: width, height: height, signX: x1..<x2 + 1, signY: y1..<y2 + 1,
      label: Int64(numbers[6]))
  }
}
