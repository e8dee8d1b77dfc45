import Formats
import Testing

/// The `FormatError` that the body throws, as the user sees it; records an issue where it throws nothing.
func message(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> String {
  let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) { try body() }
  return error?.description ?? "no error"
}
