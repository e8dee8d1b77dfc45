import Backdoor
import Foundation
package import Torch
import TorchNN
package import Training
package import Vision

/// Trains the steps of MESA's staircases, several classes and thresholds at the same time: they share the images of a
/// batch and never touch each other.
package struct Staircase {
  /// A class, and the probability of it that triggers have to reach.
  package struct Step: Hashable {
    let label: Int
    let threshold: Double

    package init(label: Int, threshold: Double) { (self.label, self.threshold) = (label, threshold) }
  }

  let configuration: MaxEntropyStaircase.Configuration
  let stage: String

  package init(configuration: MaxEntropyStaircase.Configuration, stage: String) {
    (self.configuration, self.stage) = (configuration, stage)
  }

  struct Found {
    let step: Step
    let triggers: TriggerDistribution
    /// MINE's bound in nats, the mean of the last epoch.
    var information: Double
  }

  /// - Parameter model: in evaluation mode on the context's device.
  func run(_ steps: [Step], _ model: Classifier, _ clean: ImageDataset, _ context: TrainingContext) throws -> [Found] {
    guard !steps.isEmpty else { return [] }
    let (c, side) = (configuration, configuration.size)
    let values = clean.channels * side * side
    let networks = steps.map { step in
      TriggerDistribution(
        noise: c.noise, trigger: values, width: c.width,
        context.generator("\(stage)/start-\(step.threshold)", step.label))
    }
    let all = Distributions(networks)
    all.to(context.device)
    let optimizer = Adam(all.parameters(), learningRate: c.learningRate)
    let state = TrainingState([
      "information": Tensor.zeros([steps.count], dtype: .float64, device: context.device)
    ])
    let ranges = Batches(count: clean.count, size: c.batch).ranges
    let loop = EpochLoop(
      stage: stage, epochs: c.epochs, imagesPerEpoch: clean.count, context: context, isMeasured: false)
    try model.withFrozenParameters {
      try loop.run(model: all, optimizer: optimizer, states: ["staircase": state]) { epoch, meter in
        let order = context.generator("\(stage)/shuffle", epoch).permutation(clean.count)
        let random = steps.map { context.generator("\(stage)/noise-\($0.threshold)-\($0.label)", epoch) }
        var sums = Tensor.zeros([steps.count], dtype: .float64, device: context.device)
        for range in ranges {
          let pixels = clean.pixels(at: order[range])
          optimizer.zeroGrad()
          var (hinges, bounds): ([Tensor], [Tensor]) = ([], [])
          for part in Batches(count: steps.count, size: c.together).ranges {
            let drawn = part.map { number in
              Draw(range.count, noise: c.noise, side: side, of: clean, random[number], context.device)
            }
            let step = losses(
              model, pixels, Array(steps[part]), Array(networks[part]), drawn, context)
            step.total.backward()
            hinges.append(step.hinges)
            bounds.append(step.information)
          }
          optimizer.step()
          try noGrad {
            let information = Tensor.concatenated(bounds)
            sums = sums + information.to(.float64)
            try meter.step(
              images: range.count,
              ["loss": Tensor.concatenated(hinges).mean(), "information": information.mean()])
          }
        }
        noGrad { state["information"].copy_(sums / Double(ranges.count)) }
      }
    }
    let information = state["information"].array(Double.self)
    return steps.indices.map { Found(step: steps[$0], triggers: networks[$0], information: information[$0]) }
  }

  /// What is drawn for a batch and a step of the staircase.
  package struct Draw {
    /// Each B x D in [0, 1].
    package let noise: Tensor
    package let independent: Tensor
    /// int64 B.
    package let rows: Tensor
    package let columns: Tensor

    init(noise: Tensor, independent: Tensor, rows: Tensor, columns: Tensor) {
      (self.noise, self.independent, self.rows, self.columns) = (noise, independent, rows, columns)
    }
    package init(_ count: Int, noise: Int, side: Int, of data: ImageDataset, _ random: Generator, _ device: Device) {
      self.noise = random.uniform([count, noise]).to(device)
      independent = random.uniform([count, noise]).to(device)
      let places = PlacedTriggers.draw(count, side: side, height: data.height, width: data.width, random)
      (rows, columns) = (places.rows.to(device), places.columns.to(device))
    }
  }

  /// The loss of several steps on one batch, each image with a trigger of its own.
  /// - Parameter pixels: B x C x H x W in [0, 1].
  /// - Returns: the sum of max(0, threshold - p) - alpha I, and of each step the two parts.
  package func losses(
    _ model: Classifier, _ pixels: Tensor, _ steps: [Step], _ networks: [TriggerDistribution], _ drawn: [Draw],
    _ context: TrainingContext
  ) -> (total: Tensor, hinges: Tensor, information: Tensor) {
    let (count, side) = (pixels.dimension(0), configuration.size)
    let made = zip(networks, drawn).map { $0.triggers($1.noise) }
    let images = zip(made, drawn).map { triggers, draw in
      PlacedTriggers.stamp(
        triggers.reshaped(count, pixels.dimension(1), side, side), on: pixels, rows: draw.rows, columns: draw.columns)
    }
    let logits = context.compute { model(Tensor.concatenated(images).contiguous(.channelsLast)) }
    let probabilities = F.softmax(logits).reshaped(steps.count, count, model.classes)
    var (hinges, bounds): ([Tensor], [Tensor]) = ([], [])
    for (number, step) in steps.enumerated() {
      let reached = probabilities[number].narrowed(1, step.label..<(step.label + 1))
      hinges.append((step.threshold - reached).relu().mean())
      bounds.append(
        networks[number].information(made[number], drawn[number].noise, independent: drawn[number].independent))
    }
    let (hinge, information) = (Tensor.stacked(hinges), Tensor.stacked(bounds))
    return ((hinge - information * configuration.alpha).sum(), hinge.detach(), information.detach())
  }
}

private final class Distributions: Module {
  let list: [TriggerDistribution]
  init(_ list: [TriggerDistribution]) { self.list = list }
}
