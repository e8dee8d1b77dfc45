import CImageCodecs
public import Files
import Support

/// gzip and zlib data in memory.
public enum Gzip {
  /// True where the bytes start as a gzip file does.
  public static func isCompressed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1f, 0x8b]) }

  /// The uncompressed bytes of a whole gzip or zlib buffer, checksums verified.
  ///
  /// - Parameters:
  ///   - limit: the most bytes that may come out, and the most memory that is taken; a small file can claim to inflate
  ///     to terabytes.
  ///   - name: the file's name, for the error.
  /// - Throws: `FormatError` where the data is damaged, ends early or inflates past the limit; `Interrupted`.
  public static func inflate(_ bytes: [UInt8], limit: Int, name: String) throws -> [UInt8] {
    let (inflated, failure) = run(bytes, capacity: min(limit, largest(bytes.count)))
    guard let failure else { return inflated }
    try failure.throwIfStopped()
    let tooLarge = failure.status == Int32(CIC_TOO_LARGE)
    throw FormatError.malformed(
      path: name,
      problem: tooLarge ? "the compressed data inflates past \(formatCount(limit)) bytes" : "gzip: \(failure.message)",
      fix: tooLarge ? "It is not the file that it claims to be" : FormatError.copyAgain)
  }

  /// The first `count` uncompressed bytes, or all where there are fewer. Checksums are not looked at. Throws as
  /// `inflate`.
  package static func prefix(_ bytes: [UInt8], count: Int, name: String) throws -> [UInt8] {
    let (inflated, failure) = run(bytes, capacity: count)
    if let failure, failure.status != Int32(CIC_TOO_LARGE) {
      try failure.throwIfStopped()
      throw FormatError.malformed(path: name, problem: "gzip: \(failure.message)", fix: FormatError.copyAgain)
    }
    return inflated
  }

  /// The most bytes that so many compressed bytes can become: Deflate makes at most 1032 bytes of one.
  package static func largest(_ count: Int) -> Int { count > Int.max / 1032 ? .max : 1032 * count }

  private static func run(_ bytes: [UInt8], capacity: Int) -> (inflated: [UInt8], failure: CodecCall.Failure?) {
    var failure: CodecCall.Failure?
    let inflated = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
      let result = CodecCall.run { message in
        var count = 0
        let status = cic_inflate(
          bytes, bytes.count, buffer.baseAddress, capacity, &count, { _, _ in Interruption.isRequested ? 1 : 0 },
          message)
        filled = count
        return (status, ())
      }
      if case .failure(let error) = result { failure = error }
    }
    return (inflated, failure)
  }

  /// CRC-32 as gzip, zip and PNG use it; `seed` is the checksum of what came before.
  public static func crc32(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 { cic_crc32(seed, bytes, bytes.count) }
}

/// Gives a C codec its message buffer and turns its status into a `Result`.
package enum CodecCall {
  package struct Failure: Error {
    package let status: Int32
    package let message: String

    /// - Throws: `Interrupted` where the codec stopped because the process was asked to.
    package func throwIfStopped() throws {
      if status == Int32(CIC_STOPPED) { try Interruption.check() }
    }
  }

  package static func run<Value>(_ body: (UnsafeMutablePointer<CChar>) -> (Int32, Value)) -> Result<Value, Failure> {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CIC_MESSAGE_CAPACITY)) { buffer in
      buffer.initialize(repeating: 0)
      guard let base = buffer.baseAddress else {
        return .failure(Failure(status: Int32(CIC_NO_MEMORY), message: "no buffer"))
      }
      let (status, value) = body(base)
      return status == Int32(CIC_OK)
        ? .success(value) : .failure(Failure(status: status, message: String(cString: base)))
    }
  }
}
