import Files
import Formats

/// The tensors of a `.safetensors` file: named tensors without any code, as Hugging Face's format describes them
/// (https://github.com/huggingface/safetensors). Reading checks everything that the format demands, so that a file from
/// elsewhere can be refused but can do no harm.
public struct Safetensors {
  /// In the order of their bytes in the file.
  public var tensors: [(key: String, tensor: Tensor)]
  public var metadata: [String: String]

  public init(tensors: [(key: String, tensor: Tensor)], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The tensor of a key.
  public subscript(key: String) -> Tensor? { tensors.first { $0.key == key }?.tensor }

  /// Reads a file; its tensors lie on the CPU.
  ///
  /// A damaged file gives an error such as `model.safetensors: tensor 'conv1.weight': F32 [64, 3, 3, 3] takes 6912
  /// bytes, but data_offsets [0, 6900] hold 6900. The header is damaged: fetch or write the file again.`
  /// - Throws: `FileError` for a file that cannot be read, `FormatError` for one that breaks a rule of the format.
  public static func load(_ path: String) throws -> Safetensors {
    let file = try InputFile(path)
    let header = try SafetensorsHeader(of: file)
    var tensors: [(key: String, tensor: Tensor)] = []
    tensors.reserveCapacity(header.entries.count)
    for entry in header.entries {
      guard let dtype = DType(entry.type) else {
        throw FormatError.malformed(
          path: path, problem: "tensor '\(entry.key)' is \(entry.type)", fix: "Convert it to float32 or int64")
      }
      let tensor = Tensor.empty(entry.shape, dtype: dtype)
      try tensor.withMutableBytes { try file.read(into: $0, at: header.dataStart + entry.begin) }
      if dtype == .bool, !tensor.holdsBooleans {
        throw FormatError.malformed(
          path: path, problem: "tensor '\(entry.key)': a BOOL byte is neither 0 nor 1",
          fix: "Write it as U8, or fetch the file again")
      }
      tensors.append((entry.key, tensor))
    }
    return Safetensors(tensors: tensors, metadata: header.metadata)
  }

  /// The metadata of a file without its tensors: a look at the header alone.
  /// - Throws: As `load`.
  public static func metadata(of path: String) throws -> [String: String] {
    try SafetensorsHeader(of: InputFile(path)).metadata
  }

  /// Writes tensors from any device. The file is complete or absent: an error leaves nothing behind and an old file
  /// untouched.
  ///
  /// Tensors keep their order, except that those of larger elements come first: PyTorch's reader needs each one aligned
  /// to its element.
  /// - Throws: `FormatError` for a key that occurs twice or is reserved, `FileError` for a path that cannot be written.
  public static func save(_ tensors: [(key: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String)
    throws
  {
    let sizes = Set(tensors.map(\.tensor.dtype.size)).sorted(by: >)
    let aligned = sizes.flatMap { size in tensors.filter { $0.tensor.dtype.size == size } }
    let header = try SafetensorsHeader.encoded(
      aligned.map { ($0.key, $0.tensor.dtype.elementType, $0.tensor.shape) }, metadata: metadata, path: path)
    try AtomicFile.write(
      to: path,
      streaming: { file in
        try file.write(header)
        for (_, tensor) in aligned { try tensor.withBytes { try file.write($0) } }
      })
  }
}

extension DType {
  /// nil for types that tensors cannot have.
  init?(_ type: ElementType) {
    guard let dtype = Self.allCases.first(where: { $0.elementType == type }) else { return nil }
    self = dtype
  }

  var elementType: ElementType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .int16: .int16
    case .int32: .int32
    case .int64: .int64
    case .float16: .float16
    case .float32: .float32
    case .float64: .float64
    case .bool: .bool
    case .bfloat16: .bfloat16
    }
  }
}

extension Tensor {
  /// False if a byte of a bool tensor from outside is neither 0 nor 1, which neither Swift nor LibTorch can work with.
  var holdsBooleans: Bool { withBytes { bytes in bytes.allSatisfy { $0 <= 1 } } }
}
