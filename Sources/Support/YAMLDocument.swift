public import Files
import Yams

/// A YAML text and the line of every value in it, so that a wrong setting can be shown where it was written.
public struct YAMLDocument: Sendable {
  /// The values.
  public let value: JSONValue
  /// The name of the text, usually its file.
  public let source: String?
  /// The line, from 1, at which each key stands; by dotted path, with positions in brackets: `attack.size`,
  /// `cells[2].seed`.
  public let lines: [String: Int]

  /// Reads one YAML document. Words are read by the core rules of YAML 1.2 (`1e-3` is a number, `yes` is text);
  /// anchors, aliases and the merge key `<<` work; custom tags, repeated keys and keys that are not scalars are errors.
  /// An empty text is an empty object.
  /// - Parameter source: The name of the text in errors, usually its file.
  /// - Throws: `ParseError` with line and column.
  public init(_ text: String, source: String? = nil) throws(ParseError) {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch {
      throw Self.translated(error, source: source)
    }
    var reader = NodeReader(source: source)
    value = try root.map { (node) throws(ParseError) in try reader.value(of: node, path: "") } ?? .object([:])
    lines = reader.lines
    self.source = source
  }

  /// The line of a path, or of the nearest group around it.
  public func line(of path: String) -> Int? {
    var path = path[...]
    while !path.isEmpty {
      if let line = lines[String(path)] { return line }
      guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { break }
      path = path[..<end]
    }
    return nil
  }

  private static func translated(_ error: any Error, source: String?) -> ParseError {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let before = context.map { $0.text + ", " } ?? ""
      return ParseError("\(before)\(problem)", source: source, line: mark.line, column: mark.column)
    case YamlError.reader(let problem, let offset, _, let yaml):
      let line = offset.map { yaml.prefix($0).count { $0.isNewline } + 1 }
      return ParseError(problem, source: source, line: line)
    case YamlError.duplicatedKeysInMapping(let duplicates, let context):
      let keys = duplicates.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
      return ParseError(
        "the group that starts here has the same key twice: \(keys)", source: source, line: context.mark.line,
        column: context.mark.column)
    default:
      return ParseError("\(error)", source: source)
    }
  }
}

extension JSONValue {
  /// Reads one YAML document; see `YAMLDocument`, which also keeps the lines.
  /// - Throws: `ParseError` with line and column.
  public init(yaml text: String, source: String? = nil) throws(ParseError) {
    self = try YAMLDocument(text, source: source).value
  }
}

/// Turns the nodes of the YAML parser into a tree.
private struct NodeReader {
  let source: String?
  var lines: [String: Int] = [:]
  private var count = 0

  init(source: String?) { self.source = source }

  mutating func value(of node: Node, path: String) throws(ParseError) -> JSONValue {
    count += 1
    guard count <= FormatLimits.settings.values else {
      throw error("the document holds more than \(FormatLimits.settings.values) values", node)
    }
    if !path.isEmpty, lines[path] == nil, let mark = node.mark { lines[path] = mark.line }
    switch node {
    case .scalar(let scalar): return try value(of: scalar, node)
    case .sequence(let sequence):
      try refuseTag(sequence.tag, allowed: ["seq"], node)
      var elements: [JSONValue] = []
      for (index, element) in sequence.enumerated() {
        elements.append(try value(of: element, path: "\(path)[\(index)]"))
      }
      return .array(elements)
    case .mapping(let mapping):
      try refuseTag(mapping.tag, allowed: ["map"], node)
      return try value(of: mapping, path: path)
    case .alias: throw error("an alias that points nowhere", node)
    }
  }

  private func value(of scalar: Node.Scalar, _ node: Node) throws(ParseError) -> JSONValue {
    switch scalar.tag.description {
    case "tag:yaml.org,2002:str", "!": return .string(scalar.string)
    default: try refuseTag(scalar.tag, allowed: ["null", "bool", "int", "float"], node)
    }
    switch scalar.style {
    case .plain, .any: return PlainScalar.value(of: scalar.string)
    default: return .string(scalar.string)
    }
  }

  private mutating func value(of mapping: Node.Mapping, path: String) throws(ParseError) -> JSONValue {
    var members: [String: JSONValue] = [:]
    var merged: [String: JSONValue] = [:]
    for (keyNode, valueNode) in mapping {
      guard case .scalar(let key) = keyNode else { throw error("a key must be a word, not a list or a group", keyNode) }
      if key.string == "<<", key.style == .plain {
        for (name, value) in try mergedMembers(valueNode, path: path) where merged[name] == nil { merged[name] = value }
        continue
      }
      // Yams tells 3 from "3".
      guard members[key.string] == nil else { throw error("the key \(key.string) is there twice", keyNode) }
      let keyPath = path.isEmpty ? key.string : "\(path).\(key.string)"
      lines[keyPath] = keyNode.mark?.line
      members[key.string] = try value(of: valueNode, path: keyPath)
    }
    return .object(members.merging(merged) { own, _ in own })
  }

  private mutating func mergedMembers(_ node: Node, path: String) throws(ParseError) -> [String: JSONValue] {
    switch try value(of: node, path: path) {
    case .object(let members): return members
    case .array(let groups):
      var result: [String: JSONValue] = [:]
      for group in groups {
        guard let members = group.objectValue else { throw error("<< takes a group, or a list of groups", node) }
        result.merge(members) { first, _ in first }
      }
      return result
    default: throw error("<< takes a group, or a list of groups", node)
    }
  }

  private func refuseTag(_ tag: Tag, allowed: [String], _ node: Node) throws(ParseError) {
    let name = tag.description
    guard !name.isEmpty, name != "?", name != "!", !allowed.contains(where: { name == "tag:yaml.org,2002:\($0)" })
    else { return }
    throw error("the tag \(name) is not supported here; remove it", node)
  }

  private func error(_ message: String, _ node: Node) -> ParseError {
    ParseError(message, source: source, line: node.mark?.line, column: node.mark?.column)
  }
}
