import Files

/// What can be wrong with image files and data-set files on disk.
///
/// The description names the file, what was found, what was expected, and what to do about it:
///
///     path/to/data_batch_3.bin: 1,234,567 bytes, expected 30,730,000 (10,000 records of 3,073 bytes).
///     The file is truncated: copy or download it again.
public enum DataError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing at `path`, or a folder that lacks the files of the data set. `suggestion` is a path that looks right.
  case missing(path: String, lookedFor: [String], suggestion: String?)
  /// The file's size in bytes does not fit its format; `layout` says how the expected size comes about.
  case wrongSize(path: String, found: Int, expected: Int, layout: String)
  /// The content breaks the format, a count or a range.
  case malformed(path: String, problem: String, fix: String)
  /// An image of another size than the rest, where no target size was given. Sizes are `width x height`.
  case sizesDiffer(path: String, found: String, expected: String)
  /// The data set has no such split.
  case noSuchSplit(path: String, split: DataSplit, available: [DataSplit])

  public var description: String { escaped(text, limit: .max) }

  private var text: String {
    switch self {
    case .missing(let path, let lookedFor, let suggestion):
      let sought =
        lookedFor.isEmpty ? "no such file or folder." : "not found here: \(lookedFor.joined(separator: ", "))."
      return "\(path): \(sought) "
        + (suggestion.map { "Did you mean \($0)?" } ?? "Check the path, or download the data set.")
    case .wrongSize(let path, let found, let expected, let layout):
      let fix =
        found < expected
        ? "The file is truncated: copy or download it again."
        : "The file is too long for its format: it may be another file under this name; copy or download it again."
      return "\(path): \(formatCount(found)) bytes, expected \(formatCount(expected)) (\(layout)). \(fix)"
    case .malformed(let path, let problem, let fix):
      return "\(path): \(escaped(problem, limit: 2000)). \(fix)"
    case .sizesDiffer(let path, let found, let expected):
      return
        "\(path): the image is \(found), the first image is \(expected). Set the image size, so that all are resized "
        + "to it."
    case .noSuchSplit(let path, let split, let available):
      let known = available.map(\.rawValue).joined(separator: ", ")
      return "\(path): this data set has no \(split.rawValue) split. Choose one of: \(known)."
    }
  }
}

extension DataError {
  static let copyAgain = "The file is damaged: copy or download it again."
}
