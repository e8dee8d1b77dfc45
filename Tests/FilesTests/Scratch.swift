import Foundation

/// Runs a test in a folder of its own, which is removed afterwards.
func withScratch<R>(_ body: (_ folder: String) throws -> R) throws -> R {
  let folder = try makeScratch()
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

func withAsyncScratch<R>(_ body: (_ folder: String) async throws -> R) async throws -> R {
  let folder = try makeScratch()
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}

private func makeScratch() throws -> String {
  let folder = FileManager.default.temporaryDirectory.appending(path: "files-tests-\(UUID().uuidString)").path(percentEncoded: false)
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  return folder
}

/// The names in a folder, hidden ones too.
func listing(_ folder: String) -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() }

/// The text of a file; nil where there is none.
func contents(_ path: String) -> String? { (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) } }
