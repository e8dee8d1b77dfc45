/// The JSON header of a safetensors file: where each tensor lies. The file is 8 bytes of header length (little-endian), the header, and
/// the tensors' bytes without gaps.
struct SafetensorsHeader {
  struct Entry {
    var key: String
    var dtype: DType
    var shape: Shape
    /// Bytes from `dataStart`.
    var begin: Int
    var end: Int
  }
  /// In the order of their bytes.
  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  private(set) var dataStart = 0

  /// Bytes; the limit of the reference implementation.
  static let largestHeader = 100_000_000
  private static let again = "fetch or write the file again"

  static let dtypes: [(name: String, dtype: DType)] = [
    ("BOOL", .bool), ("U8", .uint8), ("I8", .int8), ("I16", .int16), ("I32", .int32), ("I64", .int64), ("F16", .float16),
    ("BF16", .bfloat16), ("F32", .float32), ("F64", .float64),
  ]
  static func name(of dtype: DType) -> String { dtypes.first { $0.dtype == dtype }?.name ?? dtype.description }
}

// Reading.
extension SafetensorsHeader {
  init(of file: borrowing InputFile, path: String) throws(FileError) {
    guard file.size >= 8 else {
      throw FileError("\(file.size) bytes are too few for a safetensors file, which begins with 8 bytes of header length; \(Self.again)")
    }
    let length = try file.read(8, at: 0).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Self.largestHeader) else {
      throw FileError(
        "its first 8 bytes claim a header of \(length) bytes, more than the \(Self.largestHeader) that the format allows. "
          + "Is it another kind of file? .pt and .pth files must be converted to safetensors first")
    }
    guard Int(length) <= file.size - 8 else {
      throw FileError("the header takes \(length) bytes, but only \(file.size - 8) follow. The file is truncated: \(Self.again)")
    }
    var scanner = JSONScanner(try file.read(Int(length), at: 8))
    try parse(&scanner)
    dataStart = 8 + Int(length)
    try checkLayout(dataSize: file.size - dataStart)
  }

  private mutating func parse(_ scanner: inout JSONScanner) throws(FileError) {
    guard scanner.peek() == UInt8(ascii: "{") else { throw scanner.error("the header must begin with '{'") }
    var found: [Entry] = []
    try scanner.object { key, scanner throws(FileError) in
      if key == "__metadata__" {
        try scanner.object { name, scanner throws(FileError) in metadata[name] = try scanner.string() }
      } else {
        found.append(try Self.entry(key, &scanner))
      }
    }
    try scanner.finish()
    // Empty tensors may share their place with the tensor that begins there: they come first. Swift's sort is stable.
    entries = found.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
  }

  private static func entry(_ key: String, _ scanner: inout JSONScanner) throws(FileError) -> Entry {
    var dtypeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { field, scanner throws(FileError) in
      switch field {
      case "dtype": dtypeName = try scanner.string()
      case "shape": shape = try scanner.integers()
      case "data_offsets": offsets = try scanner.integers()
      default: throw FileError("tensor '\(key)': unknown field '\(field)'; the format has dtype, shape and data_offsets. \(again)")
      }
    }
    guard let dtypeName, let shape, let offsets else {
      let missing = [dtypeName == nil ? "dtype" : nil, shape == nil ? "shape" : nil, offsets == nil ? "data_offsets" : nil]
      throw FileError("tensor '\(key)': lacks \(missing.compactMap { $0 }.joined(separator: ", ")). The header is damaged: \(again)")
    }
    guard let dtype = dtypes.first(where: { $0.name == dtypeName })?.dtype else {
      let known = dtypes.map(\.name).joined(separator: ", ")
      throw FileError("tensor '\(key)': dtype '\(dtypeName)' is not supported. Convert it to one of \(known)")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw FileError("tensor '\(key)': data_offsets \(offsets) must be [begin, end] with begin <= end. The header is damaged: \(again)")
    }
    guard let size = byteCount(shape, dtype) else {
      throw FileError("tensor '\(key)': shape \(shape) is too large. The header is damaged: \(again)")
    }
    guard size == offsets[1] - offsets[0] else {
      throw FileError(
        "tensor '\(key)': \(dtypeName) \(shape) takes \(size) bytes, but data_offsets \(offsets) hold \(offsets[1] - offsets[0]). "
          + "The header is damaged: \(again)")
    }
    return Entry(key: key, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// The tensors must follow one another without overlap or gap and fill the file.
  private func checkLayout(dataSize: Int) throws(FileError) {
    if let last = entries.max(by: { $0.end < $1.end }), last.end > dataSize {
      throw FileError(
        "tensor '\(last.key)': ends at byte \(last.end) of the data, but there are only \(dataSize). "
          + "The file is truncated: \(Self.again)")
    }
    var end = 0
    for (index, entry) in entries.enumerated() {
      if entry.begin < end {
        throw FileError(
          "tensor '\(entry.key)': begins at byte \(entry.begin), inside '\(entries[index - 1].key)', which ends at \(end). "
            + "The header is damaged: \(Self.again)")
      }
      if entry.begin > end {
        throw FileError(
          "tensor '\(entry.key)': begins at byte \(entry.begin), but the data before it end at \(end): bytes of no tensor are not "
            + "allowed. The header is damaged: \(Self.again)")
      }
      end = entry.end
    }
    guard end == dataSize else {
      throw FileError("\(dataSize - end) bytes follow the last tensor. Cut the file to \(dataStart + end) bytes, or \(Self.again)")
    }
  }
}

/// Bytes of a tensor; nil if they, or strides over its dimensions, do not fit an `Int`, or if LibTorch cannot take so many dimensions.
func byteCount(_ shape: Shape, _ dtype: DType) -> Int? {
  guard shape.count <= 64 else { return nil }
  var product = dtype.size
  for size in shape {
    let (next, overflow) = product.multipliedReportingOverflow(by: max(size, 1))
    if overflow { return nil }
    product = next
  }
  return shape.contains(0) ? 0 : product
}

// Writing.
extension SafetensorsHeader {
  /// Length and header, padded with spaces so that the data begin at a multiple of 8.
  static func encoded(_ tensors: [(key: String, tensor: Tensor)], _ metadata: [String: String]) throws(FileError) -> [UInt8] {
    var items: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      items.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var seen: Set<String> = []
    var begin = 0
    for (key, tensor) in tensors {
      guard key != "__metadata__" else { throw FileError("the key '__metadata__' is reserved. Choose another name for that tensor") }
      guard seen.insert(key).inserted else { throw FileError("two tensors have the key '\(key)'. Give each its own") }
      let end = begin + tensor.count * tensor.dtype.size
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      items.append("\(quoted(key)):{\"dtype\":\"\(name(of: tensor.dtype))\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(end)]}")
      begin = end
    }
    var header = Array("{\(items.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    guard header.count <= largestHeader else {
      throw FileError("the header would take \(header.count) bytes of at most \(largestHeader). Save fewer tensors or less metadata")
    }
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
