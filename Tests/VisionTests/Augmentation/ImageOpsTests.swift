import TestFiles
import TestSupport
import Testing
import Torch
import Vision

/// Image operations with fixed factors against independent numpy formulas; see Tests/Goldens/make_augment.py.
@Suite("Image operations")
struct ImageOpsTests {
  let goldens: Golden
  let images: Tensor

  init() throws {
    goldens = try Golden("augment")
    images = try goldens.tensor("augment/images")
  }
  private func golden(_ name: String) throws -> Tensor { try goldens.tensor("augment/\(name)") }
  private func vector(_ value: Float) -> Tensor { Tensor([Float](repeating: value, count: 4)) }

  @Test("Colour")
  func colour() throws {
    let factors = try golden("factors")
    #expect(deviation(ImageOps.brightness(images, factors), try golden("brightness")) < 1e-6)
    #expect(deviation(ImageOps.contrast(images, factors), try golden("contrast")) < 1e-6)
    #expect(deviation(ImageOps.saturation(images, factors), try golden("saturation")) < 1e-6)
    #expect(deviation(ImageOps.grayscale(images), try golden("grayscale")) < 1e-6)
    #expect(deviation(ImageOps.hue(images, try golden("shifts")), try golden("hue")) < 1e-5)
  }

  @Test("Blur")
  func blur() throws {
    #expect(deviation(ImageOps.gaussianBlur(images, sigma: try golden("sigmas"), radius: 3), try golden("blur")) < 1e-6)
  }

  @Test("Resized crops")
  func resized() throws {
    for filter in ResampleFilter.allCases {
      let found = ImageOps.resizedCrop(images, boxes: try golden("boxes"), size: (6, 9), filter: filter)
      #expect(deviation(found, try golden(filter.rawValue)) < 1e-5, "\(filter)")
    }
  }

  @Test("Neutral factors change nothing")
  func neutral() {
    #expect(deviation(ImageOps.brightness(images, vector(1)), images) == 0)
    #expect(deviation(ImageOps.contrast(images, vector(1)), images) == 0)
    #expect(deviation(ImageOps.saturation(images, vector(1)), images) == 0)
    #expect(deviation(ImageOps.hue(images, vector(0)), images) < 1e-6)
    #expect(deviation(ImageOps.rotated(images, degrees: vector(0)), images) < 1e-5)
    #expect(deviation(ImageOps.gaussianBlur(images, sigma: vector(0.05), radius: 2), images) < 1e-6)
    let whole = Tensor([Float(0), 0, 8, 10]).reshaped(1, 4).expanded([4, 4])
    for filter in ResampleFilter.allCases {
      #expect(deviation(ImageOps.resizedCrop(images, boxes: whole, size: (8, 10), filter: filter), images) < 1e-6)
    }
  }

  @Test("A constant image stays constant under blur, also at its borders")
  func constant() {
    let flat = Tensor.full([4, 3, 8, 10], 0.3)
    #expect(deviation(ImageOps.gaussianBlur(flat, sigma: vector(2), radius: 7), flat) < 1e-6)
  }

  @Test("One channel has no colour")
  func gray() {
    let gray = images.narrowed(1, 0..<1)
    #expect(deviation(ImageOps.saturation(gray, vector(0)), gray) == 0)
    #expect(deviation(ImageOps.hue(gray, vector(0.3)), gray) == 0)
    #expect(deviation(ImageOps.grayscale(gray), gray) == 0)
    #expect(
      deviation(ImageOps.contrast(gray, vector(0)), gray.mean([1, 2, 3], keep: true).expanded(gray.shape)) < 1e-6)
  }

  @Test("A quarter turn is counter-clockwise, also of images that are not square")
  func rotation() {
    let square = images.narrowed(3, 0..<8)
    let quarter = square.flipped(3).transposed(2, 3)
    #expect(deviation(ImageOps.rotated(square, degrees: vector(90)), quarter) < 1e-5)
    #expect(deviation(ImageOps.rotated(images, degrees: vector(180)), images.flipped(2, 3)) < 1e-5)
    // 8 x 10, a quarter turn: the middle eight columns turn, one column is lost on either side and shows black on the
    // other axis.
    let turned = ImageOps.rotated(images, degrees: vector(90))
    #expect(deviation(turned.narrowed(3, 1..<9), images.narrowed(3, 1..<9).flipped(3).transposed(2, 3)) < 1e-5)
    #expect(turned.narrowed(3, 0..<1).abs().max().item() < 1e-5)
  }

  @Test("Cut out squares")
  func cutout() {
    let ones = Tensor.ones([3, 2, 8, 10])
    let out = ImageOps.cutout(ones, rows: Tensor([Int64(3), 0, 7]), columns: Tensor([Int64(5), 0, 9]), size: 4)
    #expect((1 - out).sum([1, 2, 3]).array(Float.self) == [32, 8, 18])
    #expect(out[0].narrowed(1, 1..<5).narrowed(2, 3..<7).max().item() == 0)
  }
}
