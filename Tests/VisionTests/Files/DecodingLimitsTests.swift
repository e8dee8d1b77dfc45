import Formats
import Foundation
import Support
import Synchronization
import TestFiles
import Testing
@testable import Vision

/// Files that ask for much more than they hold, and files of which a part is lost.
@Suite struct DecodingLimitsTests {
  /// A PNG of no pixels: a header with a right checksum, and image data too short for it.
  private func hollowPNG(width: Int, height: Int) throws -> [UInt8] {
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    func chunk(_ kind: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(kind.utf8) + data
      return word(data.count) + body + word(Int(Gzip.crc32(body)))
    }
    let header = chunk("IHDR", word(width) + word(height) + [8, 2, 0, 0, 0])
    let data = chunk("IDAT", [0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1])
    return try Array(golden("rgb.png").prefix(8)) + header + data + chunk("IEND", [])
  }

  @Test func sizes() throws {
    func refusal(_ bytes: [UInt8], _ limits: DecodingLimits = DecodingLimits()) -> String {
      message { _ = try DecodedImage.decode(bytes, name: "x", limits: limits) }
    }
    #expect(
      try refusal(hollowPNG(width: 1, height: 268_435_456)).contains(
        "1 x 268435456 pixels, and the limit is 65535 a side"))
    #expect(try refusal(hollowPNG(width: 16_384, height: 16_384)).contains("100000000 in all"))
    let clock = ContinuousClock()
    let hollow = try hollowPNG(width: 10_000, height: 10_000)
    let spent = clock.measure { #expect(refusal(hollow).contains("more pixels than the file can hold")) }
    #expect(spent < .seconds(1))
    let few = DecodingLimits(pixels: 279)
    for name in ["rgb.png", "colour.jpg", "lossless.webp", "rgb.bmp", "palette.gif", "lzw.tif"] {
      #expect(
        try refusal(golden(name), few).contains("20 x 14 pixels, and the limit is 65535 a side and 279 in all"),
        "\(name)")
      _ = try DecodedImage.decode(try golden(name), name: name, limits: DecodingLimits(pixels: 280))
    }
    #expect(refusal(ppm(width: 20, height: 14, [1, 2, 3]), few).contains("20 x 14 pixels, and the limit"))
    let folder = try TemporaryFolder()
    let path = try folder.write("rgb.png", try golden("rgb.png"))
    var small = DecodingLimits()
    small.fileBytes = 80
    #expect(
      message { _ = try DecodedImage.decode(contentsOf: path, limits: small) }.contains(
        "it has 89 B, more than the 80 B"))
  }

  /// The positions of the start-of-scan markers.
  private func scans(_ jpeg: [UInt8]) -> [Int] {
    (0..<jpeg.count - 1).filter { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xda }
  }

  @Test func jpegOfManyScans() throws {
    let whole = try golden("progressive.jpg")
    var limits = DecodingLimits()
    limits.scans = 3
    #expect(message { _ = try DecodedImage.decode(whole, name: "x", limits: limits) }.contains("more than 3 scans"))
    // After the first scan, a code table of one code, and scans that say nothing of six blocks.
    let table: [UInt8] = [0xff, 0xc4, 0, 20, 0x10, 1] + [UInt8](repeating: 0, count: 15) + [0]
    let scan: [UInt8] = [0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0x03]
    let second =
      whole.indices.first { $0 > scans(whole)[0] + 12 && whole[$0] == 0xff && [0xc4, 0xda].contains(whole[$0 + 1]) }
      ?? 0
    let many =
      Array(whole[..<second]) + table + Array([[UInt8]](repeating: scan, count: 3_000).joined()) + [0xff, 0xd9]
    #expect(message { _ = try DecodedImage.decode(many, name: "x") }.contains("more than 100 scans"))
  }

  /// An end mark does not make a cut file whole.
  @Test func cutJPEGWithEndMark() throws {
    for name in ["colour.jpg", "gray.jpg", "progressive.jpg"] {
      let whole = try golden(name), scans = scans(whole)
      for count in (scans[0] + 14)..<whole.count - 4 {
        #expect(throws: DataError.self, "\(name) cut to \(count) bytes") {
          _ = try DecodedImage.decode(Array(whole.prefix(count)) + [0xff, 0xd9], name: name)
        }
      }
      for at in scans.dropFirst() {
        #expect(throws: DataError.self) {
          _ = try DecodedImage.decode(Array(whole.prefix(at)) + [0xff, 0xd9], name: name)
        }
      }
    }
  }

  @Test func decodersStopWhenAsked() throws {
    let png = try DecodedImage(width: 700, height: 700, channels: 1, pixels: [UInt8](repeating: 9, count: 490_000))
      .encodePNG()
    for checks in 0..<5 {
      #expect(throws: Interrupted.self, "\(checks)") {
        try Interruption.simulated(afterChecks: checks) { _ = try DecodedImage.decode(png, name: "x") }
      }
    }
    let zeros = try golden("zeros.gz")
    #expect(throws: Interrupted.self) {
      try Interruption.simulated { _ = try Gzip.inflate(zeros, limit: 10 << 20, name: "x") }
    }
  }

  @Test func memoryIsShared() {
    let budget = MemoryBudget(100)
    let held = Mutex((now: 0, most: 0))
    DispatchQueue.concurrentPerform(iterations: 40) { index in
      let bytes = index == 7 ? 500 : 40
      budget.take(bytes)
      held.withLock { $0 = ($0.now + bytes, max($0.most, $0.now + bytes)) }
      if index % 5 == 0 { usleep(200) }
      held.withLock { $0.now -= bytes }
      budget.give(bytes)
    }
    #expect(held.withLock { $0.most } == 500, "the large one alone")
    #expect(held.withLock { $0.now } == 0)
  }

  @Test func idxFilesInflateToWhatTheirHeaderSays() throws {
    let folder = try TemporaryFolder()
    let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2]
    try folder.write("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2, 9, 4])
    func read(_ bytes: [UInt8]) throws -> String {
      try folder.write("train-images-idx3-ubyte.gz", gzipStored(bytes))
      return message { _ = try IDXFiles.mnist.read(folder.path, split: .train) }
    }
    #expect(try read(header + [UInt8](repeating: 1, count: 40_000)).contains("inflates past 28 bytes"))
    #expect(try read(header + Array(1...11)).contains("27 bytes, expected 28"))
    let huge: [UInt8] = [0, 0, 8, 3, 0, 1, 0, 0, 0, 0, 0, 99, 0, 0, 0, 99]
    #expect(try read(huge + [1]).contains("more than it can inflate to"))
  }
}
