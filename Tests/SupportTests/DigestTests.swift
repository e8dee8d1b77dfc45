import Files
import Foundation
import Support
import TestFiles
import Testing

@Suite struct DigestTests {
  @Test func knownDigests() throws {
    #expect(Digest.sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(Digest.sha256Hex(Data()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func filesLargerThanTheBuffer() throws {
    try withTemporaryFolder { folder in
      let data = Data((0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
      try data.write(to: URL(filePath: folder + "/f"))
      #expect(
        try Digest.sha256Hex(file: folder + "/f") == "1400b8347ecd704cf6cecef4cea90fc5aa4f8c506fb313b7dd6903d9583cea9f")
      let error = #expect(throws: FileError.self) { try Digest.sha256Hex(file: folder + "/zzz") }
      #expect(error?.reason == .missing(suggestion: nil))
      #expect(throws: FileError.self) { try Digest.sha256Hex(file: folder) }
    }
  }

  @Test func runIDsFollowTheConfiguration() {
    let configuration: JSONValue = ["a": 1, "b": [0.1, true, nil, "x"]]
    #expect(Digest.runID(configuration) == "c31401aafb7b")
    #expect(Digest.runID(["b": [0.1, true, nil, "x"], "a": 1.0]) == "c31401aafb7b")
    #expect(Digest.runID(["a": 2, "b": [0.1, true, nil, "x"]]) != "c31401aafb7b")
  }
}
