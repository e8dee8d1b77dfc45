import Files
import Foundation
import TestFiles
import Testing

struct TextFileTests {
  @Test func aByteOrderMarkIsPassedOver() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("names.txt", [0xef, 0xbb, 0xbf] + Array("cat\r\ndog\n".utf8))
    #expect(try FileSystem.readText(path).unicodeScalars.first == "c")
    #expect(try FileSystem.readLines(path) == ["cat", "dog"])
  }

  @Test func aNameThatIsNotTextIsNamed() throws {
    let folder = try TemporaryFolder()
    let bytes = Array((folder.path + "/caf").utf8) + [0xe9, 0]
    #expect(bytes.map(CChar.init(bitPattern:)).withUnsafeBufferPointer { mkdir($0.baseAddress!, 0o777) } == 0)
    defer { bytes.map(CChar.init(bitPattern:)).withUnsafeBufferPointer { _ = rmdir($0.baseAddress!) } }
    let error = #expect(throws: FileError.self) { try FileSystem.subfolders(folder.path) }
    #expect(error?.description.contains("\(folder.path): the name caf\\xe9 in it is not UTF-8. Rename it") == true)
  }
}
