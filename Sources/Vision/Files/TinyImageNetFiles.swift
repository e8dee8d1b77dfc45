import Files

/// Tiny ImageNet (Stanford CS231n): 200 classes, 64x64 RGB JPEG; 500 train and 50 validation images a class.
public enum TinyImageNetFiles {
  /// Reads `wnids.txt`, `words.txt`, and `train/<wnid>/images/*.JPEG` or, for the test split, `val/images/*.JPEG` with
  /// `val/val_annotations.txt`; where other programs have moved the validation images into folders by class,
  /// `val/<wnid>/*.JPEG` or `val/<wnid>/images/*.JPEG`. The unlabeled split is `test/images/*.JPEG`, whose labels were
  /// never published.
  ///
  /// Classes are numbered by their wnid in sorted order, as folder readers number them, so that labels agree with
  /// checkpoints trained elsewhere; the order of lines in `wnids.txt` does not matter.
  /// - Parameters:
  ///   - path: the folder of the files, or its parent that holds `tiny-imagenet-200`.
  ///   - size: side in pixels to resize to; nil keeps the images' own size.
  ///   - imagesPerClass: images that each train class must hold; nil accepts any number above 0, for reduced copies.
  /// - Returns: (N, 3, H, W), train images class by class and sorted by name, validation images in file-name order.
  /// - Throws: `DataError`.
  public static func read(
    _ path: String, split: DataSplit, size: Int? = nil, resize: ImageResize? = nil,
    limits: DecodingLimits = DecodingLimits(),
    imagesPerClass: Int? = 500,
    progress: LoadProgress? = nil
  ) throws -> RawImages {
    let markers = [DataSplit.train: ["train"], .test: ["val"], .unlabeled: ["test/images"]]
    let folder = try PathSuggestion.locate(
      path, candidates: ["", "tiny-imagenet-200"], markers: ["wnids.txt"] + (markers[split] ?? []))
    let wnids = try FileSystem.readLines(Path.join(folder, "wnids.txt")).sorted()
    guard !wnids.isEmpty, Set(wnids).count == wnids.count else {
      throw DataError.malformed(
        path: Path.join(folder, "wnids.txt"), problem: "no class, or a class twice", fix: DataError.copyAgain)
    }
    let items: [(path: String, label: Int64)]
    switch split {
    case .train: items = try train(folder, wnids, imagesPerClass)
    case .test: items = try sortedByName(movedValidation(folder, wnids) ?? validation(folder, wnids))
    case .unlabeled:
      let images = Path.join(folder, "test/images")
      items = try ImageFolderFiles.imageNames(images).map { (Path.join(images, $0), -1) }
    }
    guard !items.isEmpty else {
      throw DataError.missing(path: folder, lookedFor: ["images of the \(split.rawValue) split"], suggestion: nil)
    }
    let block = try ImageAssembly(size: size, resize: resize, progress: progress, limits: limits).run(items.map(\.path))
    return RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
      labels: items.map(\.label), classNames: try classNames(folder, wnids),
      sources: items.map { SampleSource(file: $0.path) })
  }

  private static func train(_ folder: String, _ wnids: [String], _ perClass: Int?) throws -> [(
    path: String, label: Int64
  )] {
    var items: [(path: String, label: Int64)] = []
    for (label, wnid) in wnids.enumerated() {
      let images = Path.join(folder, "train", wnid, "images")
      let names = try ImageFolderFiles.imageNames(images)
      if let perClass, names.count != perClass {
        throw DataError.malformed(
          path: images, problem: "\(names.count) images, expected \(perClass)", fix: "Unpack the archive again.")
      }
      guard !names.isEmpty else { throw DataError.missing(path: images, lookedFor: ["*.JPEG"], suggestion: nil) }
      items += names.map { (Path.join(images, $0), Int64(label)) }
    }
    return items
  }

  private static func validation(_ folder: String, _ wnids: [String]) throws -> [(path: String, label: Int64)] {
    let folder = try PathSuggestion.locate(
      folder, candidates: [""], markers: ["val/images", "val/val_annotations.txt"])
    let file = Path.join(folder, "val/val_annotations.txt"), images = Path.join(folder, "val/images")
    let labels = Dictionary(uniqueKeysWithValues: wnids.enumerated().map { ($1, Int64($0)) })
    let items = try FileSystem.readLines(file).enumerated().map { index, line in
      // file name, wnid, and a bounding box that nothing here needs
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(\.trimmedBlanks)
      guard fields.count >= 2, !fields[0].contains("/"), let label = labels[fields[1]] else {
        throw DataError.malformed(
          path: file,
          problem:
            "line \(index + 1) is '\(escaped(String(line), limit: 120))', expected a file name, a tab and a class of "
            + "wnids.txt",
          fix: DataError.copyAgain)
      }
      return (path: Path.join(images, fields[0]), label: label)
    }
    let present = Set(try FileSystem.list(images))
    if let lost = items.first(where: { !present.contains(Path.name($0.path)) }) {
      throw DataError.missing(
        path: images, lookedFor: ["\(Path.name(lost.path)), which val_annotations.txt names"], suggestion: nil)
    }
    return items
  }

  /// Validation images in folders by class; nil where there are none.
  private static func movedValidation(_ folder: String, _ wnids: [String]) throws -> [(path: String, label: Int64)]? {
    let folders = wnids.map { Path.join(folder, "val", $0) }
    guard folders.contains(where: FileSystem.isFolder) else { return nil }
    return try folders.enumerated().flatMap { label, folder in
      let inner = Path.join(folder, "images")
      let images = FileSystem.isFolder(inner) ? inner : folder
      let names = try ImageFolderFiles.imageNames(images)
      guard !names.isEmpty else { throw DataError.missing(path: images, lookedFor: ["*.JPEG"], suggestion: nil) }
      return names.map { (Path.join(images, $0), Int64(label)) }
    }
  }

  /// The same order wherever they lie.
  private static func sortedByName(_ items: [(path: String, label: Int64)]) -> [(path: String, label: Int64)] {
    items.map { (name: Path.name($0.path), item: $0) }.sorted {
      ($0.name == $1.name ? $0.item.path : $0.name).utf8.lexicographicallyPrecedes(
        ($0.name == $1.name ? $1.item.path : $1.name).utf8)
    }.map(\.item)
  }

  /// The classes' names in their order, without a look at the images.
  static func classNames(in path: String) throws -> [String] {
    let folder = try PathSuggestion.locate(path, candidates: ["", "tiny-imagenet-200"], markers: ["wnids.txt"])
    return try classNames(folder, FileSystem.readLines(Path.join(folder, "wnids.txt")).sorted())
  }

  /// The names of classes that are given by their wnid.
  static func classNames(of wnids: [String], in path: String) throws -> [String] {
    let folder = try PathSuggestion.locate(path, candidates: ["", "tiny-imagenet-200"], markers: ["wnids.txt"])
    return try classNames(folder, wnids)
  }

  /// Whether a name is a wnid: `n` and eight digits.
  static func isIdentifier(_ name: String) -> Bool {
    name.utf8.count == 9 && name.hasPrefix("n") && name.utf8.dropFirst().allSatisfy { (48...57).contains($0) }
  }

  /// The first of the words for each wnid; the wnid itself where `words.txt` is absent or does not list it.
  private static func classNames(_ folder: String, _ wnids: [String]) throws -> [String] {
    let file = Path.join(folder, "words.txt")
    guard FileSystem.isFile(file) else { return wnids }
    let wanted = Set(wnids)
    var words: [String: String] = [:]
    for line in try FileSystem.readLines(file) {
      guard let tab = line.firstIndex(of: "\t"), wanted.contains(String(line[..<tab])) else { continue }
      words[String(line[..<tab])] = line[line.index(after: tab)...].prefix { $0 != "," }.trimmedBlanks
    }
    return wnids.map { words[$0] ?? $0 }
  }
}
