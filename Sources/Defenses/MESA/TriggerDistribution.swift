import Backdoor
import Foundation
package import Torch
package import TorchNN

/// One step of MESA's staircase: a generator of small triggers, and the network that estimates how much a trigger says
/// about the noise that it was made from, which for a generator without noise of its own is the triggers' entropy but for
/// a constant.
package final class TriggerDistribution: Module {
  let generator: [Linear]
  let statistics: [Linear]
  let noise: Int

  /// - Parameters:
  ///   - noise: numbers that a trigger is made from; trigger: values of a trigger; width: of the hidden layers.
  package init(noise: Int, trigger: Int, width: Int, _ random: Generator) {
    self.noise = noise
    generator = [
      Linear(noise, width, random), Linear(width, width, random), Linear(width, trigger, random),
    ]
    statistics = [
      Linear(trigger + noise, width, random), Linear(width, width, random), Linear(width, 1, random),
    ]
  }

  /// Triggers, B x P in (0, 1), from noise, B x D in [0, 1].
  func triggers(_ noise: Tensor) -> Tensor { Self.apply(generator, noise).sigmoid() }

  /// MINE's lower bound of the mutual information of triggers and their noise, in nats (Belghazi et al. 2018, equation
  /// 10, Donsker and Varadhan): E[T(x, z)] - log E[exp T(x, z')], z' independent of x.
  func information(_ triggers: Tensor, _ noise: Tensor, independent: Tensor) -> Tensor {
    func statistic(_ noise: Tensor) -> Tensor {
      Self.apply(statistics, Tensor.concatenated([triggers, noise], 1)).squeezed(1)
    }
    let apart = statistic(independent)
    let largest = apart.detach().max()
    return statistic(noise).mean() - (apart - largest).exp().mean().log() - largest
  }

  private static func apply(_ layers: [Linear], _ input: Tensor) -> Tensor {
    var x = input
    for (number, layer) in layers.enumerated() {
      if number > 0 { x = x.relu() }
      x = layer(x)
    }
    return x
  }
}

/// Square triggers at places of their own.
enum PlacedTriggers {
  /// The images with the triggers on them. Differentiable in the triggers.
  /// - Parameters:
  ///   - images: B x C x H x W; triggers: B x C x S x S.
  ///   - rows, columns: int64 B, the place of each trigger's first pixel.
  static func stamp(_ triggers: Tensor, on images: Tensor, rows: Tensor, columns: Tensor) -> Tensor {
    let side = triggers.dimension(2)
    // B x length x S: 1 where a pixel of the axis shows the trigger's i-th.
    func selection(_ first: Tensor, _ length: Int) -> Tensor {
      let wanted = first.unsqueezed(1) + Tensor.arange(side, device: first.device).unsqueezed(0)
      return (Tensor.arange(length, device: first.device).reshaped(1, length, 1) .== wanted.unsqueezed(1))
        .to(.float32)
    }
    let (down, across) = (selection(rows, images.dimension(2)), selection(columns, images.dimension(3)))
    let placed = down.unsqueezed(1).matmul(triggers).matmul(across.transposed(1, 2).unsqueezed(1))
    let covered = down.sum([2]).unsqueezed(2) * across.sum([2]).unsqueezed(1)
    return images * (1 - covered.unsqueezed(1)) + placed
  }

  /// Places for so many triggers, each that holds it whole equally likely.
  static func draw(_ count: Int, side: Int, height: Int, width: Int, _ random: Generator) -> (
    rows: Tensor, columns: Tensor
  ) {
    (random.places(side: side, of: height, [count]), random.places(side: side, of: width, [count]))
  }
}
