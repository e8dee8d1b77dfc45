import Crypto
public import Foundation

/// SHA-256 of data, files and configurations.
public enum Digest {
  /// The SHA-256 of the bytes, as 64 lowercase hexadecimal digits.
  public static func sha256Hex(_ data: Data) -> String { hex(SHA256.hash(data: data)) }

  /// The SHA-256 of the text's UTF-8 bytes, as 64 lowercase hexadecimal digits.
  public static func sha256Hex(_ text: String) -> String { sha256Hex(Data(text.utf8)) }

  /// The SHA-256 of a file, read a megabyte at a time, as 64 lowercase hexadecimal digits.
  /// - Throws: `FileError` where the file cannot be opened or read.
  public static func sha256Hex(file path: String) throws(FileError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(reading: path) }
    defer { close(descriptor) }
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileError(reading: path) }
      if count == 0 { return hex(hash.finalize()) }
      buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  /// The short name of a run: the first 12 hexadecimal digits of the SHA-256 of the configuration's canonical form.
  public static func runID(_ configuration: JSONValue) -> String { String(sha256Hex(configuration.canonicalJSON).prefix(12)) }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
