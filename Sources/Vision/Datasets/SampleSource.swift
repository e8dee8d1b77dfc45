/// Where a sample was read from.
public struct SampleSource: Sendable, Hashable {
  /// The file, as the path of the data set leads to it.
  public var file: String
  /// Its place among the samples of the file, from 0; nil where the file is one image.
  public var row: Int?

  public init(file: String, row: Int? = nil) {
    self.file = file
    self.row = row
  }

  /// The samples of files that hold many, one file after the other.
  /// - Parameter total: of all files, which hold equally many.
  static func rows(of files: [String], total: Int) -> [SampleSource]? {
    guard !files.isEmpty, total % files.count == 0 else { return nil }
    let each = total / files.count
    return files.flatMap { file in (0..<each).map { SampleSource(file: file, row: $0) } }
  }
}
