public import Files

/// The entries of a zip file, from its central directory, zip64 included. Nothing is unpacked to disk.
///
/// A hostile archive is refused when it is opened: entries that overlap (one block of data that many entries claim),
/// names that lead out of the folder or occur twice, sizes that lie, encryption, unknown compression.
public struct ZipDirectory: Sendable {
  public struct Entry: Sendable, Equatable {
    public let name: String
    /// Stored or deflated.
    public let isDeflated: Bool
    public let compressedSize: Int
    /// Bytes when read.
    public let size: Int
    let checksum: UInt32
    /// Where its bytes begin in the file.
    public let start: Int
  }

  public let entries: [Entry]
  private let positions: [String: Int]

  public subscript(name: String) -> Entry? { positions[name].map { entries[$0] } }

  /// True where a file begins as a zip does.
  public static func isZip(_ bytes: some Collection<UInt8>) -> Bool { bytes.starts(with: [0x50, 0x4b, 3, 4]) }

  /// Bytes of the central directory; a checkpoint of ten thousand tensors takes one megabyte.
  static let largestDirectory = 64 << 20
  /// What an entry may grow to: so many bytes, or so many times its compressed size if that is more.
  static let freeSize = 64 << 20
  static let largestRatio = 100

  /// - Throws: `FileError`, or `FormatError.malformed`.
  public init(of file: borrowing InputFile) throws {
    let path = file.path
    func malformed(_ problem: String) -> FormatError {
      .malformed(path: path, problem: "zip: \(problem)", fix: FormatError.copyAgain)
    }
    let tailSize = min(file.size, 22 + 0xffff)
    let tail = Fields(try file.read(tailSize, at: file.size - tailSize))
    var found: Int?
    for at in stride(from: tailSize - 22, through: 0, by: -1)
    where tail.uint(4, at) == 0x0605_4b50 && at + 22 + (tail.uint(2, at + 20) ?? 0) == tailSize {
      found = at
      break
    }
    guard let end = found else { throw malformed("the directory at the end of the file is missing") }
    var limit = file.size - tailSize + end  // the directory ends before it
    var count = tail.uint(2, end + 10) ?? 0
    var size = tail.uint(4, end + 12) ?? 0
    var offset = tail.uint(4, end + 16) ?? 0
    if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
      guard end >= 20, tail.uint(4, end - 20) == 0x0706_4b50, let record = tail.uint(8, end - 12),
        record >= 0, record <= limit - 20 - 56
      else { throw malformed("the zip64 directory is missing") }
      let fields = Fields(try file.read(56, at: record))
      guard fields.uint(4, 0) == 0x0606_4b50, let longCount = fields.uint(8, 32), let longSize = fields.uint(8, 40),
        let longOffset = fields.uint(8, 48)
      else { throw malformed("the zip64 directory is damaged") }
      (count, size, offset, limit) = (longCount, longSize, longOffset, record)
    }
    guard size <= Self.largestDirectory else { throw malformed("a directory of \(formatCount(size)) bytes") }
    guard offset <= limit, size <= limit - offset, count <= size / 46 else {
      throw malformed("a directory of \(formatCount(count)) entries and \(formatCount(size)) bytes, which is not there")
    }

