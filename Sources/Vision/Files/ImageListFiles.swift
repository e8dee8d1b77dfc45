import Files

/// Images that a table lists: one line an image, with the path of its file and its label. Training images are those of
/// one file, or of `train.csv` in a folder; test images those of `test.csv` beside it, if there is one.
enum ImageListFiles {
  /// Names of the column with the path, which is relative to the table's folder or absolute.
  static let pathColumns = ["path", "file", "filename", "image"]
  /// Names of the column with the label: the name of a class, or a number.
  static let labelColumns = ["class", "label", "target"]

  /// Classes are sorted by the bytes of their names, or by number where all are numbers.
  /// - Throws: `DataError`, `.sizesDiffer` where `size` is nil and the images are not of one size; `ParseError`,
  ///   `FileError`. What is wrong with a row is said with its line.
  static func read(
    _ path: String, split: DataSplit, size: Int? = nil, resize: ImageResize? = nil,
    limits: DecodingLimits = DecodingLimits()
  ) throws -> RawImages {
    let (train, test) = try tables(path)
    let trainList = try List(train, needsLabels: split != .unlabeled)
    let classes = trainList.classes
    var list = trainList
    if split == .test {
      guard let test else { throw DataError.noSuchSplit(path: path, split: split, available: [.train]) }
      list = try List(test, needsLabels: true)
    }
    let positions = ClassNames(classes).positions(of: list.classes)
    let places = Dictionary(uniqueKeysWithValues: zip(list.classes, positions))
    let labels = try list.items.map { item -> Int64 in
      guard split != .unlabeled, let label = item.label else { return -1 }
      guard let place = places[label] ?? nil else {
        throw list.error(
          item.line, "the class \(label) is not among those of \(train): \(classes.prefix(20).joined(separator: ", "))."
        )
      }
      return Int64(place)
    }
    for item in list.items where !FileSystem.isFile(item.path) {
      throw list.error(item.line, "there is no file \(item.path). Paths are relative to the folder of the table.")
    }
    let files = list.items.map(\.path)
    let block = try ImageAssembly(size: size, resize: resize, progress: nil, limits: limits).run(files)
    return RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels, labels: labels,
      classNames: split == .unlabeled ? [] : classes, sources: files.map { SampleSource(file: $0) })
  }

  /// Whether there is a table of test images.
  static func holdsTest(_ path: String) throws -> Bool { try tables(path).test != nil }

  /// The names of the classes, in their order, without a look at the images.
  static func classNames(_ path: String) throws -> [String] {
    try List(tables(path).train, needsLabels: true).classes
  }

  private static func tables(_ path: String) throws -> (train: String, test: String?) {
    guard let train = trainTable(path) else { throw missing(path) }
    let test = Path.join(path, "test.csv")
    return (train, FileSystem.isFolder(path) && FileSystem.isFile(test) ? test : nil)
  }

  private static func trainTable(_ path: String) -> String? {
    [path, Path.join(path, "train.csv")].first(where: FileSystem.isFile)
  }

  private static func missing(_ path: String) -> DataError {
    if FileSystem.isFolder(path) {
      let table = ((try? FileSystem.list(path)) ?? []).first { $0.lowercased().hasSuffix(".csv") }
      return .missing(path: path, lookedFor: ["train.csv"], suggestion: table.map { Path.join(path, $0) })
    }
    return .missing(path: path, lookedFor: [], suggestion: Path.similar(to: path))
  }

  /// The rows of one table.
  private struct List {
    struct Item {
      let line: Int
      let path: String
      let label: String?
    }

    let table: String
    let items: [Item]
    let classes: [String]

    init(_ path: String, needsLabels: Bool) throws {
      table = path
      let found = try CSVTable(contentsOf: path)
      func column(_ names: [String]) -> Int? { names.lazy.compactMap { found.column($0) }.first }
      func error(_ line: Int, _ problem: String) -> ParseError { ParseError(problem, source: path, line: line) }
      guard let pathColumn = column(ImageListFiles.pathColumns) else {
        throw error(
          1,
          "no column is called path, but \(escaped(found.header.joined(separator: ", "), limit: 300)). Name the column in the header."
        )
      }
      let labelColumn = column(ImageListFiles.labelColumns)
      guard labelColumn != nil || !needsLabels else {
        throw error(
          1,
          "no column is called label or class, but \(escaped(found.header.joined(separator: ", "), limit: 300)). Name it in the header."
        )
      }
      let folder = Path.parent(path)
      items = try found.rows.map { row in
        let file = row.fields[pathColumn]
        guard !file.isEmpty else { throw error(row.line, "the path is empty.") }
        let label = labelColumn.map { row.fields[$0].trimmedBlanks }
        guard label?.isEmpty != true || !needsLabels else { throw error(row.line, "\(file) has no label.") }
        return Item(line: row.line, path: Path.resolved(file, in: folder), label: label)
      }
      guard !items.isEmpty else { throw error(1, "there is no row under the header.") }
      let names = Set(items.compactMap(\.label))
      let numbers = names.compactMap { Int($0) }
      classes =
        Set(numbers).count == names.count
        ? numbers.sorted().map(String.init)
        : names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      // "01" and "1" would be one number, "+1" no name that a user knows again.
      if Set(numbers).count == names.count,
        let odd = items.first(where: { item in
          item.label.map { String(Int($0) ?? 0) != $0 } ?? false
        })
      {
        throw error(odd.line, "the label \(odd.label ?? "") is no plain number. Write all of them as 0, 1, 2, ...")
      }
    }

    func error(_ line: Int, _ problem: String) -> ParseError { ParseError(problem, source: table, line: line) }
  }
}
