import Foundation
public import Support
public import Torch
import TorchNN
@testable public import Training
public import Vision

/// MixMatch written out from Berthelot et al. 2019 (algorithm 1, equations 2 to 7) and the choices that the
/// decoupled-training paper's code makes, to hold `MixMatch.train` against: the labels of an image enter with its share
/// of a mixture, groups are interleaved before they pass the network.
public struct MixMatchTwin {
  public let settings: MixMatch
  public let stage: String
  public let seed: Seed
  public let flip: Bool
  /// Every mixing ratio as it was drawn, and mean losses of each epoch.
  public private(set) var ratios: [Double] = []
  public private(set) var losses: [(labeled: Double, unlabeled: Double, all: Double)] = []
  /// The mixtures of whole batches that had an image with a label and one without as partners.
  public private(set) var across = 0

  public init(_ settings: MixMatch, stage: String, seed: Seed, flip: Bool) {
    (self.settings, self.stage, self.seed, self.flip) = (settings, stage, seed, flip)
  }

  /// - Parameter credible: positions whose labels count in an epoch, in the order of the split, then the others.
  public mutating func run(
    _ model: Classifier, _ data: ImageDataset, split: (_ epoch: Int) -> (credible: [Int64], other: [Int64])
  ) {
    let (size, k) = (settings.batch, settings.views)
    model.to(.channelsLast)
    let adam = Adam(model.parameters(), learningRate: settings.learningRate)
    let crops = CropFlip(padding: settings.crop, mode: .reflect, flip: flip)
    for epoch in 0..<settings.epochs {
      let (credible, other) = split(epoch)
      let shuffle = Generator(seed: seed("\(stage)/shuffle", epoch))
      func order(_ positions: [Int64]) -> [Int64] {
        var result: [Int64] = []
        while result.count < settings.iterations * size {
          result += shuffle.permutation(positions.count).array(Int64.self).map { positions[Int($0)] }
        }
        return result
      }
      let (labeled, unlabeled) = (order(credible), order(other))
      let draws = Generator(seed: seed("\(stage)/augment", epoch))
      var beta = seed.generator("\(stage)/mix", epoch)
      let angle = Double.pi * Double(epoch) / Double(settings.epochs)
      adam.learningRate = settings.learningRate * (settings.schedule == .cosine ? (1 + cos(angle)) / 2 : 1)
      var sums = (labeled: 0.0, unlabeled: 0.0, all: 0.0)
      model.train()
      for iteration in 0..<settings.iterations {
        let rows = (iteration * size)..<((iteration + 1) * size)
        func images(_ positions: [Int64]) -> Tensor {
          crops.gather(images: data.images, indices: Tensor(Array(positions[rows])), draws)
        }
        let x = images(labeled)
        let views = (0..<k).map { _ in images(unlabeled) }
        // Equation 6 and 7: one guess for all views.
        let guess = noGrad { () -> Tensor in
          model.train(settings.guess == .batch)
          let mean = views.map { F.softmax(model($0), 1) }.reduce(Tensor(0), +) / Double(k)
          let power = (mean.log() / settings.temperature).exp()
          model.train()
          return power / power.sum([1], keep: true)
        }
        let given = Tensor(rows.map { labeled[$0] })
        let labels = data.labels[given].array(Int64.self)
        let targets = (0..<size).map { row in (0..<data.classes).map { Float(labels[row] == Int64($0) ? 1 : 0) } }
        let w = Tensor.concatenated([x] + views)
        let t = Tensor.concatenated(
          [Tensor(targets.flatMap { $0 }, shape: [size, data.classes])] + views.map { _ in guess })
        // Equation 8: the larger share is the image's own.
        let drawn = beta.beta(settings.mixing)
        ratios.append(drawn)
        let ratio = drawn < 0.5 ? 1 - drawn : drawn
        let partner = draws.permutation(size * (1 + k))
        across += zip(0..., partner.array(Int64.self)).contains { ($0 < size) != (Int($1) < size) } ? 1 : 0
        let mixed = w * ratio + w[partner] * (1 - ratio)
        let mixedTargets = t * ratio + t[partner] * (1 - ratio)
        // Groups and their parts: [group][part], part i of group i exchanged with part i of the first.
        var lengths = [Int](repeating: size / (k + 1), count: k + 1)
        for i in 0..<(size % (k + 1)) { lengths[k - i] += 1 }
        var parts = (0...k).map { group in
          var start = group * size
          return lengths.map { length -> [Int64] in
            defer { start += length }
            return (start..<(start + length)).map(Int64.init)
          }
        }
        for i in 1...k { (parts[0][i], parts[i][i]) = (parts[i][i], parts[0][i]) }
        var logits = [Tensor?](repeating: nil, count: size * (k + 1))
        for group in parts {
          let members = group.flatMap { $0 }
          let output = model(mixed[Tensor(members)].contiguous(.channelsLast))
          for (place, row) in members.enumerated() { logits[Int(row)] = output[place..<(place + 1)] }
        }
        let z = Tensor.concatenated(logits.compactMap { $0 })
        let rest = size..<(size * (k + 1))
        let labeledLoss = -(mixedTargets[0..<size] * F.logSoftmax(z[0..<size], 1)).sum() / Double(size)
        let difference = F.softmax(z[rest], 1) - mixedTargets[rest]
        let unlabeledLoss = (difference * difference).sum() / Double(rest.count * data.classes)
        let progress = Double(epoch) + Double(iteration) / Double(settings.iterations)
        let ramp = settings.ramp ?? Double(settings.epochs)
        let loss = labeledLoss + unlabeledLoss * (settings.unlabeledWeight * min(progress / ramp, 1))
        adam.step(minimizing: loss)
        sums.labeled += labeledLoss.item() / Double(settings.iterations)
        sums.unlabeled += unlabeledLoss.item() / Double(settings.iterations)
        sums.all += loss.item() / Double(settings.iterations)
      }
      losses.append(sums)
    }
    model.eval()
  }
}
