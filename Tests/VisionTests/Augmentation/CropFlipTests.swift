import TestSupport
import Testing
import Torch
import Vision

@Suite("Crop and flip")
struct CropFlipTests {
  static let modes: [PadMode] = [.constant, .reflect]

  private func bytes(_ shape: Shape, seed: UInt64 = 1) -> Tensor {
    Generator(seed: seed).integers(0..<256, shape).to(.uint8)
  }

  @Test("Crops at given places", arguments: modes, [MemoryFormat.contiguous, .channelsLast])
  func places(_ mode: PadMode, _ format: MemoryFormat) throws {
    let goldens = try Golden("augment")
    let images = try goldens.tensor("augment/images").contiguous(format)
    let places = try goldens.tensor("augment/places")
    let expected = try goldens.tensor("augment/crop_\(mode)")
    let all = Tensor.arange(4)
    #expect(deviation(F.cropFlip(images, all, places: places, padding: 2, mode: mode), expected) == 0)
    // With a gradient, by tensor operations.
    let leaf = images.clone().requiresGrad_()
    let byOperations = F.cropFlip(leaf, all, places: places, padding: 2, mode: mode)
    #expect(deviation(byOperations, expected) == 0)
    #expect(gradient(of: byOperations.sum(), at: leaf).shape == images.shape)
  }

  @Test("Bytes become floats with 255 as 1, in channels_last memory, row by index")
  func conversion() {
    let data = bytes([20, 3, 9, 12])
    let index = Tensor([Int64(3), 19, 3, 0])
    let x = CropFlip(padding: 0, flip: false).gather(images: data, indices: index, Generator(seed: 1))
    #expect(x.shape == [4, 3, 9, 12])
    #expect(x.dtype == .float32)
    #expect(x.isContiguous(.channelsLast))
    #expect(deviation(x, data[index].unitPixels()) == 0)
    #expect(x.max().item() <= 1 && x.min().item() >= 0)
    #expect(
      CropFlip().gather(images: data, indices: Tensor.zeros([0], dtype: .int64), Generator(seed: 1)).shape == [
        0, 3, 9, 12,
      ])
  }

  @Test("Every place is equally likely, and mirroring hits half", arguments: modes)
  func distribution(_ mode: PadMode) {
    // One bright pixel tells where the crop lies; beside it a darker one tells the direction.
    let image = Tensor.zeros([1, 1, 16, 16])
    image.put_([Tensor([Int64(0)]), Tensor([Int64(0)]), Tensor([Int64(8)]), Tensor([Int64(8)])], Tensor([Float(1)]))
    image.put_([Tensor([Int64(0)]), Tensor([Int64(0)]), Tensor([Int64(8)]), Tensor([Int64(9)])], Tensor([Float(0.5)]))
    let n = 20_000
    let x = CropFlip(padding: 2, mode: mode).gather(
      images: image, indices: Tensor.zeros([n], dtype: .int64), Generator(seed: 4))
    let at = x.contiguous().reshaped(n, 256).argmax(1)
    let mirrored = ((x.contiguous().reshaped(n, 256).gathered(1, at.reshaped(n, 1) - 1)) .== 0.5).to(.float32).mean()
      .item()
    #expect(abs(mirrored - 0.5) < 0.02)
    let rows = (at.to(.float32) / 16).floor().to(.int64).bincount(minimumLength: 16).array(Int64.self)
    #expect(rows.indices.filter { rows[$0] > 0 } == [6, 7, 8, 9, 10])
    #expect(rows.filter { $0 > 0 }.allSatisfy { abs(Double($0) / Double(n) - 0.2) < 0.02 })
    let columns = at.remainder(16).bincount(minimumLength: 16).array(Int64.self)
    #expect(columns.filter { $0 > 0 }.reduce(0, +) == Int64(n))
    #expect(columns.indices.filter { columns[$0] > 0 } == [5, 6, 7, 8, 9, 10])
  }

  @Test("The whole data set as one batch is the augmentation of the batch")
  func asAugmentation() {
    let data = bytes([32, 3, 16, 16])
    let gathered = CropFlip().gather(images: data, indices: Tensor.arange(32), Generator(seed: 9))
    #expect(deviation(CropFlip()(data.to(.float32) / 255, Generator(seed: 9)), gathered) < 1e-6)
  }
}
