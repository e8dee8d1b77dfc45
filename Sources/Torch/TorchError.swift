import CTorch

/// A failure that comes from outside the program: a device that is missing, memory that is full, a file that is
/// damaged. Mistakes in tensor math are not errors of this kind; they trap with the operation and the shapes.
public struct TorchError: Error, CustomStringConvertible, Sendable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// LibTorch's message for the last failing call of this thread, without its C++ backtrace.
func lastErrorMessage() -> String { String(cString: ct_error_message()) }

/// Stops the program at a wrong tensor operation. The message names the operation, its operands and what LibTorch said.
func trap(_ operation: StaticString, _ operands: [Tensor], file: StaticString, line: UInt) -> Never {
  let shapes = operands.map(\.summary).joined(separator: ", ")
  let hint =
    ct_error_kind() == Int32(CT_ERROR_OUT_OF_MEMORY) ? " (out of memory: use a smaller batch, width or image size)" : ""
  fatalError("\(operation)(\(shapes)): \(lastErrorMessage())\(hint)", file: file, line: line)
}

/// Stops the program with the message if the condition does not hold, in release builds too, where `precondition`
/// prints nothing.
@inlinable
public func require(
  _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String, file: StaticString = #file,
  line: UInt = #line
) {
  if !condition() { fatalError(message(), file: file, line: line) }
}

/// Wraps the handle of a finished operation.
@inline(__always)
func made(
  _ handle: CTTensor?, _ operation: StaticString = #function, _ operands: [Tensor] = [], file: StaticString = #file,
  line: UInt = #line
) -> Tensor {
  guard let handle else { trap(operation, operands, file: file, line: line) }
  return Tensor(owning: handle)
}

/// Checks the status of an operation that works in place.
@inline(__always)
func done(
  _ status: Int32, _ operation: StaticString = #function, _ operands: [Tensor] = [], file: StaticString = #file,
  line: UInt = #line
) {
  if status != 0 { trap(operation, operands, file: file, line: line) }
}
