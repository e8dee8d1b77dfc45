public import Files

/// Writes what `torch.save` writes: a zip archive with a pickle of protocol 2 and one record a tensor, which
/// `torch.load(path, weights_only=True)` reads.
public enum TorchWriter {
  /// Writes a value, complete or not at all.
  /// - Parameter records: files beside the pickle, which PyTorch passes over.
  /// - Throws: `FormatError` for types that PyTorch's storages do not have, and beyond 4 GB; `FileError`.
  public static func write(
    _ value: TorchItem, records: [(name: String, bytes: [UInt8])] = [], to path: String
  ) throws {
    var pickle = PickleWriter()
    try pickle.write(value, path)
    try AtomicFile.write(
      to: path,
      streaming: { file in
        var zip = ZipWriter()
        func add(_ name: String, _ bytes: [UInt8]) throws {
          guard let header = zip.header("archive/\(name)", bytes) else {
            throw FormatError.malformed(
              path: path, problem: "it would take more than 4 GB, which a plain zip archive cannot hold",
              fix: "Write safetensors: give the file that ending")
          }
          try file.write(header)
          try file.write(bytes)
        }
        try add("data.pkl", pickle.bytes)
        try add("byteorder", Array("little".utf8))
        for record in records { try add(record.name, record.bytes) }
        for (index, tensor) in pickle.tensors.enumerated() { try add("data/\(index)", tensor.bytes()) }
        try add("version", Array("3\n".utf8))
        try file.write(zip.end)
      })
  }
}

/// Pickles of protocol 2, by the opcodes of Python's `pickletools`.
private struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]
  /// Those that the pickle refers to, by their number.
  private(set) var tensors: [TorchTensor] = []

  mutating func write(_ value: TorchItem, _ path: String) throws {
    try put(value, path)
    bytes.append(0x2e)
  }

  private mutating func put(_ value: TorchItem, _ path: String) throws {
    switch value {
    case .none: bytes.append(0x4e)
    case .bool(let flag): bytes.append(flag ? 0x88 : 0x89)
    case .int(let number): put(number)
    case .bigInt(let digits):
      bytes.append(0x8b)
      put(word: UInt32(digits.count))
      bytes += digits
    case .float(let number):
      bytes.append(0x47)
      withUnsafeBytes(of: number.bitPattern.bigEndian) { bytes += $0 }
    case .string(let text): put(text)
    case .list(let values):
      bytes += [0x5d, 0x28]
      for value in values { try put(value, path) }
      bytes.append(0x65)
    case .tuple(let values):
      bytes.append(0x28)
      for value in values { try put(value, path) }
      bytes.append(0x74)
    case .dict(let entries):
      bytes.append(0x7d)
      try put(entries, path)
    case .ordered(let entries):
      putOrderedDict()
      try put(entries, path)
    case .tensor(let tensor): try put(tensor, path)
    case .array(let array): try put(array, path)
    }
  }

  private mutating func put(_ entries: [(key: TorchItem, value: TorchItem)], _ path: String) throws {
    bytes.append(0x28)
    for (key, value) in entries {
      try put(key, path)
      try put(value, path)
    }
    bytes.append(0x75)
  }

  /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, the storage by its persistent id.
  private mutating func put(_ tensor: TorchTensor, _ path: String) throws {
    guard let storage = SafePickle.storageName(of: tensor.type) else {
      throw FormatError.malformed(
        path: path, problem: "a tensor of \(tensor.type), for which PyTorch has no storage", fix: "Write safetensors")
    }
    put("torch._utils", "_rebuild_tensor_v2")
    bytes += [0x28, 0x28]
    put("storage")
    put("torch", storage)
    put("\(tensors.count)")
    put("cpu")
    put(Int64(tensor.shape.reduce(1, *)))
    bytes += [0x74, 0x51]
    put(0)
    var strides = [Int](repeating: 1, count: tensor.shape.count)
    for axis in tensor.shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * max(tensor.shape[axis + 1], 1)
    }
    for sizes in [tensor.shape, strides] {
      bytes.append(0x28)
      for size in sizes { put(Int64(size)) }
      bytes.append(0x74)
    }
    bytes.append(0x89)
    putOrderedDict()
    bytes += [0x74, 0x52]
    tensors.append(tensor)
  }

  /// `_reconstruct(ndarray, (0,), b'b')` with the state (version, shape, dtype, False, bytes), under the names that both
  /// numpy 1 and 2 know.
  private mutating func put(_ array: PickleArray, _ path: String) throws {
    put("numpy.core.multiarray", "_reconstruct")
    bytes.append(0x28)
    put("numpy", "ndarray")
    try put(.tuple([.int(0)]), path)
    put(raw: Array("b".utf8))
    bytes += [0x74, 0x52, 0x28]
    put(1)
    try put(.tuple(array.shape.map { .int(Int64($0)) }), path)
    put("numpy", "dtype")
    try put(.tuple([.string(array.dtype.numpyCode), .bool(false), .bool(true)]), path)
    bytes.append(0x52)
    try put(.tuple([.int(3), .string("<"), .none, .none, .none, .int(-1), .int(-1), .int(0)]), path)
    bytes += [0x62, 0x89]
    put(raw: array.bytes)
    bytes += [0x74, 0x62]
  }

  /// Python's bytes; the opcode is of protocol 3, and read under any number.
  private mutating func put(raw: [UInt8]) {
    bytes.append(0x42)
    put(word: UInt32(raw.count))
    bytes += raw
  }

  private mutating func putOrderedDict() {
    put("collections", "OrderedDict")
    bytes += [0x29, 0x52]
  }

  private mutating func put(_ module: String, _ name: String) { bytes += [0x63] + "\(module)\n\(name)\n".utf8 }

  private mutating func put(_ text: String) {
    bytes.append(0x58)
    put(word: UInt32(text.utf8.count))
    bytes += text.utf8
  }

  private mutating func put(_ number: Int64) {
    if let small = Int32(exactly: number) {
      bytes.append(0x4a)
      put(word: UInt32(bitPattern: small))
    } else {
      bytes += [0x8a, 8]
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
  }

  private mutating func put(word: UInt32) { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
}
