import Files

/// Why the content of a file is refused.
///
///     model.safetensors: tensor 'w': F32 [3] takes 12 bytes, but data_offsets [0, 8] hold 8. The header is damaged: fetch or write the
///     file again.
public enum FormatError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The content breaks its format or exceeds a limit.
  case malformed(path: String, problem: String, fix: String)
  /// A pickle that names a function or class outside the allow-list, `module.name`.
  case refusedGlobal(path: String, global: String)

  public var description: String {
    switch self {
    case .malformed(let path, let problem, let fix): return escaped("\(path): \(problem). \(fix).")
    case .refusedGlobal(let path, let global):
      return escaped(
        "\(path): the pickle asks for \(global), which no model and no data need. It will not be executed. "
          + "Do not load this file with Python's pickle; get the data in another format from somebody you trust.")
    }
  }

  /// The fix for most of what can be wrong.
  public static let copyAgain = "The file is damaged: copy or download it again"
}
