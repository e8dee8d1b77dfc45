import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Two epochs of a training written out: order, crops, mirroring, loss, gradients, clipping, learning rates and the
/// three optimizers by their published formulas. Every setting of the recipe is off its default in one of the cases.
@Suite struct TrainerTwinTests {
  private static func recipe(_ edit: (inout Recipe) -> Void) -> Recipe {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.learningRate, recipe.weightDecay) = (2, 9, 0.04, 0.03)
    (recipe.momentum, recipe.labelSmoothing, recipe.crop, recipe.flip) = (0.7, 0.15, 2, true)
    edit(&recipe)
    return recipe
  }
  static let recipes = [
    recipe {
      ($0.schedule, $0.period, $0.dropLast, $0.clipNorm) = (.cosine, 3, false, 0.6)
    },
    recipe {
      ($0.schedule, $0.period, $0.nesterov, $0.crop) = (.cosine, nil, false, 3)
    },
    recipe {
      ($0.schedule, $0.milestones, $0.gamma, $0.nesterov, $0.flip) = (.multiStep, [1], 0.3, false, false)
      ($0.epochs, $0.dropLast) = (3, false)
    },
    recipe {
      ($0.schedule, $0.warmup, $0.momentum, $0.labelSmoothing) = (.oneCycle, 0.6, 0, 0)
    },
    recipe {
      ($0.optimizer, $0.schedule, $0.clipNorm, $0.crop) = (.adam, .constant, 0.5, 0)
    },
    recipe {
      ($0.optimizer, $0.schedule, $0.warmup, $0.dropLast, $0.weightDecay) = (.adamw, .oneCycle, 0.3, false, 0.5)
    },
  ]

  /// 31 images: three batches of nine, and a last one of four.
  private let data = ImageDataset.tiny(count: 31, size: 10)

  @Test(arguments: recipes) func twoEpochsByHand(_ recipe: Recipe) throws {
    let context = TrainingContext(precision: .float32, seed: 5)
    let (model, twin) = (WithDropout(for: data, seed: 3), WithDropout(for: data, seed: 3))
    var losses: [Double] = []
    context.onEpoch = { losses += $0.values.filter { $0.key == "loss" }.map(\.value) }
    try Trainer(recipe, stage: "stage").train(model, on: data, context: context)

    let parameters = twin.parameters()
    let optimizer = ByHand(recipe, parameters)
    let steps = recipe.dropLast ? 3 : 4
    var expected: [Double] = []
    twin.train()
    for epoch in 0..<recipe.epochs {
      let order = context.generator("stage/shuffle", epoch).permutation(31).array(Int64.self).map(Int.init)
      let draws = context.generator("stage/augment", epoch)
      twin.reseedDropout(context.seed("stage/dropout", epoch))
      var sum = 0.0
      for step in 0..<steps {
        let rows = Array(order[(9 * step)..<min(9 * step + 9, 31)])
        let labels = data.labels[Tensor(rows.map { Int64($0) })]
        let logits = twin(augmented(rows, recipe, draws))
        let targets = labels.oneHot(4).to(.float32) * (1 - recipe.labelSmoothing) + recipe.labelSmoothing / 4
        let loss = -(targets * logits).sum() / Double(rows.count) + logits.exp().sum([1]).log().mean()
        for parameter in parameters { parameter.grad = nil }
        loss.backward()
        optimizer.step(rate: rate(recipe, epoch: epoch, step: step, of: steps))
        sum += loss.item() * Double(rows.count)
      }
      expected.append(sum / Double(recipe.dropLast ? 27 : 31))
    }
    for (found, expected) in zip(model.namedParameters(), twin.namedParameters()) {
      expectClose(found.tensor.detach(), expected.tensor.detach(), tolerance: 2e-5, found.key)
    }
    #expect(losses.count == expected.count)
    for (found, expected) in zip(losses, expected) { expectClose(found, expected, tolerance: 2e-5) }
  }

  /// Zeros around the image, a window at a drawn place, mirrored by a drawn bit; one draw an image.
  private func augmented(_ rows: [Int], _ recipe: Recipe, _ draws: Generator) -> Tensor {
    let (count, border) = (rows.count, recipe.crop)
    let corners = draws.integers(0..<(2 * border + 1), [2, count]).array(Int64.self).map(Int.init)
    let bits = recipe.flip ? draws.integers(0..<2, [1, count]).array(Int64.self) : [Int64](repeating: 0, count: count)
    return Tensor.concatenated(
      rows.enumerated().map { position, row in
        let wide = Tensor.zeros([1, 3, 10 + 2 * border, 10 + 2 * border])
        wide.narrowed(2, border..<(border + 10)).narrowed(3, border..<(border + 10)).copy_(data.pixels(row..<(row + 1)))
        let (top, left) = (corners[position], corners[count + position])
        let window = wide.narrowed(2, top..<(top + 10)).narrowed(3, left..<(left + 10))
        return bits[position] == 1 ? window.flipped(3) : window
      })
  }

  private func rate(_ recipe: Recipe, epoch: Int, step: Int, of steps: Int) -> Double {
    switch recipe.schedule {
    case .constant: return 0.04
    case .cosine: return 0.02 * (1 + cos(.pi * Double(epoch) / Double(recipe.period ?? recipe.epochs)))
    case .multiStep: return 0.04 * pow(recipe.gamma, Double(recipe.milestones.count { $0 <= epoch }))
    case .oneCycle:
      // From 1/25 of the peak up to it in a share of all steps, then down to 1/10,000 of the start, along cosines.
      let (total, now) = (Double(recipe.epochs * steps), Double(epoch * steps + step))
      let peak = recipe.warmup * total - 1
      func between(_ from: Double, _ to: Double, _ share: Double) -> Double {
        to + (from - to) / 2 * (1 + cos(.pi * share))
      }
      return now <= peak
        ? between(0.04 / 25, 0.04, now / peak) : between(0.04, 0.04 / 25 / 1e4, (now - peak) / (total - 1 - peak))
    }
  }
}

