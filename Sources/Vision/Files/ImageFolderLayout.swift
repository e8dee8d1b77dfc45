import Files

/// Where the splits of a folder of classes lie: in subfolders with one of the usual names, in any case, that hold class
/// folders.
struct ImageFolderLayout {
  let root: String
  /// The folder that holds the train classes: a subfolder, or the root itself.
  let train: String
  /// nil where there is none.
  let test: String?
  let unlabeled: String
  /// The train classes, sorted by the bytes of their names.
  let classes: [String]
  /// What a user might think is read, and is not.
  let notes: [String]

  static let trainNames = ["train", "training"]
  static let testNames = ["test", "testing", "val", "valid", "validation"]

  /// - Throws: `DataError`, `FileError`.
  init(_ root: String) throws {
    guard FileSystem.isFolder(root) else {
      throw DataError.missing(path: root, lookedFor: [], suggestion: Path.similar(to: root))
    }
    let folders = try FileSystem.subfolders(root)
    // Without folders in it, it is a class of that name (`train` is one in some vehicle data sets).
    let splits = try folders.filter { name in
      guard (Self.trainNames + Self.testNames).contains(name.lowercased()) else { return false }
      return !(try FileSystem.subfolders(Path.join(root, name)).isEmpty)
    }
    func first(_ names: [String]) -> String? {
      names.lazy.compactMap { name in splits.first { $0.lowercased() == name } }.first
    }
    let (trainName, testName) = (first(Self.trainNames), first(Self.testNames))
    let unlabeledName = folders.first { $0.lowercased() == "unlabeled" } ?? "unlabeled"
    let others = folders.filter { $0 != trainName && $0 != testName && $0 != unlabeledName }

    self.root = root
    train = trainName.map { Path.join(root, $0) } ?? root
    test = testName.map { Path.join(root, $0) }
    unlabeled = Path.join(root, unlabeledName)
    classes = try trainName == nil ? others.filter { !splits.contains($0) } : FileSystem.subfolders(train)
    guard !classes.isEmpty else {
      if ImageFolderFiles.isFlat(train) { throw Self.flat(train) }
      throw DataError.missing(path: train, lookedFor: ["one subfolder for each class"], suggestion: nil)
    }
    notes =
      Self.notes(root, train: trainName, test: testName, others: others, splits: splits)
      + (trainName == nil && folders.contains(unlabeledName)
        ? ["\(root): \(unlabeledName) holds images without labels and is no class"] : [])
  }

  /// A folder of images where classes are looked for: it is one class of the folder above, or has no classes.
  private static func flat(_ path: String) -> DataError {
    let above = Path.parent(path)
    let classes = ((try? FileSystem.subfolders(above)) ?? []).filter { ImageFolderFiles.isFlat(Path.join(above, $0)) }
    return .malformed(
      path: path, problem: "it holds images, and no subfolder for each class",
      fix: classes.count > 1
        ? "It looks like one class of \(above), which has \(classes.count): name that folder."
        : "Sort them into subfolders, one a class; or list them with their labels in a table (--dataset csv).")
  }

  private static func notes(_ root: String, train: String?, test: String?, others: [String], splits: [String])
    -> [String]
  {
    let unused = train == nil ? others.filter(splits.contains) : others
    var notes: [String] = []
    if !unused.isEmpty {
      let used = [train ?? ".", test].compactMap { $0 }.joined(separator: " and ")
      let more = unused.count > 5 ? " and \(unused.count - 5) more" : ""
      notes.append(
        "\(root): not used: \(unused.prefix(5).joined(separator: ", "))\(more); the images come from \(used)")
    }
    let classLike =
      train == nil ? others.filter { (trainNames + testNames).contains($0.lowercased()) && !splits.contains($0) } : []
    if !classLike.isEmpty {
      let names = classLike.joined(separator: ", ")
      notes.append("\(root): taken for a class, not a split, as it holds no class folders: \(names)")
    }
    return notes
  }
}
