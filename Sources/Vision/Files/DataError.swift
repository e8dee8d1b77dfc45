/// What can be wrong with image files and data-set files on disk.
///
/// The description names the file, what was found, what was expected, and what to do about it:
///
///     path/to/data_batch_3.bin: 1,234,567 bytes, expected 30,730,000 (10,000 records of 3,073 bytes).
///     The file is truncated: copy or download it again.
public enum DataError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing at `path`, or a folder that lacks the files of the data set. `suggestion` is a path that looks right.
  case missing(path: String, lookedFor: [String], suggestion: String?)
  /// The file is there and the system refuses to read it.
  case unreadable(path: String, reason: String)
  /// The file's size in bytes does not fit its format; `layout` says how the expected size comes about.
  case wrongSize(path: String, found: Int, expected: Int, layout: String)
  /// The content breaks the format, a count or a range.
  case malformed(path: String, problem: String, mend: String)
  /// An image of another size than the rest, where no target size was given. Sizes are `width x height`.
  case sizesDiffer(path: String, found: String, expected: String)
  /// The data set has no such split.
  case noSuchSplit(path: String, split: DataSplit, available: [DataSplit])
  /// A pickle that names a function or class outside the allow-list, `module.name`.
  case refusedGlobal(path: String, global: String)

  public var description: String {
    switch self {
    case .missing(let path, let lookedFor, let suggestion):
      let sought = lookedFor.isEmpty ? "no such file or folder." : "not found here: \(lookedFor.joined(separator: ", "))."
      return "\(path): \(sought) " + (suggestion.map { "Did you mean \($0)?" } ?? "Check the path, or download the data set.")
    case .unreadable(let path, let reason):
      return "\(path): cannot be read (\(reason)). Check its permissions and the disk."
    case .wrongSize(let path, let found, let expected, let layout):
      let mend =
        found < expected
        ? "The file is truncated: copy or download it again."
        : "The file is too long for its format: it may be another file under this name; copy or download it again."
      return "\(path): \(found.grouped) bytes, expected \(expected.grouped) (\(layout)). \(mend)"
    case .malformed(let path, let problem, let mend):
      return "\(path): \(problem). \(mend)"
    case .sizesDiffer(let path, let found, let expected):
      return "\(path): the image is \(found), the first image is \(expected). Set the image size, so that all are resized to it."
    case .noSuchSplit(let path, let split, let available):
      let known = available.map(\.rawValue).joined(separator: ", ")
      return "\(path): this data set has no \(split.rawValue) split. Choose one of: \(known)."
    case .refusedGlobal(let path, let global):
      return
        "\(path): the pickle asks for \(global), which is not on the list of plain data. It will not be executed. "
        + "Do not load this file with Python's pickle; get the data in another format from somebody you trust."
    }
  }
}

extension DataError {
  static let copyAgain = "The file is damaged: copy or download it again."
}

extension Int {
  /// `1234567` as `1,234,567`.
  var grouped: String {
    let digits = Array(String(magnitude))
    var text = self < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }
}
