import Files

/// A file of `torch.save` or `torch.jit.save` (.pt, .pth, .bin, .tar), read as data. Nothing in it is executed.
///
/// Both formats of `torch.save` are read: the zip archive (since PyTorch 1.6) and the sequence of pickles before it.
/// Tensors stay in the file until `read` fetches them. Every class that the file names, other than tensors and
/// plain containers, becomes a record; `calls` says which. A file that names functions that act on the machine
/// (`os.system`, `eval`, ...) is refused.
public struct TorchArchive: Sendable {
  public let path: String
  /// What `torch.load` would give, with records in place of objects.
  public let value: PickleValue
  /// The functions and classes beyond tensors and plain data that Python would call to load the file.
  public let calls: [PickleGlobal]
  /// Written by TorchScript.
  public let isScript: Bool
  /// Bytes of the file.
  public let size: Int
  private let layout: Layout
  private let bigEndian: Bool

  private enum Layout: Sendable {
    case zip(ZipDirectory, prefix: String)
    /// Where each storage's bytes begin.
    case sequence([String: (start: Int, size: Int)])
  }

  /// True where the bytes begin as either format does.
  public static func isTorchFile(_ beginning: [UInt8]) -> Bool {
    ZipDirectory.isZip(beginning) || isSequence(beginning) || isTar(beginning)
  }

  /// A pickle of the magic number 0x1950a86a20f9469cfc6c: protocol, then a long of ten bytes.
  private static func isSequence(_ bytes: [UInt8]) -> Bool {
    let magic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
    guard bytes.count > 16, bytes[0] == 0x80 else { return false }
    return bytes[2...3].elementsEqual([0x8a, 10]) && bytes[4..<14].elementsEqual(magic)
      // protocol 4 and later put a frame first
      || bytes.count > 26 && bytes[2] == 0x95 && bytes[11...12].elementsEqual([0x8a, 10])
        && bytes[13..<23].elementsEqual(magic)
  }

  private static func isTar(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 262 && bytes[257..<262].elementsEqual(Array("ustar".utf8))
  }

  /// - Throws: `FileError`, or `FormatError`: the file is damaged or hostile, or of another kind.
  public init(_ path: String) throws {
    let file = try InputFile(path)
    let beginning = try file.read(min(file.size, 512), at: 0)
    self.path = path
    size = file.size
    let storages = StorageTable()
    let reader = SafePickle.pytorch(storages)
    if ZipDirectory.isZip(beginning) {
      let zip = try ZipDirectory(of: file)
      guard let main = zip.entries.first(where: { $0.name.hasSuffix("/data.pkl") && $0.name.count(of: "/") == 1 })
      else {
        throw FormatError.malformed(
          path: path, problem: "a zip file without data.pkl",
          fix: "It was not written by torch.save; unpack it and name the model's file")
      }
      let prefix = String(main.name.dropLast("data.pkl".count))
      let limit = FormatLimits.standard.bytes
      guard main.size <= limit else {
        throw FormatError.malformed(
          path: path, problem: "a pickle of \(formatCount(main.size)) bytes, at most \(formatCount(limit)) are read",
          fix: "Save the model's state_dict() alone")
      }
      bigEndian = try Self.isBigEndian(zip, prefix, file)
      let pickle = try zip.read(main, of: file)
      let result = try reader.loadRecording(pickle, from: 0, name: path)
      (value, calls) = (result.value, result.calls)
      isScript = zip.entries.contains { $0.name.hasPrefix(prefix + "code/") }
      layout = .zip(zip, prefix: prefix)
    } else if Self.isSequence(beginning) {
      let bytes = try FileSystem.read(path, limit: FormatLimits.rawData.bytes)
      let (object, found, table) = try Self.sequence(bytes, reader, storages, path)
      (value, calls, layout) = (object, found, .sequence(table))
      (isScript, bigEndian) = (false, false)  // this format is little-endian on every machine
    } else if Self.isTar(beginning) {
      throw FormatError.malformed(
        path: path, problem: "it is of PyTorch 0.1, whose tar format is not read",
        fix: "Load it with an old PyTorch and save it again")
    } else {
      throw FormatError.malformed(
        path: path, problem: "it begins neither as a zip archive nor as the pickles of torch.save",
        fix: "If it is a plain pickle, load it where it came from and write it with torch.save")
    }
  }

  /// A small file beside the pickle of a zip archive, without a look at the pickle; nil where there is none.
  /// - Throws: `FileError`, or `FormatError` for a damaged archive and for a record that is not small.
  public static func record(_ name: String, of path: String) throws -> [UInt8]? {
    let file = try InputFile(path)
    guard ZipDirectory.isZip(try file.read(min(file.size, 512), at: 0)) else { return nil }
    let zip = try ZipDirectory(of: file)
    guard let entry = zip.entries.first(where: { $0.name.hasSuffix("/" + name) && $0.name.count(of: "/") == 1 })
    else { return nil }
    guard entry.size <= 1 << 24 else {
      throw FormatError.malformed(
        path: path, problem: "its record \(name) takes \(formatBytes(entry.size)), expected a few words",
        fix: FormatError.copyAgain)
    }
    return try zip.read(entry, of: file)
  }

