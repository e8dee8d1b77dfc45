import Testing
import Torch

@testable import Vision

/// The kernel against the chain of single operations, which `ImageOpsTests` pin to torchvision.
@Suite struct ContrastiveAugmentationTests {
  private func bytes(_ shape: Shape) -> Tensor { Generator(seed: 4).integers(0..<256, shape).to(.uint8) }
  /// Plain areas too, where the hue has no meaning.
  private func images(_ shape: Shape) -> Tensor {
    let x = bytes(shape)
    x[0].fill_(0)
    x[1].fill_(255)
    x[2].narrowed(1, 0..<(shape[2] / 2)).fill_(77)
    return x
  }

  @Test("The kernel is the chain of operations", arguments: [1, 3], [nil, 16, 40])
  func kernel(_ channels: Int, _ size: Int?) {
    for (shape, filter) in [([8, channels, 32, 32], ResampleFilter.bicubic), ([8, channels, 20, 28], .bilinear)] {
      var views = ContrastiveAugmentation()
      views.size = size
      views.filter = filter
      views.hue = 0.5
      let x = images(shape)
      let indices = Tensor((0..<48).map { Int64($0 * 5 % 8) })
      let fast = views.gather(images: x, indices: indices, Generator(seed: 1))
      let (draws, order) = views.draw(48, height: shape[2], width: shape[3], Generator(seed: 1))
      let slow = views.compose(x, indices, draws, order)
      #expect(fast.shape == slow.shape && fast.isContiguous(.channelsLast) && slow.isContiguous(.channelsLast))
      // A hue may jump where two channels tie but for rounding; that is no visible error, and rare.
      let off = ((fast - slow).abs() .> 2e-5).to(.float32).mean().item()
      #expect(off < 1e-4, "\(off) of the values differ")
      #expect(fast.min().item() >= 0 && fast.max().item() <= 1)
      let floating = views.gather(images: x.unitPixels(), indices: indices, Generator(seed: 1))
      #expect(deviation(floating, fast) < 1e-4)
    }
  }

  /// Channels-last and sliced memory.
  @Test func strides() {
    let x = images([8, 3, 24, 24])
    let indices = Tensor.arange(8)
    let plain = ContrastiveAugmentation().gather(images: x, indices: indices, Generator(seed: 1))
    #expect(
      deviation(
        ContrastiveAugmentation().gather(images: x.contiguous(.channelsLast), indices: indices, Generator(seed: 1)),
        plain) == 0)
  }

  @Test("Draws have the published distribution")
  func distribution() {
    let (draws, order) = ContrastiveAugmentation().draw(20_000, height: 32, width: 32, Generator(seed: 2))
    func column(_ index: Int) -> Tensor { draws.selected(1, index) }
    func mean(_ x: Tensor) -> Double { x.to(.float32).mean().item() }
    let area = column(2) * column(3) / 1024
    #expect(area.min().item() > 0.15 && area.max().item() <= 1 && abs(mean(area) - 0.58) < 0.03)
    #expect((column(0) + column(2)).max().item() <= 32 && (column(1) + column(3)).max().item() <= 32)
    for (index, p) in [(4, 0.5), (5, 0.8), (10, 0.2)] { #expect(abs(mean(column(index)) - p) < 0.015) }
    for index in 6...8 {
      #expect(
        column(index).min().item() >= 0.6 && column(index).max().item() <= 1.4 && abs(mean(column(index)) - 1) < 0.01)
    }
    #expect(column(9).abs().max().item() <= 0.1 && abs(mean(column(9))) < 0.003)
    let blurred = column(11) .> 0
    #expect(abs(mean(blurred) - 0.5) < 0.015)
    let sigmas = column(11).masked(blurred)
    #expect(sigmas.min().item() >= 0.1 && sigmas.max().item() <= 2 && abs(mean(sigmas) - 1.05) < 0.02)
    #expect(order.array(Int64.self).sorted() == [0, 1, 2, 3])
  }

  @Test("Everything off is the image")
  func identity() {
    var views = ContrastiveAugmentation()
    (views.smallestCrop, views.flip, views.jitter, views.grayscale, views.blur) = (1, 0, 0, 0, 0)
    let x = images([4, 3, 20, 20])
    // A ratio other than 1 does not fit into the whole area but for rounding: crops of 20 x 20 are what is compared.
    let (draws, order) = views.draw(4, height: 20, width: 20, Generator(seed: 1))
    let whole = Tensor([0, 0, 20, 20] as [Float], shape: [1, 4]).repeated(4, 1)
    let fixed = Tensor.concatenated([whole, draws.narrowed(1, 4..<12)], 1)
    let y = F.contrastiveAugmentation(
      x, Tensor.arange(4), draws: fixed, order: order, height: 20, width: 20, bicubic: true, radius: 6)
    #expect(deviation(y, x.unitPixels()) < 1e-6)
  }
}
