/// NumPy's `.npy` files, format versions 1 to 3 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): one array each.
/// Object arrays, which hold pickled code, are refused as every dtype that LibTorch lacks.
public enum Npy {
  private static let dtypes: [(name: String, dtype: DType)] = [
    ("b1", .bool), ("u1", .uint8), ("i1", .int8), ("i2", .int16), ("i4", .int32), ("i8", .int64), ("f2", .float16), ("f4", .float32),
    ("f8", .float64),
  ]
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Bytes. NumPy writes about 100.
  private static let largestHeader = 65536

  /// Reads an array to the CPU. Fortran-ordered arrays are brought to row-major order.
  /// - Throws: `NpyError` for a file that cannot be read, breaks a rule of the format, or has a dtype that a tensor cannot have.
  public static func load(_ path: String) throws(NpyError) -> Tensor {
    do throws(FileError) {
      let file = try InputFile(path)
      let (header, dataStart) = try header(of: file)
      guard let size = byteCount(header.shape, header.dtype) else { throw FileError("shape \(header.shape) is too large") }
      let found = file.size - dataStart
      guard found == size else {
        let mend =
          found < size ? "The file is truncated: fetch or write it again" : "Cut the file to \(dataStart + size) bytes, or write it again"
        throw FileError("\(header.dtype) \(header.shape) takes \(size) bytes, but \(found) follow the header. \(mend)")
      }
      let stored = header.isFortranOrdered ? header.shape.reversed() : header.shape
      var tensor = try file.read(stored, header.dtype, at: dataStart)
      if header.dtype == .bool, !tensor.holdsBooleans {
        throw FileError("a bool byte is neither 0 nor 1. Save the array as uint8, or fetch the file again")
      }
      if header.isFortranOrdered, header.shape.count > 1 { tensor = tensor.reversingDimensions().contiguous() }
      return tensor
    } catch {
      throw NpyError(path: path, reason: error.reason)
    }
  }

  /// Writes a tensor from any device, in row-major order and format version 1, completely or not at all.
  /// - Throws: `NpyError` for bfloat16, which NumPy lacks, and for a path that cannot be written.
  public static func save(_ tensor: Tensor, to path: String) throws(NpyError) {
    do throws(FileError) {
      guard let name = dtypes.first(where: { $0.dtype == tensor.dtype })?.name else {
        throw FileError("NumPy has no \(tensor.dtype). Convert the tensor to float32 first")
      }
      let sizes = tensor.shape.map(String.init)
      let shape = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
      let order = tensor.dtype.size == 1 ? "|" : "<"
      var header = Array("{'descr': '\(order)\(name)', 'fortran_order': False, 'shape': \(shape), }".utf8)
      while (magic.count + 4 + header.count + 1) % 64 != 0 { header.append(UInt8(ascii: " ")) }
      header.append(UInt8(ascii: "\n"))
      let preamble = magic + [1, 0, UInt8(header.count & 0xFF), UInt8(header.count >> 8)] + header
      try OutputFile.create(path) { file throws(FileError) in
        try file.append(preamble)
        try file.append(tensor)
      }
    } catch {
      throw NpyError(path: path, reason: error.reason)
    }
  }

  private struct Header {
    var dtype: DType
    var shape: Shape
    var isFortranOrdered: Bool
  }

  /// The header, and where the data begin.
  private static func header(of file: borrowing InputFile) throws(FileError) -> (Header, Int) {
    guard file.size >= 10, try file.read(6, at: 0) == magic else {
      throw FileError("does not begin as a .npy file. A .npz archive must be unpacked first")
    }
    let version = try file.read(2, at: 6)
    guard (1...3).contains(version[0]), version[1] == 0 else {
      throw FileError("format version \(version[0]).\(version[1]) is unknown; 1.0, 2.0 and 3.0 are known. Save it again with NumPy")
    }
    let lengthSize = version[0] == 1 ? 2 : 4
    let start = 8 + lengthSize
    guard file.size >= start else { throw FileError("the header is truncated: fetch or write the file again") }
    let length = try file.read(lengthSize, at: 8).reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= largestHeader else { throw FileError("a header of \(length) bytes; at most \(largestHeader) are read") }
    guard length <= file.size - start else { throw FileError("the header is truncated: fetch or write the file again") }
    return (try parse(try file.read(length, at: start)), start + length)
  }

  private static func parse(_ bytes: [UInt8]) throws(FileError) -> Header {
    var scanner = PythonDictionaryScanner(bytes)
    let fields = try scanner.dictionary()
    if fields["descr"] == .list { throw FileError("a structured dtype. Save each field as its own array") }
    guard Set(fields.keys) == ["descr", "fortran_order", "shape"] else {
      throw FileError("the header has the fields \(fields.keys.sorted()), not descr, fortran_order and shape. Save it again with NumPy")
    }
    guard case .string(let descr)? = fields["descr"] else { throw FileError("descr is not a string") }
    guard case .bool(let isFortranOrdered)? = fields["fortran_order"] else { throw FileError("fortran_order is not True or False") }
    guard case .tuple(let shape)? = fields["shape"] else { throw FileError("shape is not a tuple of whole numbers") }
    if descr.hasPrefix(">") { throw FileError("dtype '\(descr)' is big-endian. Save it again as '<\(descr.dropFirst())'") }
    let isNative = ["<", "|", "="].contains(String(descr.prefix(1)))
    guard isNative, let dtype = dtypes.first(where: { $0.name == descr.dropFirst() })?.dtype else {
      throw FileError("dtype '\(descr)' is not supported. Convert it to one of \(dtypes.map(\.name).joined(separator: ", "))")
    }
    return Header(dtype: dtype, shape: shape, isFortranOrdered: isFortranOrdered)
  }
}

/// Why a `.npy` file was refused or could not be written.
public struct NpyError: Error, CustomStringConvertible, Sendable {
  public let path: String
  /// What is wrong, with the values, and what mends it.
  public let reason: String
  public var description: String { "\(path): \(reason)." }
}

extension Tensor {
  fileprivate func reversingDimensions() -> Tensor {
    // Swapping the outer pairs inwards reverses all of them.
    (0..<rank / 2).reduce(self) { tensor, dim in tensor.transposed(dim, rank - 1 - dim) }
  }
}
