/// The tensors of a `.safetensors` file: named tensors without any code, as Hugging Face's format describes them
/// (https://github.com/huggingface/safetensors). Reading checks everything that the format demands, so that a file from elsewhere can be
/// refused but can do no harm.
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
  /// A damaged file gives an error such as
  /// `model.safetensors: tensor 'conv1.weight': F32 [64, 3, 3, 3] takes 6912 bytes, but data_offsets [0, 6900] hold 6900. The header is
  /// damaged: fetch or write the file again.`
  /// - Throws: `SafetensorsError` for a file that cannot be read or breaks a rule of the format.
  public static func load(_ path: String) throws(SafetensorsError) -> Safetensors {
    do throws(FileError) {
      let file = try InputFile(path)
      let header = try SafetensorsHeader(of: file, path: path)
      var tensors: [(key: String, tensor: Tensor)] = []
      tensors.reserveCapacity(header.entries.count)
      for entry in header.entries {
        let tensor = try file.read(entry.shape, entry.dtype, at: header.dataStart + entry.begin)
        if entry.dtype == .bool, !tensor.holdsBooleans {
          throw FileError("tensor '\(entry.key)': a BOOL byte is neither 0 nor 1. Write it as U8, or fetch the file again")
        }
        tensors.append((entry.key, tensor))
      }
      return Safetensors(tensors: tensors, metadata: header.metadata)
    } catch {
      throw SafetensorsError(path: path, reason: error.reason)
    }
  }

  /// Writes tensors from any device. The file is complete or absent: an error leaves nothing behind and an old file untouched.
  ///
  /// Tensors keep their order, except that those of larger elements come first: PyTorch's reader needs each one aligned to its element.
  /// - Throws: `SafetensorsError` for a key that occurs twice or is reserved, and for a path that cannot be written.
  public static func save(
    _ tensors: [(key: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
  ) throws(SafetensorsError) {
    do throws(FileError) {
      let sizes = Set(tensors.map(\.tensor.dtype.size)).sorted(by: >)
      let aligned = sizes.flatMap { size in tensors.filter { $0.tensor.dtype.size == size } }
      let header = try SafetensorsHeader.encoded(aligned, metadata)
      try OutputFile.create(path) { file throws(FileError) in
        try file.append(header)
        for (_, tensor) in aligned { try file.append(tensor) }
      }
    } catch {
      throw SafetensorsError(path: path, reason: error.reason)
    }
  }
}

/// Why a `.safetensors` file was refused or could not be written.
public struct SafetensorsError: Error, CustomStringConvertible, Sendable {
  public let path: String
  /// What is wrong, with the key and the values, and what mends it.
  public let reason: String
  public var description: String { "\(path): \(reason)." }
}

extension Tensor {
  /// False if a byte of a bool tensor from outside is neither 0 nor 1, which neither Swift nor LibTorch can work with.
  var holdsBooleans: Bool { withBytes { bytes in bytes.allSatisfy { $0 <= 1 } } }
}
