import Files

/// German Traffic Sign Recognition Benchmark (Stallkamp et al. 2012): 39,209 train and 12,630 test images of differing
/// sizes, RGB, 43 classes. https://benchmark.ini.rub.de/gtsrb_dataset.html
public enum GTSRBFiles {
  /// Reads `Final_Training/Images/000xx/GT-000xx.csv` or `Final_Test/Images` with `GT-final_test.csv`, and the PPM
  /// images that they list. Other programs call the folders `Training`, or `Train` and `Test`. The test CSV with labels
  /// is a download of its own; it is looked for beside the images and above.
  ///
  /// - Parameters:
  ///   - path: the folder that holds `Final_Training` and `Final_Test`, or its parent that holds `GTSRB`.
  ///   - cropToSign: keep only the sign's bounding box from the CSV (both corners inside it), which drops a border of
  ///     about 10%.
  ///   - size: side in pixels to resize to; the images differ, so real data needs it.
  ///   - classes: number of class folders that must be there, for reduced copies.
  /// - Returns: (N, 3, H, W), train images class by class, all in file-name order.
  /// - Throws: `DataError`.
  public static func read(
    _ path: String, split: DataSplit, cropToSign: Bool = false, size: Int? = nil, resize: ImageResize? = nil,
    limits: DecodingLimits = DecodingLimits(),
    classes: Int = 43, progress: LoadProgress? = nil
  ) throws -> RawImages {
    let rows: [GTSRBRow]
    switch split {
    case .train: rows = try train(path, classes)
    case .test: rows = try test(path, classes)
    case .unlabeled: throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let block = try ImageAssembly(size: size, resize: resize, progress: progress, limits: limits).run(rows.map(\.path))
    { index, image in
      let row = rows[index]
      guard image.width == row.width, image.height == row.height else {
        throw DataError.malformed(
          path: row.path,
          problem: "the image is \(image.width)x\(image.height), its CSV says \(row.width)x\(row.height)",
          fix: DataError.copyAgain)
      }
      return cropToSign ? image.cropped(x: row.signX, y: row.signY) : image
    }
    return RawImages(
      channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
      labels: rows.map(\.label), classNames: classes == 43 ? classNames : (0..<classes).map(folderName),
      sources: rows.map { SampleSource(file: $0.path) })
  }

  private static let bases = ["", "GTSRB", "gtsrb/GTSRB", "gtsrb"]

  private static func train(_ path: String, _ classes: Int) throws -> [GTSRBRow] {
    let places = ["Final_Training/Images", "Training", "Train"]
    let candidates = bases.flatMap { base in places.map { Path.join(base, $0) } } + [""]
    let folders = (0..<classes).map(folderName)
    let root = try PathSuggestion.locate(path, candidates: candidates, markers: folders)
    if let extra = try FileSystem.subfolders(root).first(where: { !folders.contains($0) }) {
      throw DataError.malformed(
        path: Path.join(root, extra),
        problem: "a folder that is none of the \(classes) classes 00000 to \(folders.last ?? "")",
        fix: "Move it elsewhere.")
    }
    return try folders.enumerated().flatMap { label, name in
      let folder = Path.join(root, name)
      let rows = try GTSRBRow.read(Path.join(folder, "GT-\(name).csv"), images: folder, classes: classes)
      if let odd = rows.first(where: { $0.label != label }) {
        throw DataError.malformed(
          path: Path.join(folder, "GT-\(name).csv"),
          problem: "\(Path.name(odd.path)) has class \(odd.label), expected \(label), the folder's",
          fix: DataError.copyAgain)
      }
      return rows
    }
  }

  private static func test(_ path: String, _ classes: Int) throws -> [GTSRBRow] {
    let base = try PathSuggestion.locate(path, candidates: bases, markers: ["Final_Test/Images|Test"])
    let usual = Path.join(base, "Final_Test/Images")
    let images = FileSystem.isFolder(usual) ? usual : Path.join(base, "Test")
    let name = "GT-final_test.csv"
    let places = [images, Path.parent(images), base, path, Path.parent(base)].map { Path.join($0, name) }
    guard let file = places.first(where: FileSystem.isFile) else {
      throw DataError.missing(
        path: images,
        lookedFor: ["\(name) (the labels of the test images, in the separate archive GTSRB_Final_Test_GT.zip)"],
        suggestion: nil)
    }
    return try GTSRBRow.read(file, images: images, classes: classes)
  }

  private static func folderName(_ label: Int) -> String {
    let digits = String(label)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// What the signs say; the files hold numbers only.
  public static let classNames = [
    "Speed limit 20", "Speed limit 30", "Speed limit 50", "Speed limit 60", "Speed limit 70", "Speed limit 80",
    "End of speed limit 80", "Speed limit 100", "Speed limit 120", "No passing", "No passing for trucks",
    "Right of way at next intersection", "Priority road", "Yield", "Stop", "No vehicles", "No trucks", "No entry",
    "General caution", "Curve left", "Curve right", "Double curve", "Bumpy road", "Slippery road", "Road narrows right",
    "Road work", "Traffic signals", "Pedestrians", "Children crossing", "Bicycles crossing", "Ice or snow",
    "Wild animals", "End of all limits", "Turn right ahead", "Turn left ahead", "Ahead only", "Straight or right",
    "Straight or left", "Keep right", "Keep left", "Roundabout", "End of no passing", "End of no passing for trucks",
  ]
}
