import Formats
import Foundation
import Testing

/// A committed file of Tests/Goldens/vision.
func golden(_ name: String) throws -> [UInt8] {
  let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  return [UInt8](try Data(contentsOf: tests.appendingPathComponent("Goldens/vision/\(name)")))
}

/// The `FormatError` that the body throws, as the user sees it; records an issue where it throws nothing.
func message(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> String {
  let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) { try body() }
  return error?.description ?? "no error"
}
