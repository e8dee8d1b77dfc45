import Files
public import Formats

/// Named tensors in a file of any kind that holds a model: safetensors, or what `torch.save` and TorchScript write. The
/// kind is told by the content, not by the name. Nothing in it is executed.
public struct TensorFile {
  public let contents: Safetensors
  /// What was found and passed over, one sentence each.
  public let notes: [String]
  /// To write another file in the same way.
  public let layout: TensorLayout
  /// Of a file that holds a whole pickled module: that module and those inside it.
  public let modules: [StoredModule]

  /// - Parameter key: which state dict of a PyTorch file, as the keys that lead to it with dots; nil takes the one that
  ///   is meant (`TorchArchive.state`).
  /// - Throws: `FileError`, or `FormatError` for a damaged or hostile file, and where several state dicts could be meant.
  public static func load(_ path: String, key: String? = nil) throws -> TensorFile {
    guard try isPyTorch(path) else {
      try refuse(key, path)
      let contents = try Safetensors.load(path)
      let types = Dictionary(contents.tensors.map { ($0.key, $0.tensor.dtype) }) { $1 }
      return TensorFile(contents: contents, notes: [], layout: TensorLayout(frame: nil, types: types), modules: [])
    }
    let archive = try TorchArchive(path)
    let state = try archive.state(key)
    var notes: [String] = []
    if archive.isScript { notes.append("a TorchScript file: its parameters are read, its code is not") }
    if let module = state.module, !archive.isScript {
      notes.append("a whole module of the class \(module): its tensors and settings are read, its code is not run")
    } else if !state.path.isEmpty {
      notes.append("the state dict is the one under '\(escaped(state.name, limit: 100))'")
    }
    let strange = archive.calls.filter { !usualModules.contains(String($0.module.prefix { $0 != "." })) }
    if !strange.isEmpty {
      let rest = strange.count > 6 ? " and \(strange.count - 6) more" : ""
      notes.append(
        "the file asks Python to call \(strange.prefix(6).map { escaped("\($0)", limit: 100) }.joined(separator: ", "))"
          + "\(rest); nothing was executed")
    }
    var tensors = [Tensor?](repeating: nil, count: state.entries.count)
    var converted: Set<String> = []
    try archive.read(state.entries.map(\.tensor)) { place, bytes in
      let (key, stored) = state.entries[place]
      tensors[place] = try tensor(stored, bytes, "\(path): tensor '\(escaped(key, limit: 100))'", &converted)
    }
    if !converted.isEmpty { notes.append("tensors are converted: \(converted.sorted().joined(separator: ", "))") }
    let entries = zip(state.entries, tensors).compactMap { entry, tensor in tensor.map { (key: entry.key, tensor: $0) }
    }
    let types = state.entries.compactMap { entry in DType(entry.tensor.type).map { (entry.key, $0) } }
    return TensorFile(
      contents: Safetensors(tensors: entries, metadata: try metadata(of: path)), notes: notes,
      layout: TensorLayout(frame: TorchFrame(archive, around: state), types: Dictionary(types) { $1 }),
      modules: archive.isScript ? [] : state.modules)
  }

  /// Keys and shapes, and the modules of a whole pickled one. Parameters and errors as `load`.
  public static func outline(
    _ path: String, key: String? = nil
  ) throws -> (entries: [(key: String, shape: Shape)], modules: [StoredModule]) {
    guard try isPyTorch(path) else {
      try refuse(key, path)
      return (try SafetensorsHeader(of: InputFile(path)).entries.map { ($0.key, $0.shape) }, [])
    }
    let archive = try TorchArchive(path)
    let state = try archive.state(key)
    return (state.entries.map { ($0.key, $0.tensor.shape) }, archive.isScript ? [] : state.modules)
  }

  /// Whether the file begins as one of PyTorch's.
  /// - Throws: `FileError`.
  public static func isPyTorch(_ path: String) throws -> Bool {
    let file = try InputFile(path)
    return TorchArchive.isTorchFile(try file.read(min(file.size, 512), at: 0))
  }

