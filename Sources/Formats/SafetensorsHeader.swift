public import Files

/// The JSON header of a safetensors file: where each tensor lies (https://github.com/huggingface/safetensors). The file
/// is 8 bytes of header length (little-endian), the header, and the tensors' bytes without gaps.
public struct SafetensorsHeader: Sendable {
  public struct Entry: Sendable {
    public let key: String
    public let type: ElementType
    public let shape: [Int]
    /// Bytes from `dataStart`.
    public let begin: Int
    public let end: Int
  }
  /// In the order of their bytes.
  public let entries: [Entry]
  public let metadata: [String: String]
  /// Where the data begin in the file.
  public let dataStart: Int

  /// Bytes; the limit of the reference implementation.
  static let largestHeader = 100_000_000
  static let metadataKey = "__metadata__"
}

// MARK: - Reading

extension SafetensorsHeader {
  /// Reads the header and checks everything that the format demands.
  /// - Throws: `FileError` where the file cannot be read, `FormatError` where it breaks a rule of the format.
  public init(of file: borrowing InputFile) throws {
    let path = file.path
    func malformed(_ problem: String, _ fix: String = "The header is damaged: \(Self.again)") -> FormatError {
      .malformed(path: path, problem: problem, fix: fix)
    }
    guard file.size >= 8 else {
      throw malformed(
        "\(file.size) bytes are too few for a safetensors file, which begins with 8 bytes of header length",
        "The file is truncated: \(Self.again)")
    }
    let length = try file.read(8, at: 0).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Self.largestHeader) else {
      throw malformed(
        "its first 8 bytes claim a header of \(length) bytes, more than the \(Self.largestHeader) that the format "
          + "allows",
        "Is it another kind of file? .pt and .pth files must be converted to safetensors first")
    }
    guard Int(length) <= file.size - 8 else {
      throw malformed(
        "the header takes \(length) bytes, but only \(file.size - 8) follow", "The file is truncated: \(Self.again)")
    }
    let bytes = try file.read(Int(length), at: 8)
    guard bytes.first == UInt8(ascii: "{") else { throw malformed("the header must begin with '{'") }
    let members: [String: JSONValue]
    do throws(ParseError) {
      members = try JSONValue(json: bytes, source: "header").objectValue ?? [:]
    } catch {
      throw malformed("\(error)".trimmingFinalPoint)
    }
    dataStart = 8 + Int(length)
    do throws(Problem) {
      metadata = try Self.metadata(members[Self.metadataKey])
      var found: [Entry] = []
      for (key, value) in members where key != Self.metadataKey { found.append(try Self.entry(key, value)) }
      // Empty tensors may share their place with the tensor that begins there: they come first.
      entries = found.sorted { ($0.begin, $0.end, $0.key) < ($1.begin, $1.end, $1.key) }
      try Self.checkLayout(entries, dataSize: file.size - dataStart, dataStart: dataStart)
    } catch {
      throw malformed(error.text, error.fix)
    }
  }

  private static let again = "fetch or write the file again"

  private struct Problem: Error {
    let text: String
    var fix = "The header is damaged: \(again)"
  }

  private static func metadata(_ value: JSONValue?) throws(Problem) -> [String: String] {
    guard let value else { return [:] }
    guard let members = value.objectValue else {
      throw Problem(text: "\(metadataKey) is \(value.kindDescription), not an object")
    }
    var texts: [String: String] = [:]
    for (name, value) in members {
      guard let text = value.stringValue else {
        throw Problem(text: "\(metadataKey): '\(escaped(name, limit: 100))' is \(value.kindDescription), not a text")
      }
      texts[name] = text
    }
    return texts
  }

  private static func entry(_ key: String, _ value: JSONValue) throws(Problem) -> Entry {
    let tensor = "tensor '\(escaped(key, limit: 200))'"
    guard let fields = value.objectValue else {
      throw Problem(text: "\(tensor): it is \(value.kindDescription), not an object")
    }
    let known = ["dtype", "shape", "data_offsets"]
    if let other = fields.keys.sorted().first(where: { !known.contains($0) }) {
      throw Problem(
        text: "\(tensor): unknown field '\(escaped(other, limit: 100))'; the format has dtype, shape and data_offsets")
    }
    guard let dtype = fields["dtype"], let sizes = fields["shape"], let places = fields["data_offsets"] else {
      throw Problem(text: "\(tensor): lacks \(known.filter { fields[$0] == nil }.joined(separator: ", "))")
    }
    guard let name = dtype.stringValue else {
      throw Problem(text: "\(tensor): dtype is \(dtype.kindDescription), not a text")
    }
    guard let type = ElementType(safetensors: name) else {
      throw Problem(
        text: "\(tensor): dtype '\(escaped(name, limit: 100))' is not supported",
        fix: "Convert it to one of \(ElementType.allCases.compactMap(\.safetensorsName).joined(separator: ", "))")
    }
    let shape = try wholeNumbers(sizes, "\(tensor): shape")
    let offsets = try wholeNumbers(places, "\(tensor): data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw Problem(text: "\(tensor): data_offsets \(offsets) must be [begin, end] with begin <= end")
    }
    guard let size = type.byteCount(shape) else { throw Problem(text: "\(tensor): shape \(shape) is too large") }
    guard size == offsets[1] - offsets[0] else {
      throw Problem(
        text:
          "\(tensor): \(name) \(shape) takes \(size) bytes, but data_offsets \(offsets) hold \(offsets[1] - offsets[0])"
      )
    }
    return Entry(key: key, type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// A list of numbers from 0 up, written as whole numbers: no `2.0`.
  private static func wholeNumbers(_ value: JSONValue, _ what: String) throws(Problem) -> [Int] {
    guard let elements = value.arrayValue else {
      throw Problem(text: "\(what) is \(value.kindDescription), not a list")
    }
    var numbers: [Int] = []
    for element in elements {
      guard case .int(let number) = element, number >= 0 else {
        throw Problem(text: "\(what) holds \(element.kindDescription), not a whole number from 0 up that fits 64 bits")
      }
      numbers.append(number)
    }
    return numbers
  }

  /// The tensors must follow one another without overlap or gap and fill the file.
  private static func checkLayout(_ entries: [Entry], dataSize: Int, dataStart: Int) throws(Problem) {
    func tensor(_ entry: Entry) -> String { "tensor '\(escaped(entry.key, limit: 200))'" }
    if let last = entries.max(by: { $0.end < $1.end }), last.end > dataSize {
      throw Problem(
        text: "\(tensor(last)): ends at byte \(last.end) of the data, but there are only \(dataSize)",
        fix: "The file is truncated: \(again)")
    }
    var end = 0
    for (index, entry) in entries.enumerated() {
      if entry.begin < end {
        throw Problem(
          text:
            "\(tensor(entry)): begins at byte \(entry.begin), inside "
            + "'\(escaped(entries[index - 1].key, limit: 200))', which ends at \(end)"
        )
      }
      if entry.begin > end {
        throw Problem(
          text:
            "\(tensor(entry)): begins at byte \(entry.begin), but the data before it end at \(end): bytes of no "
            + "tensor are not allowed"
        )
      }
      end = entry.end
    }
    guard end == dataSize else {
      throw Problem(
        text: "\(dataSize - end) bytes follow the last tensor",
        fix: "Cut the file to \(dataStart + end) bytes, or \(again)")
    }
  }
}

extension String {
  fileprivate var trimmingFinalPoint: String { hasSuffix(".") ? String(dropLast()) : self }
}

// MARK: - Writing

extension SafetensorsHeader {
  /// Length and header of a file whose tensors follow in this order, padded with spaces so that the data begin at a
  /// multiple of 8.
  /// - Parameter path: The file's name, for errors.
  /// - Throws: `FormatError` for a key that occurs twice or is reserved, and for more than a header may hold.
  public static func encoded(
    _ tensors: [(key: String, type: ElementType, shape: [Int])], metadata: [String: String], path: String
  ) throws(FormatError) -> [UInt8] {
    var tree: [String: JSONValue] = [:]
    if !metadata.isEmpty { tree[metadataKey] = .object(metadata.mapValues(JSONValue.string)) }
    var begin = 0
    for (key, type, shape) in tensors {
      guard key != metadataKey else {
        throw .malformed(
          path: path, problem: "the key '\(metadataKey)' is reserved", fix: "Choose another name for that tensor")
      }
      guard tree[key] == nil else {
        throw .malformed(path: path, problem: "two tensors have the key '\(key)'", fix: "Give each its own")
      }
      guard let name = type.safetensorsName, let size = type.byteCount(shape) else {
        throw .malformed(
          path: path, problem: "tensor '\(key)' is \(type) \(shape)", fix: "Convert it to a type that the format has")
      }
      tree[key] = [
        "dtype": .string(name), "shape": .array(shape.map(JSONValue.int)),
        "data_offsets": [.int(begin), .int(begin + size)],
      ]
      begin += size
    }
    var header = Array(JSONValue.object(tree).compactJSON.utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    guard header.count <= largestHeader else {
      throw .malformed(
        path: path, problem: "the header would take \(header.count) bytes of at most \(largestHeader)",
        fix: "Save fewer tensors or less metadata")
    }
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
  }
}
