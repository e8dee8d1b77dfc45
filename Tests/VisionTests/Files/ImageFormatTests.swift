import Foundation
import TestFiles
import Testing
import Vision

@Suite struct ImageFormatTests {
  static let exact = [
    "lossless.webp", "clear.webp", "rgb.bmp", "rgba.bmp", "palette.bmp", "gray.bmp", "bits.bmp", "palette.gif",
    "transparent.gif",
    "interlaced.gif", "lzw.tif", "adobe_deflate.tif", "packbits.tif", "rgba.tif", "palette.tif", "gray.tif",
    "clear.png",
    "clear_gray.png", "clear_palette.png",
  ]
  /// With the sides of the first row and column that the file names; the tiles as 6.
  static let turned = (2...8).map { "turned\($0).tif" } + ["turned_tiles.tif"]

  /// Pixels and opacity as Pillow reads them; without alpha the same pixels.
  @Test(arguments: exact + turned) func equalsPillow(_ name: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("of_no_known_kind", try golden(name))
    let (image, alpha) = try DecodedImage.decodeWithAlpha(contentsOf: path)
    let size = name.contains(/turned([5-8]|_)/) ? [14, 20] : [20, 14]
    #expect([image.width, image.height] == size)
    #expect(image.pixels == (try golden("\(name).raw")))
    #expect(alpha == (try? golden("\(name).alpha")))
    #expect(try DecodedImage.decode(contentsOf: path) == image)
  }

  /// Versions of libwebp may round otherwise.
  @Test func lossyWebP() throws {
    let image = try DecodedImage.decode(try golden("lossy.webp"), name: "lossy.webp")
    let expected = try golden("lossy.webp.raw")
    try #require(image.pixels.count == expected.count)
    #expect(zip(image.pixels, expected).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
  }

  /// Short of the last bytes, which hold end marks and padding.
  @Test(arguments: exact + turned + ["lossy.webp"]) func cutAnywhereIsAnError(_ name: String) throws {
    let whole = try golden(name)
    for count in stride(from: 0, to: whole.count - 6, by: 3) {
      #expect(throws: DataError.self, "\(count) bytes") {
        _ = try DecodedImage.decode(Array(whole.prefix(count)), name: name)
      }
    }
  }

  @Test(arguments: exact + turned) func noiseNeverCrashes(_ name: String) throws {
    var noise = SystemRandomNumberGenerator()
    let whole = try golden(name)
    for _ in 0..<100 {
      var bytes = whole
      for _ in 0..<3 {
        bytes[Int.random(in: 2..<min(bytes.count, 200), using: &noise)] = .random(in: 0...255, using: &noise)
      }
      if let image = try? DecodedImage.decode(bytes, name: name) {
        #expect(image.pixels.count == image.width * image.height * image.channels)
      }
    }
  }

  @Test func extensions() {
    #expect(ImageFileExtension(of: "a/b.c/Photo.JFIF") == .readable)
    #expect(ImageFileExtension(of: "x.heic") == .unreadable)
    for name in ["png", "a.png/notes", "x.csv", ""] { #expect(ImageFileExtension(of: name) == .other, "\(name)") }
    #expect(Set(ImageFileExtension.readableExtensions).isDisjoint(with: ImageFileExtension.unreadableExtensions))
  }

  @Test func foldersHoldAllFormats() throws {
    let folder = try TemporaryFolder()
    for (name, file) in [
      ("rgb.bmp", "a.bmp"), ("lossless.webp", "b.webp"), ("lzw.tif", "c.tiff"), ("palette.gif", "d.gif"),
      ("colour.jpg", "e.jfif"),
    ] {
      try folder.write("train/dog/\(file)", try golden(name))
    }
    #expect(try ImageFolderFiles.read(folder.path, split: .train).count == 5)
  }
}
