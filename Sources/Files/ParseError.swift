/// A text (YAML or JSON) that cannot be read, with the place where reading stopped.
public struct ParseError: Error, CustomStringConvertible, Sendable, Hashable {
  /// The file, or another name for the text; nil where the text has none.
  public var source: String?
  /// The line, from 1; nil where it is not known.
  public var line: Int?
  /// The column, from 1, in Unicode scalars; nil where it is not known.
  public var column: Int?
  /// What is wrong, and what to do about it.
  public var message: String

  /// Makes an error at a place.
  public init(_ message: String, source: String? = nil, line: Int? = nil, column: Int? = nil) {
    self.source = source
    self.line = line
    self.column = column
    self.message = message
  }

  /// `experiment.yaml:12:3: message`, as compilers write it.
  public var description: String {
    var place: [String] = []
    if let source { place.append(source) }
    if let line { place.append(source == nil ? "line \(line)" : "\(line)") }
    if line != nil, let column { place.append(source == nil ? "column \(column)" : "\(column)") }
    return escaped(place.isEmpty ? message : place.joined(separator: source == nil ? ", " : ":") + ": " + message)
  }
}
