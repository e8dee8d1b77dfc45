import Files

/// A folder of classes: image files in `root/<class>`, or the same under `root/train` and `root/test`.
public enum ImageFolderFiles {
  /// Reads the images class by class, both sorted by name; a class is numbered by its place among the train classes.
  ///
  /// - `.train` reads `root/train` if it holds class folders, else `root` itself.
  /// - `.test` reads `root/test`, else `root/val`. Its classes must be among the train classes.
  /// - `.unlabeled` reads the images that lie directly in `root/unlabeled`.
  ///
  /// Gray images become RGB unless all images of the split are gray. Files of other kinds are passed over.
  /// - Parameters:
  ///   - size: side in pixels to resize to; nil asks that all images be of one size.
  ///   - resize: how to resize; needed when `size` is set and an image is of another size.
  /// - Returns: (N, C, H, W), C 1 or 3.
  /// - Throws: `DataError`, `.sizesDiffer` where `size` is nil and the images are not of one size.
  public static func read(
    _ path: String, split: DataSplit, size: Int? = nil, resize: ImageResize? = nil, limits: DecodingLimits = DecodingLimits(),
    progress: LoadProgress? = nil
  ) throws -> RawImages {
    guard FileSystem.isFolder(path) else {
      throw DataError.missing(path: path, lookedFor: [], suggestion: Path.similar(to: path))
    }
    let trainRoot = try splitFolder(path, ["train"]) ?? path
    let testRoot = try splitFolder(path, ["test", "val"])
    var classes = try FileSystem.subfolders(trainRoot)
    if trainRoot == path {
      let others = Set([testRoot, Path.join(path, "unlabeled")].compactMap { $0 })
      classes.removeAll { others.contains(Path.join(path, $0)) }
    }
    guard !classes.isEmpty else {
      throw DataError.missing(path: trainRoot, lookedFor: ["one subfolder for each class"], suggestion: nil)
    }
    let items: [(path: String, label: Int64)]
    switch split {
    case .train: items = try labeled(trainRoot, classes, classes)
    case .test:
      guard let testRoot else {
        throw DataError.missing(path: path, lookedFor: ["test/<class> or val/<class>"], suggestion: nil)
      }
      items = try labeled(testRoot, try FileSystem.subfolders(testRoot), classes)
    case .unlabeled:
      let folder = Path.join(path, "unlabeled")
      items = try imageNames(folder).map { (Path.join(folder, $0), -1) }
      guard !items.isEmpty else { throw DataError.missing(path: folder, lookedFor: [patterns], suggestion: nil) }
    }
    let block = try ImageAssembly(size: size, resize: resize, progress: progress, limits: limits).run(items.map(\.path))
    return RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
      labels: items.map(\.label), classNames: classes)
  }

  /// Image files directly in a folder, by their name's extension in any case, sorted.
  static func imageNames(_ folder: String) throws -> [String] {
    try FileSystem.list(folder).filter { name in
      ImageFileExtension(of: name) == .readable
    }
  }

  private static let patterns = ImageFileExtension.readableExtensions.map { "*.\($0)" }.joined(separator: ", ")

  /// A folder is a split and not a class of that name (`train` is one in some vehicle data sets) where it holds folders.
  private static func splitFolder(_ root: String, _ names: [String]) throws -> String? {
    for name in names {
      let folder = Path.join(root, name)
      if FileSystem.isFolder(folder), try !FileSystem.subfolders(folder).isEmpty { return folder }
    }
    return nil
  }

  private static func labeled(_ root: String, _ folders: [String], _ classes: [String]) throws -> [(path: String, label: Int64)] {
    try folders.flatMap { name in
      let folder = Path.join(root, name)
      guard let label = classes.firstIndex(of: name) else {
        throw DataError.malformed(
          path: folder, problem: "a class that the train folder lacks", mend: "Rename it to one of: \(classes.joined(separator: ", ")).")
      }
      let names = try imageNames(folder)
      guard !names.isEmpty else { throw DataError.missing(path: folder, lookedFor: [patterns], suggestion: nil) }
      return names.map { (Path.join(folder, $0), Int64(label)) }
    }
  }
}
