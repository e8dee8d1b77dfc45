import Crypto
public import Files
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
    var hash = SHA256()
    try InputFile(path).forEachPiece { hash.update(data: $0) }
    return hex(hash.finalize())
  }

  /// The short name of a run: the first 12 hexadecimal digits of the SHA-256 of the configuration's canonical form.
  public static func runID(_ configuration: JSONValue) -> String {
    String(sha256Hex(configuration.canonicalJSON).prefix(12))
  }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