/// SGD (Sutskever et al. 2013, as PyTorch has it), Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019).
private final class ByHand {
  private let recipe: Recipe
  private let parameters: [Tensor]
  private var first: [Tensor?]
  private var second: [Tensor?]
  private var steps = 0.0

  init(_ recipe: Recipe, _ parameters: [Tensor]) {
    (self.recipe, self.parameters) = (recipe, parameters)
    first = parameters.map { _ in nil }
    second = first
  }

  func step(rate: Double) {
    noGrad {
      steps += 1
      let (beta, decay) = (recipe.momentum, recipe.weightDecay)
      let norm = parameters.reduce(0.0) { $0 + ($1.grad?.square().sum().item() ?? 0) }.squareRoot()
      let scale = recipe.clipNorm.map { min(1, $0 / norm) } ?? 1
      for (index, parameter) in parameters.enumerated() {
        guard var gradient = parameter.grad.map({ $0 * scale }) else { continue }
        if recipe.optimizer != .adamw { gradient = gradient + parameter * decay }
        if recipe.optimizer == .sgd {
          let velocity = first[index].map { $0 * beta + gradient } ?? gradient
          first[index] = velocity
          parameter.sub_((recipe.nesterov ? gradient + velocity * beta : velocity) * rate)
          continue
        }
        if recipe.optimizer == .adamw { parameter.mul_(1 - rate * decay) }
        first[index] = (first[index] ?? gradient * 0) * beta + gradient * (1 - beta)
        second[index] = (second[index] ?? gradient * 0) * 0.999 + gradient.square() * 0.001
        guard let mean = first[index], let square = second[index] else { continue }
        let deviation = (square / (1 - pow(0.999, steps))).sqrt() + 1e-8
        parameter.sub_(mean / (1 - pow(beta, steps)) / deviation * rate)
      }
    }
  }
}
