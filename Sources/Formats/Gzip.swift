import CImageCodecs
public import Files

/// gzip and zlib data in memory.
public enum Gzip {
  /// True where the bytes start as a gzip file does.
  public static func isCompressed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1f, 0x8b]) }

  /// The uncompressed bytes of a whole gzip or zlib buffer, checksums verified.
  ///
  /// - Parameters:
  ///   - limits: `bytes` is the most that may come out; a small file can claim to inflate to terabytes.
  ///   - name: the file's name, for the error.
  /// - Throws: `FormatError` where the data is damaged, ends early or inflates past the limit.
  public static func inflate(_ bytes: [UInt8], limits: FormatLimits = .standard, name: String) throws(FormatError) -> [UInt8] {
    let limit = limits.bytes
    let result = CodecCall.run { message in
      var buffer: UnsafeMutablePointer<UInt8>?
      var count = 0
      let status = cic_inflate(bytes, bytes.count, limit, &buffer, &count, message)
      defer { cic_free(buffer) }
      return (status, Array(UnsafeBufferPointer(start: buffer, count: count)))
    }
    switch result {
    case .success(let inflated): return inflated
    case .failure(let failure):
      let tooLarge = failure.status == Int32(CIC_TOO_LARGE)
      throw .malformed(
        path: name,
        problem: tooLarge ? "the compressed data inflates past \(formatCount(limit)) bytes" : "gzip: \(failure.message)",
        fix: tooLarge ? "It is not the file that it claims to be" : FormatError.copyAgain)
    }
  }

  /// A file's bytes, inflated where they are gzip.
  /// - Throws: `FileError`, `FormatError`.
  public static func read(_ path: String, limits: FormatLimits = .standard) throws -> [UInt8] {
    let bytes = try FileSystem.read(path, limit: limits.bytes)
    return isCompressed(bytes) ? try inflate(bytes, limits: limits, name: path) : bytes
  }

  /// CRC-32 as gzip, zip and PNG use it; `seed` is the checksum of what came before.
  public static func crc32(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 { cic_crc32(seed, bytes, bytes.count) }
}

/// Gives a C codec its message buffer and turns its status into a `Result`.
package enum CodecCall {
  package struct Failure: Error {
    package let status: Int32
    package let message: String
  }

  package static func run<Value>(_ body: (UnsafeMutablePointer<CChar>) -> (Int32, Value)) -> Result<Value, Failure> {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CIC_MESSAGE_CAPACITY)) { buffer in
      buffer.initialize(repeating: 0)
      guard let base = buffer.baseAddress else { return .failure(Failure(status: Int32(CIC_NO_MEMORY), message: "no buffer")) }
      let (status, value) = body(base)
      return status == Int32(CIC_OK) ? .success(value) : .failure(Failure(status: status, message: String(cString: base)))
    }
  }
}