  private static func isBigEndian(_ zip: ZipDirectory, _ prefix: String, _ file: borrowing InputFile) throws -> Bool {
    guard let entry = zip[prefix + "byteorder"], entry.size <= 16 else { return false }
    let text = String(decoding: try zip.read(entry, of: file), as: UTF8.self)
    switch text {
    case "little": return false
    case "big": return true
    default:
      throw FormatError.malformed(
        path: file.path, problem: "the byte order '\(escaped(text, limit: 20))'", fix: FormatError.copyAgain)
    }
  }

  /// Magic number, version, facts about the machine, the object, the storages' keys, and for each of them its count
  /// (8 bytes) and elements.
  private static func sequence(
    _ bytes: [UInt8], _ reader: SafePickle, _ storages: StorageTable, _ path: String
  ) throws -> (PickleValue, [PickleGlobal], [String: (start: Int, size: Int)]) {
    func malformed(_ problem: String) -> FormatError {
      .malformed(path: path, problem: problem, fix: FormatError.copyAgain)
    }
    let plain = SafePickle()
    var at = 0
    for _ in 0..<3 { at = try plain.loadPrefix(bytes, from: at, name: path).end }
    let object = try reader.loadRecording(bytes, from: at, name: path)
    let (keys, end) = try plain.loadPrefix(bytes, from: object.end, name: path)
    at = end
    var table: [String: (start: Int, size: Int)] = [:]
    for key in keys.list ?? [] {
      guard let key = key.text, let storage = storages[key] else { throw malformed("a storage that no tensor uses") }
      guard bytes.count - at >= 8 else { throw malformed("the file ends early") }
      let count = bytes[at..<at + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let size = storage.type?.size ?? 1
      guard count <= UInt64((bytes.count - at - 8) / size) else {
        throw malformed("a storage of \(count) elements, which are not there")
      }
      table[key] = (at + 8, Int(count) * size)
      at += 8 + Int(count) * size
    }
    return (object.value, object.calls, table)
  }

  /// Reads tensors: `body` gets the place of each in the list and its elements, row-major and little-endian,
  /// `byteCount` bytes. Those of one storage come one after another, so that compressed storages are read once.
  /// - Throws: `FileError`, or `FormatError.malformed` where a storage is missing or holds less than a tensor, or where
  ///   all tensors together repeat the file's bytes far too often; `Interrupted`.
  public func read(_ tensors: [StoredTensor], _ body: (Int, [UInt8]) throws -> Void) throws {
    let file = try InputFile(path)
    for tensor in tensors {
      let held = try location(of: tensor.storage.key).size, end = tensor.span.upperBound * tensor.type.size
      guard end <= held else {
        throw FormatError.malformed(
          path: path,
          problem: "the storage \(tensor.storage.key) holds \(formatCount(held)) bytes, a tensor in it ends at "
            + "\(formatCount(end))", fix: FormatError.copyAgain)
      }
    }
    let total = tensors.reduce(0.0) { $0 + Double($1.byteCount) }
    guard total <= 64 * Double(size) + Double(1 << 26) else {
      throw FormatError.malformed(
        path: path, problem: "its tensors repeat the same bytes more than 64 times", fix: FormatError.copyAgain)
    }
    for (key, places) in Dictionary(grouping: tensors.indices, by: { tensors[$0].storage.key })
      .sorted(by: { ($0.value.first ?? 0) < ($1.value.first ?? 0) })
    {
      let storage = try location(of: key)
      var inflated: [UInt8]?
      for place in places {
        let tensor = tensors[place]
        let wanted = tensor.span.lowerBound * tensor.type.size..<tensor.span.upperBound * tensor.type.size
        let raw: [UInt8]
        if let entry = storage.deflated, case .zip(let zip, _) = layout {
          if inflated == nil { inflated = try zip.read(entry, of: file) }
          raw = Array((inflated ?? [])[wanted])
        } else {
          raw = try file.read(wanted.count, at: storage.start + wanted.lowerBound)
        }
        try body(place, tensor.elements(from: raw, bigEndian: bigEndian))
      }
    }
  }

  /// A storage that is missing has no bytes.
  private func location(of key: String) throws -> (start: Int, size: Int, deflated: ZipDirectory.Entry?) {
    switch layout {
    case .zip(let zip, let prefix):
      guard let entry = zip[prefix + "data/" + key] else { return (0, 0, nil) }
      return (entry.start, entry.size, entry.isDeflated ? entry : nil)
    case .sequence(let table):
      guard let place = table[key] else { return (0, 0, nil) }
      return (place.start, place.size, nil)
    }
  }
}

extension String {
  fileprivate func count(of character: Character) -> Int { reduce(0) { $0 + ($1 == character ? 1 : 0) } }
}
