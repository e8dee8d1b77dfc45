import Files
import Formats

/// The idx files of MNIST (LeCun 1998) and the data sets that copy its layout: big-endian header, then bytes.
public struct IDXFiles: Sendable {
  /// Subfolders in which downloaders leave the files, tried after the folder itself.
  public let subfolders: [String]
  /// The label of an image is an index into these.
  public let classNames: [String]

  public init(subfolders: [String] = [], classNames: [String]) {
    self.subfolders = subfolders
    self.classNames = classNames
  }

  public static let mnist = IDXFiles(subfolders: ["MNIST/raw", "raw", "mnist"], classNames: (0...9).map(String.init))
  /// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017).
  public static let fashionMNIST = IDXFiles(
    subfolders: ["FashionMNIST/raw", "raw", "fashion-mnist"],
    classNames: [
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ])

  /// Reads `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, or `t10k-...` for the test split; each may be
  /// spelled with `.idx` in place of `-idx`, and may end in `.gz`.
  ///
  /// - Returns: (N, 1, H, W); the size is what the header says, 28x28 in MNIST.
  /// - Throws: `DataError`.
  public func read(_ path: String, split: DataSplit) throws -> RawImages {
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let prefix = split == .train ? "train" : "t10k"
    let images = Self.spellings("\(prefix)-images", "idx3-ubyte"),
      labels = Self.spellings("\(prefix)-labels", "idx1-ubyte")
    let folder = try PathSuggestion.locate(
      path, candidates: [""] + subfolders, markers: [images.joined(separator: "|"), labels.joined(separator: "|")])
    func find(_ names: [String]) -> String {
      Path.join(folder, names.first { FileSystem.isFile(Path.join(folder, $0)) } ?? names[0])
    }
    let (size, pixels) = try Self.readBlock(find(images), dimensions: 3, what: "images")
    let labelFile = find(labels)
    let (count, values) = try Self.readBlock(labelFile, dimensions: 1, what: "labels")
    guard count[0] == size[0] else {
      throw DataError.malformed(
        path: labelFile, problem: "\(formatCount(count[0])) labels for \(formatCount(size[0])) images",
        fix: DataError.copyAgain)
    }
    if let bad = values.firstIndex(where: { $0 >= classNames.count }) {
      throw DataError.malformed(
        path: labelFile,
        problem: "record \(formatCount(bad)) has label \(values[bad]), expected 0 to \(classNames.count - 1)",
        fix: DataError.copyAgain)
    }
    return RawImages(
      channels: 1, height: size[1], width: size[2], pixels: pixels, labels: values.map(Int64.init),
      classNames: classNames, sources: SampleSource.rows(of: [find(images)], total: values.count))
  }

  private static func spellings(_ name: String, _ kind: String) -> [String] {
    ["\(name)-\(kind)", "\(name).\(kind)", "\(name)-\(kind).gz", "\(name).\(kind).gz"]
  }

  /// The largest relative of MNIST (EMNIST by class) inflates to two thirds of this.
  private static let inflateLimit = 1 << 30

  /// Magic number 0x00 0x00 0x08 (bytes) and the number of dimensions, the dimensions, then the values.
  private static func readBlock(_ file: String, dimensions: Int, what: String) throws -> (shape: [Int], values: [UInt8])
  {
    var bytes = try FileSystem.read(file, limit: FormatLimits.standard.bytes)
    let isCompressed = Gzip.isCompressed(bytes)
    let header = 4 + 4 * dimensions
    let start = isCompressed ? try Gzip.prefix(bytes, count: header, name: file) : Array(bytes.prefix(header))
    guard start.count == header else {
      throw DataError.wrongSize(path: file, found: start.count, expected: header, layout: "its header alone")
    }
    func word(_ at: Int) -> Int { start[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
    guard word(0) == 0x800 + dimensions else {
      throw DataError.malformed(
        path: file, problem: "magic number \(word(0)), expected \(0x800 + dimensions) (idx \(what))",
        fix: "It is another file under this name: copy or download it again.")
    }
    let shape = (0..<dimensions).map { word(4 + 4 * $0) }
    var count = 1
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow, product <= 1 << 40 else {
        throw DataError.malformed(path: file, problem: "its header gives the shape \(shape)", fix: DataError.copyAgain)
      }
      count = product
    }
    if isCompressed {
      guard header + count <= min(inflateLimit, Gzip.largest(bytes.count)) else {
        throw DataError.malformed(
          path: file,
          problem:
            "its header gives the shape \(shape), which is past \(formatCount(inflateLimit)) bytes or more than it "
            + "can inflate to",
          fix: DataError.copyAgain)
      }
      bytes = try Gzip.inflate(bytes, limit: header + count, name: file)
    }
    guard bytes.count == header + count else {
      let inflated = isCompressed ? ", after inflating" : ""
      throw DataError.wrongSize(
        path: file, found: bytes.count, expected: header + count,
        layout: "a header of \(header) bytes and \(shape.map(formatCount).joined(separator: " x ")) values\(inflated)")
    }
    bytes.removeFirst(header)
    return (shape, bytes)
  }
}
