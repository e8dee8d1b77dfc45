import Files

/// A folder of classes: image files in `root/<class>`, or the same under `root/train` and `root/test`.
public enum ImageFolderFiles {
  /// Reads the images class by class, both sorted by the bytes of their names; a class is numbered by its place among
  /// the train classes.
  ///
  /// - `.train` reads `root/train` or `root/training` if it holds class folders, else `root` itself.
  /// - `.test` reads `root/test`, `testing`, `val`, `valid` or `validation`, the first that there is. Its classes must
  ///   be among the train classes.
  /// - `.unlabeled` reads the images that lie directly in `root/unlabeled`, or in `root` where it has no subfolders.
  ///
  /// Names of splits may be in any case. Gray images become RGB unless all images of the split are gray. Files of other
  /// kinds are passed over, and the notes say so.
  /// - Parameters:
  ///   - size: side in pixels to resize to; nil asks that all images be of one size.
  ///   - resize: how to resize; needed when `size` is set and an image is of another size.
  /// - Returns: (N, C, H, W), C 1 or 3.
  /// - Throws: `DataError`, `.sizesDiffer` where `size` is nil and the images are not of one size; `FileError`, also
  ///   for a name that is not UTF-8.
  public static func read(
    _ path: String, split: DataSplit, size: Int? = nil, resize: ImageResize? = nil,
    limits: DecodingLimits = DecodingLimits(),
    progress: LoadProgress? = nil
  ) throws -> RawImages {
    if split == .unlabeled, FileSystem.isFolder(path), try FileSystem.subfolders(path).isEmpty {
      return try unlabeled(in: path, size: size, resize: resize, limits: limits, progress: progress)
    }
    let layout = try ImageFolderLayout(path)
    var passedOver = PassedOverFiles()
    let items: [(path: String, label: Int64)]
    switch split {
    case .train: items = try labeled(layout.train, layout.classes.enumerated().map { ($1, $0) }, &passedOver)
    case .test:
      guard let test = layout.test else {
        throw DataError.missing(path: path, lookedFor: ["test/<class> or val/<class>"], suggestion: nil)
      }
      items = try labeled(test, try testClasses(test, layout.classes), &passedOver)
    case .unlabeled:
      items = try imageNames(layout.unlabeled, &passedOver).map { (Path.join(layout.unlabeled, $0), -1) }
      guard !items.isEmpty else {
        throw DataError.missing(path: layout.unlabeled, lookedFor: [patterns], suggestion: nil)
      }
    }
    let block = try ImageAssembly(size: size, resize: resize, progress: progress, limits: limits).run(items.map(\.path))
    var images = RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
      labels: items.map(\.label), classNames: layout.classes, sources: items.map { SampleSource(file: $0.path) })
    images.notes = layout.notes + [passedOver.note].compactMap { $0 }
    return images
  }

  /// A folder without classes.
  private static func unlabeled(
    in folder: String, size: Int?, resize: ImageResize?, limits: DecodingLimits, progress: LoadProgress?
  ) throws -> RawImages {
    var passedOver = PassedOverFiles()
    let files = try imageNames(folder, &passedOver).map { Path.join(folder, $0) }
    guard !files.isEmpty else { throw DataError.missing(path: folder, lookedFor: [patterns], suggestion: nil) }
    let block = try ImageAssembly(size: size, resize: resize, progress: progress, limits: limits).run(files)
    var images = RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
      labels: [Int64](repeating: -1, count: files.count), classNames: [], sources: files.map { SampleSource(file: $0) })
    images.notes = [passedOver.note].compactMap { $0 }
    return images
  }

  /// Whether a folder holds images and no folders of classes.
  public static func isFlat(_ path: String) -> Bool {
    guard FileSystem.isFolder(path), (try? FileSystem.subfolders(path))?.isEmpty == true else { return false }
    return (try? imageNames(path))?.isEmpty == false
  }

  /// Whether there is a folder for the test split.
  static func holdsTest(_ path: String) throws -> Bool { try ImageFolderLayout(path).test != nil }

  /// Image files directly in a folder, by their name's extension in any case, sorted.
  static func imageNames(_ folder: String) throws -> [String] {
    var passedOver = PassedOverFiles()
    return try imageNames(folder, &passedOver)
  }

  private static func imageNames(_ folder: String, _ passedOver: inout PassedOverFiles) throws -> [String] {
    try FileSystem.list(folder).filter { name in
      if ImageFileExtension(of: name) == .readable { return true }
      passedOver.add(Path.join(folder, name))
      return false
    }
  }

  private static let patterns = ImageFileExtension.readableExtensions.map { "*.\($0)" }.joined(separator: ", ")

  /// The class folders of the test split, with their numbers among the train classes.
  private static func testClasses(_ root: String, _ classes: [String]) throws -> [(name: String, label: Int)] {
    let names = try FileSystem.subfolders(root)
    let labels = ClassNames(classes).positions(of: names)
    if let unknown = labels.firstIndex(of: nil) {
      throw DataError.malformed(
        path: Path.join(root, names[unknown]), problem: "a class that the train folder lacks",
        fix: "Rename it to one of: \(classes.joined(separator: ", ")).")
    }
    return zip(names, labels.compactMap { $0 }).map { ($0, $1) }
  }

  private static func labeled(
    _ root: String, _ classes: [(name: String, label: Int)], _ passedOver: inout PassedOverFiles
  ) throws -> [(path: String, label: Int64)] {
    var items: [(path: String, label: Int64)] = []
    for (name, label) in classes {
      let folder = Path.join(root, name)
      let names = try imageNames(folder, &passedOver)
      guard !names.isEmpty else {
        throw DataError.malformed(
          path: folder, problem: "a class folder without an image",
          fix: "Put images into it, or remove it. Read are \(patterns).")
      }
      items += names.map { (Path.join(folder, $0), Int64(label)) }
    }
    return items
  }
}

/// Counts what lies among the images and is not read.
private struct PassedOverFiles {
  private var counts: [String: Int] = [:]
  private var example: String?

  mutating func add(_ path: String) {
    let name = Path.name(path)
    let ending = name.lastIndex(of: ".").map { name[$0...].lowercased() }
    counts[FileSystem.isFolder(path) ? "folders" : ending ?? "without extension", default: 0] += 1
    // An image that cannot be read says more than a text beside the images.
    if example == nil
      || (ImageFileExtension(of: path) == .unreadable && example.map { ImageFileExtension(of: $0) } == .other)
    {
      example = path
    }
  }

  /// One line; nil where there are none.
  var note: String? {
    guard let example else { return nil }
    let kinds = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let named =
      kinds.prefix(6).map { "\($0.value) \($0.key)" }.joined(separator: ", ") + (kinds.count > 6 ? ", ..." : "")
    let count = counts.values.reduce(0, +)
    return "\(count) file\(count == 1 ? "" : "s") among the images passed over (\(named)), such as \(example)"
  }
}
