import Foundation

/// A committed file of Tests/Goldens/vision.
public func golden(_ name: String) throws -> [UInt8] {
  let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  return [UInt8](try Data(contentsOf: tests.appendingPathComponent("Goldens/vision/\(name)")))
}