    let directory = Fields(try file.read(size, at: offset))
    var entries: [Entry] = []
    var positions: [String: Int] = [:]
    var spans: [(begin: Int, end: Int, name: String)] = []
    var at = 0
    for _ in 0..<count {
      guard directory.uint(4, at) == 0x0201_4b50, let flags = directory.uint(2, at + 8),
        let method = directory.uint(2, at + 10), let checksum = directory.uint(4, at + 16),
        var compressed = directory.uint(4, at + 20), var plain = directory.uint(4, at + 24),
        let nameSize = directory.uint(2, at + 28), let extraSize = directory.uint(2, at + 30),
        let commentSize = directory.uint(2, at + 32), var header = directory.uint(4, at + 42),
        let nameBytes = directory.bytes(nameSize, at + 46),
        let extra = directory.bytes(extraSize, at + 46 + nameSize)
      else { throw malformed("the directory ends early") }
      guard let name = String(validating: nameBytes, as: UTF8.self), Self.isPlain(name) else {
        throw malformed(
          "an entry whose name leads out of the archive: "
            + "'\(escaped(String(decoding: nameBytes, as: UTF8.self), limit: 100))'")
      }
      try Self.readLongSizes(Fields(Array(extra)), &plain, &compressed, &header) { malformed("\(name): \($0)") }
      guard flags & 1 == 0 else { throw malformed("\(name) is encrypted") }
      guard method == 0 || method == 8 else { throw malformed("\(name) has the compression \(method), not deflate") }
      guard method == 8 || compressed == plain else { throw malformed("\(name): a stored entry of two sizes") }
      let allowed = max(Self.freeSize, compressed.multipliedReportingOverflow(by: Self.largestRatio).partialValue)
      guard method == 0 || plain <= allowed else {
        throw malformed("\(name) grows from \(formatCount(compressed)) to \(formatCount(plain)) bytes")
      }
      guard header <= offset - 30, header >= 0 else { throw malformed("\(name) lies outside of the file") }
      let local = Fields(try file.read(30, at: header))
      guard local.uint(4, 0) == 0x0403_4b50, let localName = local.uint(2, 26), let localExtra = local.uint(2, 28),
        localName == nameSize, header + 30 + localName <= offset,
        try file.read(localName, at: header + 30).elementsEqual(nameBytes)
      else { throw malformed("\(name): its two headers differ") }
      let start = header + 30 + localName + localExtra
      guard start <= offset, compressed <= offset - start else {
        throw malformed("\(name) claims \(formatCount(compressed)) bytes, which are not there")
      }
      guard positions.updateValue(entries.count, forKey: name) == nil else { throw malformed("two entries \(name)") }
      entries.append(
        Entry(
          name: name, isDeflated: method == 8, compressedSize: compressed, size: plain,
          checksum: UInt32(truncatingIfNeeded: checksum), start: start))
      spans.append((header, start + compressed, name))
      at += 46 + nameSize + extraSize + commentSize
    }
    spans.sort { $0.begin < $1.begin }
    for (one, next) in zip(spans, spans.dropFirst()) where next.begin < one.end {
      throw malformed("the entries \(one.name) and \(next.name) overlap")
    }
    (self.entries, self.positions) = (entries, positions)
  }

  /// The whole content of an entry.
  /// - Throws: `FileError`, or `FormatError.malformed` where a compressed one is not what its
  ///   header says; `Interrupted`. Stored ones are not checked: PyTorch may be told to write no checksums.
  public func read(_ entry: Entry, of file: borrowing InputFile) throws -> [UInt8] {
    let bytes = try file.read(entry.compressedSize, at: entry.start)
    guard entry.isDeflated else { return bytes }
    // The same compressed data as a gzip file, which has the checksum and size at its end.
    var wrapped: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    wrapped += bytes
    wrapped += Self.little(entry.checksum) + Self.little(UInt32(truncatingIfNeeded: entry.size))
    let name = "\(file.path): \(entry.name)"
    let plain = try Gzip.inflate(wrapped, limit: entry.size, name: name)
    guard plain.count == entry.size else {
      throw FormatError.malformed(
        path: name, problem: "\(formatCount(plain.count)) bytes, expected \(formatCount(entry.size))",
        fix: FormatError.copyAgain)
    }
    return plain
  }

  private static func little(_ word: UInt32) -> [UInt8] { withUnsafeBytes(of: word.littleEndian) { Array($0) } }

  private static func isPlain(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return !name.isEmpty && !name.hasPrefix("/") && !name.contains("\\") && !name.utf8.contains(0)
      && !parts.contains("..")
  }

  /// The sizes that did not fit 32 bits, from the zip64 extra field.
  private static func readLongSizes(
    _ extra: Fields, _ plain: inout Int, _ compressed: inout Int, _ header: inout Int,
    _ malformed: (String) -> FormatError
  ) throws {
    guard plain == 0xffff_ffff || compressed == 0xffff_ffff || header == 0xffff_ffff else { return }
    var at = 0
    while let kind = extra.uint(2, at), let size = extra.uint(2, at + 2) {
      guard kind == 1 else {
        at += 4 + size
        continue
      }
      at += 4
      func next() throws -> Int {
        guard let value = extra.uint(8, at) else { throw malformed("a size without digits") }
        at += 8
        return value
      }
      if plain == 0xffff_ffff { plain = try next() }
      if compressed == 0xffff_ffff { compressed = try next() }
      if header == 0xffff_ffff { header = try next() }
      return
    }
    throw malformed("its zip64 sizes are missing")
  }
}

/// Little-endian numbers at places in bytes; nil beyond the end, and for numbers that no `Int` holds.
private struct Fields {
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func bytes(_ count: Int, _ at: Int) -> ArraySlice<UInt8>? {
    at >= 0 && count <= bytes.count - at ? bytes[at..<at + count] : nil
  }
  func uint(_ size: Int, _ at: Int) -> Int? {
    bytes(size, at).flatMap { Int(exactly: $0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
  }
}
