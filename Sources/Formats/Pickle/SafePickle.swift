public import Files

/// What is wrong with the content of a pickle, without the file's name; builders throw it.
public struct PickleProblem: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Turns a recorded call into a value. It must compute from the object alone and reach nothing outside.
public typealias PickleBuilder = @Sendable (PickleObject) throws -> PickleValue

/// Reads Python pickles as data, protocols 0 to 5, and runs nothing.
///
/// A pickle is a program that may call any Python function. Here it can only build numbers, strings, bytes, lists,
/// tuples and dicts; the functions and classes that it names are looked up in `builders`, a fixed table, and everything
/// else is refused with `FormatError.refusedGlobal`. The default table covers what numpy writes for numeric arrays. A
/// reader of another kind of file extends the table and, where the pickle refers to data outside of it, gives
/// `persistent`:
///
///     var reader = SafePickle()
///     reader.builders[PickleGlobal("collections", "OrderedDict")] = { .dict($0.items) }
///     reader.persistent = { id in try storage(named: id) }
///
/// Hostile input gives an error: depth, the number of values and the bytes that builders make are limited, and shared
/// parts are counted as often as they are reached.
public struct SafePickle: Sendable {
  /// The names that a pickle may use, and what becomes of a call to them.
  public var builders: [PickleGlobal: PickleBuilder] = SafePickle.numpy
  /// Keeps calls of names outside of the table as `PickleValue.object` instead of refusing the file; those in `refused`
  /// are refused all the same. Then sets are lists, and a value that contains itself is `none` there.
  public var recordsUnknown = false
  /// Modules, and functions as `module.name`, that no data needs. What only a program uses is a sign of one.
  public var refused: Set<String> = []
  /// Resolves a persistent id; nil refuses them.
  public var persistent: (@Sendable (PickleValue) throws -> PickleValue)?
  /// The most levels of nesting and values, in the file and in the resulting tree, and bytes that builders may make in
  /// all. These may also not be more than 16 times the pickle's size and a mebibyte.
  public var limits = FormatLimits.standard

  public init() {}

  /// Keeps a call as `PickleValue.object`, for a table of builders.
  public static let record: PickleBuilder = { .object($0) }

  /// The value of a pickle that fills `bytes`.
  ///
  /// - Parameter name: the file's name, for errors.
  /// - Throws: `FormatError.refusedGlobal`, or `.malformed` for damage, unsupported content and exceeded limits.
  public func load(_ bytes: [UInt8], name: String) throws -> PickleValue {
    let (value, end) = try loadPrefix(bytes, from: 0, name: name)
    guard end == bytes.count else {
      throw FormatError.malformed(
        path: name, problem: "\(formatCount(bytes.count - end)) bytes follow the end of the pickle",
        fix: FormatError.copyAgain)
    }
    return value
  }

  /// The value of the pickle that starts at `start`, and where it ends: some files hold several in a row.
  /// Throws as `load`.
  public func loadPrefix(_ bytes: [UInt8], from start: Int, name: String) throws -> (value: PickleValue, end: Int) {
    let (value, _, end) = try loadRecording(bytes, from: start, name: name)
    return (value, end)
  }

  /// As `loadPrefix`, with the unknown functions and classes that Python would call.
  func loadRecording(
    _ bytes: [UInt8], from start: Int, name: String
  ) throws -> (value: PickleValue, calls: [PickleGlobal], end: Int) {
    var machine = PickleMachine(bytes: bytes, at: start, reader: self)
    do {
      let root = try machine.run()
      var assembler = PickleAssembler(
        nodes: machine.nodes, reader: self, byteBudget: min(limits.bytes, 16 * bytes.count + 1 << 20))
      return (try assembler.value(of: root, depth: 0).value, machine.calls, machine.at)
    } catch let refusal as PickleRefusal {
      throw FormatError.refusedGlobal(path: name, global: refusal.global.description)
    } catch let error as FormatError {
      throw error
    } catch {
      throw FormatError.malformed(
        path: name, problem: "pickle, before byte \(formatCount(machine.at)): \(error)",
        fix: "The file is damaged or is no plain data: copy or download it again, or convert it to another format")
    }
  }
}

extension SafePickle {
  func allows(_ global: PickleGlobal) -> Bool {
    if builders[global] != nil { return true }
    guard recordsUnknown else { return false }
    let top = global.module.prefix { $0 != "." }
    return !refused.contains(String(top)) && !refused.contains(global.description)
  }
}

/// The pickle names something outside the table.
struct PickleRefusal: Error {
  let global: PickleGlobal
}