  private static func refuse(_ key: String?, _ path: String) throws {
    guard let key else { return }
    throw FormatError.malformed(
      path: path,
      problem: "it is no file of PyTorch, which could hold a state dict under '\(escaped(key, limit: 100))'",
      fix: "Leave out --key")
  }

  /// Modules whose classes models are made of.
  private static let usualModules: Set<String> = [
    "torch", "torchvision", "timm", "numpy", "collections", "_codecs", "__torch__", "copyreg", "copy_reg", "functools",
    "argparse", "pathlib", "__builtin__", "builtins", "datetime", "__main__",
  ]

  /// Types that tensors here lack become wider ones.
  private static func tensor(
    _ stored: StoredTensor, _ bytes: [UInt8], _ name: String, _ converted: inout Set<String>
  ) throws -> Tensor {
    if let dtype = DType(stored.type) {
      let tensor = Tensor.empty(stored.shape, dtype: dtype)
      tensor.withMutableBytes { $0.copyBytes(from: bytes) }
      if dtype == .bool, !tensor.holdsBooleans {
        throw FormatError.malformed(
          path: name, problem: "a byte of a bool tensor is neither 0 nor 1", fix: FormatError.copyAgain)
      }
      return tensor
    }
    func words<Word: FixedWidthInteger>(_: Word.Type) -> [Word] {
      bytes.withUnsafeBytes { raw in
        stride(from: 0, to: raw.count, by: MemoryLayout<Word>.size).map {
          Word(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Word.self))
        }
      }
    }
    switch stored.type {
    case .uint16:
      converted.insert("uint16 to int32")
      return Tensor(words(UInt16.self).map { Int32($0) }, shape: stored.shape)
    case .uint32:
      converted.insert("uint32 to int64")
      return Tensor(words(UInt32.self).map { Int64($0) }, shape: stored.shape)
    case .uint64:
      converted.insert("uint64 to int64")
      let numbers = words(UInt64.self).map { Int64(exactly: $0) }
      guard !numbers.contains(nil) else {
        throw FormatError.malformed(path: name, problem: "a uint64 beyond int64", fix: "Convert it to float64")
      }
      return Tensor(numbers.compactMap { $0 }, shape: stored.shape)
    case .float8e4m3, .float8e5m2:
      converted.insert("\(stored.type) to float32")
      let mantissa = stored.type == .float8e4m3 ? 3 : 2
      return Tensor(bytes.map { float8($0, mantissa) }, shape: stored.shape)
    case .complex64, .complex128:
      converted.insert("\(stored.type) to pairs of numbers")
      let shape = stored.shape + [2]
      return stored.type == .complex64
        ? Tensor(words(UInt32.self).map(Float.init(bitPattern:)), shape: shape)
        : Tensor(words(UInt64.self).map(Double.init(bitPattern:)), shape: shape)
    default:
      throw FormatError.malformed(path: name, problem: "its type is \(stored.type)", fix: "Convert it to float32")
    }
  }

  /// Sign, exponent and mantissa in one byte (Micikevicius et al., FP8 Formats for Deep Learning, 2022). With three
  /// mantissa bits there are no infinities, and all ones are NaN.
  static func float8(_ byte: UInt8, _ mantissaBits: Int) -> Float {
    let exponentBits = 7 - mantissaBits
    let mantissa = Float(byte & UInt8(1 << mantissaBits - 1)) / Float(1 << mantissaBits)
    let exponent = Int(byte & 0x7f) >> mantissaBits
    let bias = 1 << (exponentBits - 1) - 1
    let sign: Float = byte & 0x80 == 0 ? 1 : -1
    if mantissaBits == 3, byte & 0x7f == 0x7f { return .nan }
    if mantissaBits == 2, exponent == 31 { return mantissa == 0 ? sign * .infinity : .nan }
    return exponent == 0
      ? sign * Float(sign: .plus, exponent: 1 - bias, significand: mantissa)
      : sign * Float(sign: .plus, exponent: exponent - bias, significand: 1 + mantissa)
  }
}
