import Synchronization

extension SafePickle {
  /// A reader for the pickles of `torch.save` and TorchScript: tensors, storages and plain data are read, every other
  /// class becomes a record that does nothing.
  /// - Parameter storages: is told of every storage that the pickle refers to.
  static func pytorch(_ storages: StorageTable) -> SafePickle {
    var reader = SafePickle()
    reader.recordsUnknown = true
    reader.refused = programs
    for (global, build) in numpy where global != PickleGlobal("numpy", "ndarray") {
      // Arrays of texts or of objects are of no use here, but no reason to refuse the model beside them.
      reader.builders[global] = { object in
        do { return try build(object) } catch is PickleProblem { return .object(object) }
      }
    }
    reader.builders[PickleGlobal("collections", "OrderedDict")] = orderedDict
    reader.builders[PickleGlobal("torch", "Size")] = { .tuple($0.arguments.first?.list ?? []) }
    for function in tensorFunctions { reader.builders[function] = tensor }
    for module in ["builtins", "__builtin__"] {
      for name in ["set", "frozenset"] {
        reader.builders[PickleGlobal(module, name)] = { .list($0.arguments.first?.list ?? []) }
      }
    }
    for name in ["_rebuild_parameter", "_rebuild_parameter_with_state"] {
      reader.builders[PickleGlobal("torch._utils", name)] = { $0.arguments.first ?? .none }
    }
    // A tensor subclass: function, class, arguments, state.
    reader.builders[PickleGlobal("torch._tensor", "_rebuild_from_type_v2")] = { object in
      guard object.arguments.count == 4, case .global(let function) = object.arguments[0],
        tensorFunctions.contains(function), let arguments = object.arguments[2].list
      else { return .object(object) }
      return try tensor(PickleObject(global: function, arguments: arguments))
    }
    reader.persistent = { id in
      if let parts = id.list, parts.count == 4, parts[0].text == "module" { return parts[1] }
      let storage = try storage(id)
      try storages.add(storage)
      return .storage(storage)
    }
    return reader
  }

  private static let tensorFunctions = Set(
    ["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"].map { PickleGlobal("torch._utils", $0) })

  /// Python modules and functions that act on the machine or run code, which no model needs. Nothing would be executed:
  /// a file that names them is hostile.
  private static let programs: Set<String> = [
    "os", "posix", "nt", "posixpath", "ntpath", "sys", "subprocess", "shutil", "socket", "pty", "runpy", "code",
    "importlib", "ctypes", "marshal", "webbrowser", "commands", "pip", "timeit", "pdb", "bdb", "builtins.eval",
    "builtins.exec", "builtins.compile", "builtins.open", "builtins.__import__", "__builtin__.eval",
    "__builtin__.execfile", "__builtin__.compile", "__builtin__.open", "__builtin__.file", "__builtin__.__import__",
    "__builtin__.apply", "torch.load", "torch.hub.load", "torch.jit.load", "torch.serialization.load",
    "torch.utils.cpp_extension.load", "torch.storage._load_from_bytes", "numpy.testing._private.utils.runstring",
  ]

  private static let orderedDict: PickleBuilder = { object in
    // Protocol 0 and Python 2 give the items as a list of pairs.
    let pairs = (object.arguments.first?.list ?? []).compactMap { pair in
      pair.list.flatMap { $0.count == 2 ? PickleEntry(key: $0[0], value: $0[1]) : nil }
    }
    return .dict(pairs + object.items)
  }

  /// `('storage', torch.FloatStorage, key, location, count)`, in the old format with a view at the end.
  private static func storage(_ id: PickleValue) throws -> StoredStorage {
    guard let parts = id.list, parts.count == 5 || parts.count == 6, parts[0].text == "storage",
      case .global(let type) = parts[1], let key = parts[2].text, let count = parts[4].int.flatMap({ Int(exactly: $0) })
    else { throw PickleProblem("a reference that is no storage of PyTorch") }
    let element: ElementType?
    if type.name == "UntypedStorage" {
      element = nil
    } else {
      guard type.module == "torch" || type.module.hasPrefix("torch."), let known = storageTypes[type.name] else {
        throw PickleProblem("a storage of the type \(type), which is not known")
      }
      element = known
    }
    guard count >= 0 else { throw PickleProblem("a storage of \(count) elements") }
    var storage = StoredStorage(key: key, type: element, count: count)
    if parts.count == 6, let view = parts[5].list {
      guard view.count == 3, let offset = view[1].int.flatMap({ Int(exactly: $0) }), offset >= 0 else {
        throw PickleProblem("a view of a storage without its place")
      }
      storage.viewOffset = offset
    }
    return storage
  }

  /// The storage class of a type; nil for types that have none.
  static func storageName(of type: ElementType) -> String? { storageTypes.first { $0.value == type }?.key }

  private static let storageTypes: [String: ElementType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8,
    "BoolStorage": .bool, "ComplexFloatStorage": .complex64, "ComplexDoubleStorage": .complex128,
  ]

  /// Types by their name in Python, for tensors on untyped storages.
  private static let elementTypes: [String: ElementType] = Dictionary(
    uniqueKeysWithValues: ElementType.allCases.map { ($0.rawValue, $0) })

  /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`; v3 has the type at the seventh place.
  private static let tensor: PickleBuilder = { object in
    let fields = object.arguments
    guard fields.count >= 4, case .storage(let storage) = fields[0], let offset = fields[1].int,
      let shape = sizes(fields[2]), let strides = sizes(fields[3]), offset >= 0, let start = Int(exactly: offset)
    else { throw PickleProblem("a tensor without storage, offset, shape and strides") }
    var type = storage.type
    if object.global.name == "_rebuild_tensor_v3", fields.count > 6, case .global(let name) = fields[6] {
      guard let named = elementTypes[name.name] else {
        throw PickleProblem("a tensor of type \(name), which is not supported")
      }
      type = named
    }
    guard let type else { throw PickleProblem("a tensor on an untyped storage without a type") }
    let (place, overflow) = start.addingReportingOverflow(storage.viewOffset)
    guard !overflow else { throw PickleProblem("a tensor at \(start) of a view at \(storage.viewOffset)") }
    // A view's own count is not given: the storage's is.
    return .tensor(try StoredTensor(storage: storage, type: type, offset: place, shape: shape, strides: strides))
  }

  private static func sizes(_ value: PickleValue) -> [Int]? {
    guard let numbers = value.integers else { return nil }
    return numbers.allSatisfy { $0 >= 0 } ? numbers.map { Int($0) } : nil
  }
}

/// The storages that a pickle refers to.
final class StorageTable: Sendable {
  private let known = Mutex<[String: StoredStorage]>([:])

  func add(_ storage: StoredStorage) throws {
    let earlier = known.withLock { table in
      defer { table[storage.key] = table[storage.key] ?? storage }
      return table[storage.key]
    }
    guard let earlier else { return }
    guard earlier.type == storage.type, earlier.count == storage.count else {
      throw PickleProblem("two different storages under the key \(storage.key)")
    }
  }

  subscript(key: String) -> StoredStorage? { known.withLock { $0[key] } }
}
