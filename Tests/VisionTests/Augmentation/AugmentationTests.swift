import TestSupport
import Testing
import Torch
import Vision

@Suite("Augmentations")
struct AugmentationTests {
  static let all: [(name: String, make: any Augmentation)] = [
    ("CropFlip", CropFlip()), ("CropFlip reflect", CropFlip(mode: .reflect)), ("flip", CropFlip(padding: 0)),
    ("RandomResizedCrop", RandomResizedCrop()), ("RandomResizedCrop bicubic", RandomResizedCrop(filter: .bicubic)),
    ("RandomRotation", RandomRotation(degrees: 15)), ("ContrastiveAugmentation", ContrastiveAugmentation()),
    ("Cutout", Cutout(size: 8)),
  ]
  /// An augmentation and settings under which it is the identity.
  static let identities: [(name: String, make: any Augmentation)] = [
    ("CropFlip", CropFlip(padding: 0, flip: false)),
    ("RandomResizedCrop", RandomResizedCrop(scale: 1...1, ratio: 1...1)),
    ("RandomResizedCrop bicubic", RandomResizedCrop(scale: 1...1, ratio: 1...1, filter: .bicubic)),
    ("RandomRotation", RandomRotation(degrees: 0)),
  ]

  @Test("Identity settings change nothing", arguments: identities.indices)
  func identity(_ index: Int) {
    let (name, augmentation) = Self.identities[index]
    let x = Generator(seed: 2).uniform([6, 3, 20, 20])
    #expect(deviation(augmentation(x, Generator(seed: 1)), x) < 1e-5, "\(name)")
  }

  @Test(
    "Same seed, same result; shape and range stay; every image draws for itself; the input stays as it is",
    arguments: all.indices)
  func draws(_ index: Int) {
    let (name, augmentation) = Self.all[index]
    let x = Generator(seed: 2).uniform([1, 3, 24, 24]).repeated(64, 1, 1, 1)
    let before = x.clone()
    let y = augmentation(x, Generator(seed: 1))
    #expect(y.shape == x.shape, "\(name)")
    #expect(y.dtype == .float32)
    #expect(y.min().item() >= 0 && y.max().item() <= 1, "\(name)")
    #expect(deviation(augmentation(x, Generator(seed: 1)), y) == 0, "\(name)")
    #expect(deviation(augmentation(x, Generator(seed: 2)), y) > 0, "\(name)")
    #expect(deviation(x, before) == 0, "\(name)")
    let kinds = Set((0..<64).map { i in y[i].sum().item() * 3 + (y[i] * pattern([3, 24, 24], 0)).sum().item() })
    #expect(kinds.count >= 2, "\(name)")
    if name != "flip" { #expect(kinds.count > 16, "\(name)") }
    let continued = Generator(seed: 1)
    _ = augmentation(x, continued)
    #expect(deviation(augmentation(x, continued), y) > 0, "\(name)")
  }

  @Test("One channel and sizes that are not square", arguments: all.indices)
  func otherShapes(_ index: Int) {
    let (name, augmentation) = Self.all[index]
    for shape in [[5, 1, 28, 28], [5, 3, 16, 24]] {
      let y = augmentation(Generator(seed: 2).uniform(shape), Generator(seed: 1))
      #expect(y.shape == shape, "\(name)")
      #expect(y.isFinite().all().intItem() == 1, "\(name)")
    }
  }

  @Test("Random parts keep to their areas and ratios and lie everywhere")
  func parts() {
    // A ramp in each direction: its slope in the result is the part's extent, its value in the middle the part's place.
    let side = 64
    let ramp = (Tensor.arange(side, dtype: .float32) + 0.5) / Double(side)
    let n = 3000
    let x = Tensor.stacked([
      ramp.reshaped(1, side).expanded([side, side]), ramp.reshaped(side, 1).expanded([side, side]),
    ]).unsqueezed(0)
      .expanded([n, 2, side, side])
    let y = RandomResizedCrop(scale: 0.2...1)(x, Generator(seed: 6))
    let (middle, next) = (side / 2, side / 2 + 1)
    let width =
      ((y.selected(1, 0).selected(1, 0).selected(1, next) - y.selected(1, 0).selected(1, 0).selected(1, middle))
      * Double(side))
      .array(Float.self)
    let height =
      ((y.selected(1, 1).selected(1, next).selected(1, 0) - y.selected(1, 1).selected(1, middle).selected(1, 0))
      * Double(side))
      .array(Float.self)
    let areas = zip(width, height).map { $0 * $1 }
    let ratios = zip(width, height).map { $0 / $1 }
    #expect(areas.allSatisfy { $0 > 0.18 && $0 < 1.02 })
    #expect(ratios.allSatisfy { $0 > 0.71 && $0 < 1.41 })
    #expect(areas.contains { $0 < 0.25 } && areas.contains { $0 > 0.9 })
    #expect(ratios.contains { $0 < 0.8 } && ratios.contains { $0 > 1.25 })
    let centres =
      ((y.selected(1, 0).selected(1, 0).selected(1, middle) + y.selected(1, 0).selected(1, 0).selected(1, middle - 1))
      / 2)
      .array(Float.self)
    #expect(abs(centres.reduce(0, +) / Float(n) - 0.5) < 0.01)
    #expect(centres.contains { $0 < 0.3 } && centres.contains { $0 > 0.7 })
  }

  @Test("A part whose ratio cannot fit is taken from the middle")
  func fallback() {
    let x = Generator(seed: 2).uniform([2, 3, 4, 40])
    let y = RandomResizedCrop(size: 4, scale: 1...1, ratio: 1...1)(x, Generator(seed: 1))
    #expect(deviation(y, x.narrowed(3, 18..<22)) < 1e-5)
  }
}
