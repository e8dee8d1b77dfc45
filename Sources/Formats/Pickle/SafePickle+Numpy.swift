// How numpy pickles an array: `_reconstruct(ndarray, (0,), b'b')` and then the state (version, shape, dtype,
// is_fortran, raw bytes); from protocol 5 on `_frombuffer(raw bytes, dtype, shape, order)`. A dtype is `dtype('u1',
// False, True)` with the state (3, byte order, ...). Protocols before 3 have no bytes, so Python 3 writes
// `_codecs.encode(text, 'latin1')`.

extension SafePickle {
  /// The table for numeric numpy arrays and scalars.
  public static let numpy: [PickleGlobal: PickleBuilder] = {
    var table: [PickleGlobal: PickleBuilder] = [
      PickleGlobal("numpy", "ndarray"): { _ in throw PickleProblem("a call to numpy.ndarray") },
      PickleGlobal("numpy", "dtype"): record,
      PickleGlobal("_codecs", "encode"): encode,
    ]
    for core in ["numpy.core", "numpy._core"] {  // renamed in numpy 2
      table[PickleGlobal("\(core).multiarray", "_reconstruct")] = reconstruct
      table[PickleGlobal("\(core).multiarray", "scalar")] = scalar
      table[PickleGlobal("\(core).numeric", "_frombuffer")] = fromBuffer
    }
    return table
  }()

  private static let ndarray = PickleValue.global(PickleGlobal("numpy", "ndarray"))

  private static let reconstruct: PickleBuilder = { object in
    guard object.arguments.first == ndarray else { throw PickleProblem("an array that is no numpy.ndarray") }
    guard let state = object.state?.list, state.count == 4 || state.count == 5 else {
      throw PickleProblem("a numpy array without its state")
    }
    let fields = Array(state.suffix(4))
    guard let fortran = fields[2].bool ?? fields[2].int.map({ $0 != 0 }), let raw = fields[3].bytes else {
      throw PickleProblem("a numpy array whose elements are no numbers")
    }
    return .array(try array(raw, dtype: fields[1], shape: try shape(fields[0]), fortranOrder: fortran))
  }

  private static let fromBuffer: PickleBuilder = { object in
    let fields = object.arguments
    guard fields.count == 4, let raw = fields[0].bytes, let order = fields[3].text, order == "C" || order == "F" else {
      throw PickleProblem("a numpy array that is not bytes, dtype, shape and order")
    }
    return .array(try array(raw, dtype: fields[1], shape: try shape(fields[2]), fortranOrder: order == "F"))
  }

  private static let scalar: PickleBuilder = { object in
    guard object.arguments.count == 2, let raw = object.arguments[1].bytes else {
      throw PickleProblem("a numpy scalar that is not dtype and bytes")
    }
    let value = try array(raw, dtype: object.arguments[0], shape: [], fortranOrder: false)
    if let number = value.integers?.first { return .int(number) }
    if let number = value.floats?.first { return .float(number) }
    if value.dtype == .bool { return .bool(raw[0] != 0) }
    return .array(value)
  }

  private static let encode: PickleBuilder = { object in
    guard object.arguments.count <= 2, case .string(let text)? = object.arguments.first else {
      throw PickleProblem("_codecs.encode of something else than text")
    }
    let codec = object.arguments.count == 2 ? object.arguments[1].text : "utf-8"
    switch codec {
    case "utf-8", "utf8": return .bytes(Array(text.utf8))
    case "latin1", "latin-1", "iso-8859-1":
      var bytes: [UInt8] = []
      bytes.reserveCapacity(text.utf8.count)
      for scalar in text.unicodeScalars {
        guard let byte = UInt8(exactly: scalar.value) else {
          throw PickleProblem("text beyond latin1 where bytes belong")
        }
        bytes.append(byte)
      }
      return .bytes(bytes)
    default: throw PickleProblem("the text encoding \(codec ?? "without a name"), expected latin1")
    }
  }

  private static func array(_ raw: [UInt8], dtype: PickleValue, shape: [Int], fortranOrder: Bool) throws -> PickleArray
  {
    guard case .object(let object) = dtype, object.global == PickleGlobal("numpy", "dtype"),
      let code = object.arguments.first?.text
    else { throw PickleProblem("a numpy array without a dtype") }
    guard let type = ElementType(numpy: code) else {
      throw PickleProblem("a numpy array of type '\(code)', expected bool, int, uint or float")
    }
    let state = object.state?.list ?? []
    // state: version, byte order, subarray, field names, fields, ...
    guard state.dropFirst(2).prefix(3).allSatisfy({ $0 == .none }) else {
      throw PickleProblem("a numpy array of records")
    }
    let order = state.count > 1 ? state[1].text ?? "|" : "|"
    guard ["<", ">", "|", "="].contains(order) else { throw PickleProblem("a numpy array of byte order '\(order)'") }
    return try PickleArray(dtype: type, shape: shape, raw: raw, bigEndian: order == ">", fortranOrder: fortranOrder)
  }

  private static func shape(_ value: PickleValue) throws -> [Int] {
    guard let extents = value.list?.map({ $0.int.flatMap { Int(exactly: $0) } }), !extents.contains(nil) else {
      throw PickleProblem("a numpy array without a shape")
    }
    return extents.compactMap { $0 }
  }
}
