import Files
import Formats
import TestFiles
import Testing
import Vision

@Suite struct ImageCodecTests {
  @Test(arguments: [
    ("rgb", 3), ("rgba", 3), ("palette", 3), ("palette_transparent", 3), ("gray8", 1), ("gray_alpha", 1), ("gray1", 1),
    ("gray16", 1),
  ])
  func pngEqualsPillow(name: String, channels: Int) throws {
    let image = try DecodedImage.decode(try golden("\(name).png"), name: name)
    #expect(image.width == 20 && image.height == 14 && image.channels == channels)
    #expect(image.pixels == (try golden("\(name).raw")))
  }

  @Test(arguments: [("colour", 3), ("progressive", 3), ("gray", 1), ("cmyk", 3), ("cmyk_plain", 3)])
  func jpegIsWithinTwoLevelsOfPillow(name: String, channels: Int) throws {
    let image = try DecodedImage.decode(try golden("\(name).jpg"), name: name)
    let expected = try golden("\(name).raw")
    try #require(
      image.width == 20 && image.height == 14 && image.channels == channels && expected.count == image.pixels.count)
    let worst = zip(image.pixels, expected).map { abs(Int($0) - Int($1)) }.max() ?? 255
    #expect(worst <= 2)
    #expect(Set(image.pixels).count > 10)
  }

  @Test func pngRoundTrip() throws {
    let colour = ramp(width: 7, height: 5)
    let png = try colour.encodePNG()
    #expect(png.starts(with: [0x89, 0x50, 0x4e, 0x47]))
    #expect(try DecodedImage.decode(png, name: "colour") == colour)
    let gray = DecodedImage(width: 3, height: 2, channels: 1, pixels: [0, 1, 127, 128, 254, 255])
    #expect(try DecodedImage.decode(try gray.encodePNG(), name: "gray") == gray)
  }

  @Test func pnmWithCommentsAndSmallMaximum() throws {
    let text = Array("P6 # a comment\n# another 7 7\n2\t1\n255\n".utf8) + [1, 2, 3, 10, 11, 12]
    #expect(
      try DecodedImage.decode(text, name: "a.ppm")
        == DecodedImage(width: 2, height: 1, channels: 3, pixels: [1, 2, 3, 10, 11, 12]))
    let small = try DecodedImage.decode(Array("P5 3 1 3 ".utf8) + [0, 1, 3], name: "a.pgm")
    #expect(small.channels == 1 && small.pixels == [0, 85, 255])
    // The first sample may itself be a blank or a '#': only one blank ends the header.
    #expect(try DecodedImage.decode(Array("P5 2 1 255\n".utf8) + [10, 35], name: "b.pgm").pixels == [10, 35])
  }

  @Test func pnmDamage() {
    func decode(_ text: String) -> String { message { _ = try DecodedImage.decode(Array(text.utf8), name: "x.ppm") } }
    #expect(decode("P6 2 2 255\nabc").contains("x.ppm: 14 bytes, expected 23 (a header of 11 bytes and 2x2x3 samples)"))
    #expect(decode("P6 2 2 65535\nabcdefghijkl").contains("largest value 65535, expected 1 to 255"))
    #expect(decode("P6 2").contains("no height"))
    #expect(decode("P6 -2 2 255\n").contains("no width"))
    #expect(decode("P6 999999999 999999999 255\n").contains("999999999 x 999999999 pixels"))
    #expect(decode("P6 0 2 255\n").contains("0 x 2 pixels"))
    #expect(decode("P5 1 1 3 z").contains("larger than the largest value 3"))
    #expect(decode("P6").contains("no width"))
  }

  @Test func damagedFilesAreErrorsAtEveryLength() throws {
    for name in ["palette.png", "rgb.png", "colour.jpg", "progressive.jpg"] {
      let whole = try golden(name)
      // The last two bytes of a JPEG are its end mark; a PNG ends in a chunk of 12 bytes.
      for count in 0..<whole.count - 2 {
        #expect(throws: DataError.self, "\(name) cut to \(count) bytes") {
          _ = try DecodedImage.decode(Array(whole.prefix(count)), name: name)
        }
      }
    }
    var flipped = try golden("rgb.png")
    flipped[60] ^= 1
    #expect(message { _ = try DecodedImage.decode(flipped, name: "flipped.png") }.contains("flipped.png: PNG:"))
  }

  @Test func noiseNeverCrashes() throws {
    var noise = SystemRandomNumberGenerator()
    for name in ["palette.png", "gray16.png", "colour.jpg", "progressive.jpg", "cmyk.jpg"] {
      let whole = try golden(name)
      for _ in 0..<300 {
        var bytes = whole
        for _ in 0..<3 { bytes[Int.random(in: 3..<bytes.count, using: &noise)] = .random(in: 0...255, using: &noise) }
        if let image = try? DecodedImage.decode(bytes, name: name) {
          #expect(image.pixels.count == image.width * image.height * image.channels)
        }
      }
    }
  }

  @Test func absurdSizeIsRefusedBeforeMemoryIsTaken() throws {
    // IHDR of 2,000,000 x 2,000,000 pixels, with its right checksum.
    var png = Array(try golden("rgb.png").prefix(33))
    png.replaceSubrange(16..<24, with: [0, 0x1e, 0x84, 0x80, 0, 0x1e, 0x84, 0x80])
    let sum = Gzip.crc32(Array(png[12..<29]))
    png.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * $0)) })
    // An empty IDAT chunk in place of image data: the refusal must come from the header.
    let big = png + [0, 0, 0, 0, 0x49, 0x44, 0x41, 0x54, 0x35, 0xaf, 0x06, 0x1e]
    #expect(
      message { _ = try DecodedImage.decode(big, name: "big.png") }.contains(
        "2000000 x 2000000 pixels, and the limit is 65535 a side"))
  }

  @Test func otherFilesAreNamed() throws {
    #expect(
      message { _ = try DecodedImage.decode([], name: "e.png") }
        == "e.png: the file is empty. The file is damaged: copy or download it again.")
    #expect(
      message { _ = try DecodedImage.decode(Array("<svg>".utf8), name: "g.png") }.contains(
        "starts with the bytes 3c 73 76 67"))
    #expect(message { _ = try DecodedImage.decode([0x47], name: "g.png") }.contains("bytes 47."))
    let folder = try TemporaryFolder()
    try folder.write("photo.jpeg", [1])
    #expect(
      message { _ = try DecodedImage.decode(contentsOf: folder.path + "/photo.jpg") }
        .contains("Did you mean \(folder.path)/photo.jpeg?"))
    #expect(message { _ = try DecodedImage.decode(contentsOf: folder.path) }.contains("it is a folder"))
  }

  @Test func gzip() throws {
    #expect(Gzip.crc32(Array("123456789".utf8)) == 0xcbf4_3926)
    #expect(Gzip.crc32(Array("6789".utf8), seed: Gzip.crc32(Array("12345".utf8))) == 0xcbf4_3926)
    let plain = (0..<5_000).map { UInt8($0 * $0 & 255) }
    let packed = gzipStored(plain)
    #expect(same(try Gzip.inflate(packed, limit: 5_000, name: "a.gz"), plain))
    #expect(same(try Gzip.inflate(packed + packed, limit: 1 << 20, name: "a.gz"), plain + plain))
    #expect(try Gzip.inflate(gzipStored([]), limit: 0, name: "a.gz") == [])
    #expect(
      message { _ = try Gzip.inflate(packed, limit: 4_999, name: "a.gz") }.contains("inflates past 4,999 bytes"))
    #expect(
      message { _ = try Gzip.inflate(packed + [0, 0], limit: 1 << 20, name: "a.gz") }.contains("other bytes follow"))
    for count in [0, 1, 9, 100, packed.count - 8, packed.count - 1] {
      #expect(
        message { _ = try Gzip.inflate(Array(packed.prefix(count)), limit: 1 << 20, name: "a.gz") }.contains(
          "ends early"))
    }
    var wrong = packed
    wrong[100] ^= 1
    #expect(message { _ = try Gzip.inflate(wrong, limit: 1 << 20, name: "a.gz") }.contains("incorrect data check"))
    // 10 MiB of zeros in 10 kB, made by zlib: too large for the limit, and refused before it is all in memory.
    #expect(
      message { _ = try Gzip.inflate(try golden("zeros.gz"), limit: 1 << 20, name: "zeros.gz") }.contains(
        "past 1,048,576 bytes"))
    let zeros = try Gzip.inflate(try golden("zeros.gz"), limit: 10 << 20, name: "zeros.gz")
    #expect(same(zeros, [UInt8](repeating: 0, count: 10 << 20)))
  }
}
