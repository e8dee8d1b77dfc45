import CTorch

extension Tensor {
  /// A tensor from an array, in row-major order, on the CPU. The element type gives the dtype.
  public convenience init<T: TensorElement>(_ values: [T], shape: Shape? = nil) {
    let shape = shape ?? [values.count]
    require(shape.reduce(1, *) == values.count, "Tensor(\(values.count) values, shape: \(shape)): the counts differ")
    self.init(owning: Tensor.copying(values, shape: shape))
  }

  /// A scalar tensor (shape []).
  public convenience init(_ value: Double, dtype: DType = .float32, device: Device = .cpu) {
    guard let handle = [Int]().withSizes({ ct_full($0, $1, value, dtype.rawValue, device.type, device.index) }) else {
      trap("Tensor(scalar)", [], file: #file, line: #line)
    }
    self.init(owning: handle)
  }

  private static func copying<T: TensorElement>(_ values: [T], shape: Shape) -> CTTensor {
    let handle = values.withUnsafeBytes { bytes in
      shape.withSizes { sizes, rank in
        if let base = bytes.baseAddress, bytes.count > 0 {
          ct_from_bytes(base, sizes, rank, T.dtype.rawValue)
        } else {
          ct_empty(sizes, rank, T.dtype.rawValue, Device.cpu.type, Device.cpu.index)
        }
      }
    }
    guard let handle else { trap("Tensor(array)", [], file: #file, line: #line) }
    return handle
  }

  /// A CPU tensor that holds a copy of raw bytes in the machine's (little-endian) order.
  public static func copying(bytes: UnsafeRawBufferPointer, shape: Shape, dtype: DType) -> Tensor {
    require(shape.reduce(1, *) * dtype.size == bytes.count, "\(bytes.count) bytes do not fill \(dtype) \(shape)")
    guard let base = bytes.baseAddress, bytes.count > 0 else { return Tensor.empty(shape, dtype: dtype) }
    return made(shape.withSizes { ct_from_bytes(base, $0, $1, dtype.rawValue) }, "Tensor.copying(bytes:)")
  }

  /// Uninitialised memory.
  public static func empty(_ shape: Shape, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    made(shape.withSizes { ct_empty($0, $1, dtype.rawValue, device.type, device.index) }, "Tensor.empty")
  }
  public static func full(_ shape: Shape, _ value: Double, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    made(shape.withSizes { ct_full($0, $1, value, dtype.rawValue, device.type, device.index) }, "Tensor.full")
  }
  public static func zeros(_ shape: Shape, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 0, dtype: dtype, device: device)
  }
  public static func ones(_ shape: Shape, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 1, dtype: dtype, device: device)
  }
  /// A tensor of one value with another's shape, dtype, device and memory layout.
  public static func full(like other: Tensor, _ value: Double) -> Tensor {
    noGrad {
      let out = other.clone().detach()
      out.fill_(value)
      return out
    }
  }
  public static func zeros(like other: Tensor) -> Tensor { full(like: other, 0) }
  public static func ones(like other: Tensor) -> Tensor { full(like: other, 1) }

  /// Integers from `range`.
  public static func arange(_ range: Range<Int>, dtype: DType = .int64, device: Device = .cpu) -> Tensor {
    made(
      ct_arange(Double(range.lowerBound), Double(range.upperBound), 1, dtype.rawValue, device.type, device.index),
      "Tensor.arange")
  }
  public static func arange(_ count: Int, dtype: DType = .int64, device: Device = .cpu) -> Tensor {
    arange(0..<count, dtype: dtype, device: device)
  }
  public static func linspace(
    _ start: Double, _ end: Double, _ steps: Int, dtype: DType = .float32, device: Device = .cpu
  ) -> Tensor {
    made(ct_linspace(start, end, Int64(steps), dtype.rawValue, device.type, device.index), "Tensor.linspace")
  }
  public static func eye(_ n: Int, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    made(ct_eye(Int64(n), dtype.rawValue, device.type, device.index), "Tensor.eye")
  }
}

extension Tensor {
  public func to(_ dtype: DType) -> Tensor {
    dtype == self.dtype ? self : made(ct_to(handle, dtype.rawValue, -1, -1), "to(dtype)", [self])
  }
  public func to(_ device: Device) -> Tensor {
    device == self.device ? self : made(ct_to(handle, -1, device.type, device.index), "to(device)", [self])
  }
  public func to(_ dtype: DType, _ device: Device) -> Tensor {
    made(ct_to(handle, dtype.rawValue, device.type, device.index), "to", [self])
  }
  /// The same values in the wanted memory order; itself if they lie so already.
  public func contiguous(_ format: MemoryFormat = .contiguous) -> Tensor {
    isContiguous(format) ? self : made(ct_contiguous(handle, format.rawValue), "contiguous", [self])
  }
  public func clone() -> Tensor { made(ct_clone(handle), "clone", [self]) }
  /// The same storage outside the autograd graph.
  public func detach() -> Tensor { made(ct_detach(handle), "detach", [self]) }
  /// Copies values from another tensor into this one's storage, converting dtype and device.
  public func copy_(_ source: Tensor) { done(ct_copy_(handle, source.handle), "copy_", [self, source]) }
  /// Lets this tensor, which others refer to, take another's storage.
  public func setData(_ source: Tensor) { done(ct_set_data(handle, source.handle), "setData", [self, source]) }

  /// The value of a one-element tensor. On a GPU this waits for the device.
  public func item() -> Double {
    var value = 0.0
    done(ct_item_double(handle, &value), "item", [self])
    return value
  }
  public func intItem() -> Int {
    var value: Int64 = 0
    done(ct_item_int(handle, &value), "intItem", [self])
    return Int(value)
  }

  /// All elements in row-major order; the tensor's dtype must be the element's.
  public func array<T: TensorElement>(_ type: T.Type = T.self) -> [T] {
    require(dtype == T.dtype, "array(\(T.self)) of a \(dtype) tensor: convert it with to(.\(T.dtype)) first")
    return withBytes { bytes in [T](bytes.bindMemory(to: T.self)) }
  }

  /// Runs `body` on the elements' bytes in row-major order (a copy where the tensor is not contiguous on the CPU).
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    let flat = detach().to(.cpu).contiguous()
    let bytes = flat.count * flat.dtype.size
    return try withExtendedLifetime(flat) {
      try body(UnsafeRawBufferPointer(start: bytes == 0 ? nil : UnsafeRawPointer(ct_data(flat.handle)), count: bytes))
    }
  }

  /// Runs `body` on the writable bytes of a contiguous CPU tensor.
  public func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
    require(device == .cpu && isContiguous, "withMutableBytes needs a contiguous CPU tensor, not \(summary)")
    return try withExtendedLifetime(self) {
      try body(UnsafeMutableRawBufferPointer(start: count == 0 ? nil : ct_data(handle), count: count * dtype.size))
    }
  }
}
