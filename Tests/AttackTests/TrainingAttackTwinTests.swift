import Backdoor
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Attacks

/// Two epochs of three batches of each attack that trains the model, written out from the papers: orders, draws, networks'
/// modes, losses, both optimizers and their rates.
@Suite struct TrainingAttackTwinTests {
  private let data = ImageDataset.tiny(count: 22, size: 16)
  private let seed: Seed = 5
  private let training = TrainingContext(precision: .float32, seed: 5)
  private static let recipe = {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.learningRate, recipe.weightDecay) = (2, 9, 0.04, 0.03)
    (recipe.momentum, recipe.nesterov, recipe.labelSmoothing, recipe.crop) = (0.7, false, 0.15, 1)
    (recipe.schedule, recipe.milestones, recipe.gamma, recipe.dropLast) = (.multiStep, [1], 0.3, false)
    return recipe
  }()
  private var context: AttackContext {
    AttackContext(
      train: data, seed: seed, training: training, architecture: data.tinyArchitecture, recipe: Self.recipe)
  }

  // MARK: What they share

  private func model(_ name: String = "init") throws -> Classifier {
    let model = try data.tinyArchitecture(Generator(seed: seed(name)))
    model.to(.channelsLast)
    return model
  }

  /// The positions of each batch of an epoch.
  private func batches(_ stage: String, _ epoch: Int) -> [Tensor] {
    let order = training.generator("\(stage)/shuffle", epoch).permutation(22)
    return [order[0..<9], order[9..<18], order[18..<22]]
  }
  private func cropped(_ positions: Tensor, _ random: Generator) -> Tensor {
    CropFlip(padding: 1, flip: true).gather(images: data.images, indices: positions, random)
  }
  /// Biases before BatchNorm have gradients of nothing but rounding, which Adam makes as large as any other: where it
  /// steps, the arithmetic has to be the same to the last bit.
  private func smoothed(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    F.crossEntropy(logits, labels, labelSmoothing: 0.15)
  }
  private func entropy(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    let targets = labels.oneHot(4).to(.float32) * 0.85 + 0.15 / 4
    return -(targets * logits).sum() / Double(labels.count) + logits.exp().sum([1]).log().mean()
  }
  private func moved(_ labels: Tensor) -> Tensor { (labels + 2).remainder(4) }
  private func expectLearned(_ learned: [String: Tensor], _ prefix: String, _ module: Module) throws {
    for (key, tensor) in module.stateDict().entries where tensor.dtype.isFloatingPoint {
      expectClose(try #require(learned[prefix + key]), tensor.contiguous(), tolerance: 1e-4, floor: 0.1, prefix + key)
    }
  }

  /// SGD with momentum and weight decay.
  private final class Momentum {
    private let parameters: [Tensor]
    private let momentum: Double
    private let decay: Double
    private var buffers: [Tensor]?
    init(_ module: Module, momentum: Double, decay: Double) {
      (parameters, self.momentum, self.decay) = (module.parameters(), momentum, decay)
    }
    func step(_ slopes: [Tensor], rate: Double) {
      noGrad {
        let wanted = zip(slopes, parameters).map { $0 + $1 * decay }
        let moved = buffers.map { zip($0, wanted).map { $0 * momentum + $1 } } ?? wanted
        for (parameter, change) in zip(parameters, moved) { parameter.copy_(parameter - change * rate) }
        buffers = moved
      }
    }
  }
  // MARK: The attacks

  @Test func waNet() throws {
    var c = WaNetTraining.Configuration()
    (c.rate, c.mapping, c.shift, c.crossRatio) = (0.35, .allToAll, 2, 0.7)
    (c.grid, c.strength, c.noise, c.rotation) = (3, 1.5, 2, 25)
    let learned = try WaNetTraining(c).learn(context)

    let numbers = Generator(seed: seed("wanet/field", 0)).uniform([1, 2, 3, 3], -1, 1)
    let field = F.interpolate(numbers / numbers.abs().mean(), height: 16, width: 16, mode: .bicubic, alignCorners: true)
    let axis = Tensor.linspace(-1, 1, 16)
    let identity = Tensor.stacked(
      [axis.reshaped(1, 16).expanded([16, 16]), axis.reshaped(16, 1).expanded([16, 16])], 2)
    let grid = (identity + field[0].permuted(1, 2, 0) * (1.5 / 16)).clamped(-1, 1).reshaped(1, 16, 16, 2)
    let model = try model()
    let optimizer = Momentum(model, momentum: 0.7, decay: 0.03)
    for epoch in 0..<2 {
      let (noise, random) = (
        training.generator("attack-train/noise", epoch), training.generator("attack-train/transform", epoch)
      )
      for (rows, (poisoned, covers)) in zip(batches("attack-train", epoch), [(3, 2), (3, 2), (1, 0)]) {
        let (pixels, labels) = (data.images[rows].unitPixels(), data.labels[rows])
        let wild = noise.uniform([covers, 16, 16, 2], -1, 1)
        let bent = F.gridSample(pixels[0..<poisoned], grid.expanded([poisoned, 16, 16, 2]), alignCorners: true)
        let places = (grid + wild * (2.0 / 16)).clamped(-1, 1)
        let others =
          covers == 0
          ? pixels[0..<0] : F.gridSample(pixels[poisoned..<(poisoned + covers)], places, alignCorners: true)
        let all = Tensor.concatenated([bent, others, pixels[(poisoned + covers)..<rows.count]])
        let turned = CropFlip(padding: 1, flip: true)(all, random)
        let angles = random.uniform([rows.count], -25, 25)
        let isTurned = random.uniform([rows.count]) .< 0.5
        let images = Tensor.where(
          isTurned.reshaped(-1, 1, 1, 1), ImageOps.rotated(turned, degrees: angles), turned)
        let targets = Tensor.concatenated([self.moved(labels[0..<poisoned]), labels[poisoned..<rows.count]])
        let loss = entropy(model(images), targets)
        optimizer.step(gradients(of: loss, at: model.parameters()), rate: epoch == 0 ? 0.04 : 0.012)
      }
    }
    try expectLearned(learned, "model.", model)
  }

  private func apart(_ a: Tensor, _ b: Tensor) -> Tensor {
    (a - b).square().mean([1, 2, 3]).clamped(min: 1e-14).sqrt()
  }

  @Test func inputAware() throws {
    var c = InputAware.Configuration()
    (c.rate, c.mapping, c.shift, c.crossRate, c.diversity) = (0.45, .allToAll, 2, 0.34, 0.6)
    (c.density, c.densityWeight, c.maskEpochs, c.maskLearningRate) = (0.2, 9, 2, 0.02)
    (c.maskMilestones, c.patternLearningRate, c.patternMilestones) = ([1], 0.03, [1])
    (c.width, c.levels) = (2, 2)
    let learned = try InputAware(c).learn(context)

    func network(_ outputs: Int, _ name: String) -> TriggerGenerator {
      let network = TriggerGenerator(
        channels: 3, outputs: outputs, width: 2, levels: 2, normalization: .none, Generator(seed: seed(name)))
      network.to(.channelsLast)
      return network
    }
    let (model, mask, net) = (try model(), network(1, "mask"), network(3, "pattern"))
    let maskOptimizer = Adam(mask.parameters(), learningRate: 0, betas: (0.5, 0.9))
    func hard(_ z: Tensor) -> Tensor { (z * 20 - 10).tanh() / (2 + 1e-7) + 0.5 }
    for epoch in 0..<2 {
      let (own, other) = (
        training.generator("attack-mask/augment", epoch), training.generator("attack-mask/others", epoch)
      )
      for rows in batches("attack-mask", epoch) {
        let x = cropped(rows, own)
        let t = cropped(other.integers(0..<22, [rows.count]), other)
        let (mx, mt) = (hard(mask(x)), hard(mask(t)))
        let loss = (mx - 0.2).relu().mean() * 9 + (apart(x, t) / (apart(mx, mt) + 1e-7)).mean() * 0.6
        maskOptimizer.learningRate = epoch == 0 ? 0.02 : 0.002
        maskOptimizer.step(gradients: gradients(of: loss, at: mask.parameters()))
      }
    }
    mask.eval().requiresGrad(false)
    let (optimizer, netOptimizer) = (
      SGD(model.parameters(), learningRate: 0, momentum: 0.7, weightDecay: 0.03),
      Adam(net.parameters(), learningRate: 0, betas: (0.5, 0.9))
    )
    for epoch in 0..<2 {
      let (own, other) = (
        training.generator("attack-train/augment", epoch), training.generator("attack-train/others", epoch)
      )
      for (rows, (poisoned, covers)) in zip(batches("attack-train", epoch), [(4, 3), (4, 3), (1, 1)]) {
        let (x, labels) = (cropped(rows, own), data.labels[rows])
        let t = cropped(other.integers(0..<22, [rows.count]), other)[poisoned..<(poisoned + covers)]
        let (xa, xc) = (x[0..<poisoned], x[poisoned..<(poisoned + covers)])
        let (pa, pc) = (net(xa), net(t))
        let (ma, mc) = (hard(mask(xa)), hard(mask(t)))
        let all = Tensor.concatenated([
          xa + (pa - xa) * ma, xc + (pc - xc) * mc, x[(poisoned + covers)..<rows.count],
        ])
        let targets = Tensor.concatenated([self.moved(labels[0..<poisoned]), labels[poisoned..<rows.count]])
        let diversity = (apart(x[0..<covers], t) / (apart(pa[0..<covers], pc) + 1e-7)).mean()
        let loss = smoothed(model(all.contiguous(.channelsLast)), targets) + diversity * 0.6
        let slopes = gradients(of: loss, at: model.parameters() + net.parameters())
        optimizer.learningRate = epoch == 0 ? 0.04 : 0.012
        optimizer.step(gradients: Array(slopes.prefix(model.parameters().count)))
        netOptimizer.learningRate = epoch == 0 ? 0.03 : 0.003
        netOptimizer.step(gradients: Array(slopes.dropFirst(model.parameters().count)))
      }
    }
    try expectLearned(learned, "trigger.mask.", mask)
    try expectLearned(learned, "trigger.pattern.", net)
    try expectLearned(learned, "model.", model)
  }

  @Test(arguments: [false, true], BatchStatistics.allCases)
  func lira(_ fromScratch: Bool, _ statistics: BatchStatistics) throws {
    var c = LIRA.Configuration()
    (c.mapping, c.shift, c.share, c.alpha, c.network, c.width) = (.allToAll, 2, 0.6, 0.3, .unet, 2)
    (c.jointEpochs, c.jointEpsilon, c.epsilon, c.fromScratch) = (2, 0.3, 0.15, fromScratch)
    c.statistics = statistics
    (c.learningRate, c.generatorLearningRate) = (0.03, 0.02)
    let learned = try LIRA(c).learn(context)

    func network() -> PerturbationNetwork { LIRA(c).makeNetwork(data.shape, Generator(seed: seed("generator"))) }
    var model = try self.model()
    let (net, follower) = (network(), network())
    for module in [net, follower] { module.to(.channelsLast) }
    func triggered(_ net: PerturbationNetwork, _ x: Tensor, _ bound: Double, _ count: Int) -> Tensor {
      (x + net(x) * bound).clamped(0, 1)[0..<count].contiguous(.channelsLast)
    }
    func mixed(
      _ model: Classifier, _ net: PerturbationNetwork, _ x: Tensor, _ labels: Tensor, _ bound: Double, _ count: Int
    )
      -> Tensor
    {
      let images = noGrad { triggered(net, x, bound, count) }
      let (clean, poisoned) = logits(model, x, images)
      return smoothed(clean, labels) * 0.3 + smoothed(poisoned, self.moved(labels[0..<count])) * 0.7
    }
    func logits(_ model: Classifier, _ x: Tensor, _ images: Tensor) -> (Tensor, Tensor) {
      if statistics == .separate { return (model(x), model(images)) }
      let all = model(Tensor.concatenated([x, images]).contiguous(.channelsLast))
      return (all[0..<x.dimension(0)], all[x.dimension(0)..<all.dimension(0)])
    }
    let (optimizer, netOptimizer) = (
      SGD(model.parameters(), learningRate: 0, momentum: 0.9), Adam(net.parameters(), learningRate: 0)
    )
    for epoch in 0..<2 {
      try follower.load(net.stateDict())
      follower.eval()
      let random = training.generator("attack-joint/augment", epoch)
      for (rows, count) in zip(batches("attack-joint", epoch), [5, 5, 2]) {
        let (x, labels) = (cropped(rows, random), data.labels[rows])
        let images = triggered(net, x, 0.3, count)
        let seen = statistics == .joint ? logits(model, x, images).1 : model(images)
        let search = smoothed(seen, self.moved(labels[0..<count]))
        netOptimizer.learningRate = 0.02
        netOptimizer.step(gradients: gradients(of: search, at: net.parameters()))
        let loss = mixed(model, follower, x, labels, 0.3, count)
        optimizer.learningRate = 0.03
        optimizer.step(gradients: gradients(of: loss, at: model.parameters()))
      }
    }
    net.eval()
    if fromScratch { model = try self.model("final") }
    let last = SGD(model.parameters(), learningRate: 0, momentum: 0.7, weightDecay: 0.03)
    for epoch in 0..<2 {
      let random = training.generator("attack-train/augment", epoch)
      for (rows, count) in zip(batches("attack-train", epoch), [5, 5, 2]) {
        let loss = mixed(model, net, cropped(rows, random), data.labels[rows], 0.15, count)
        last.learningRate = epoch == 0 ? 0.04 : 0.012
        last.step(gradients: gradients(of: loss, at: model.parameters()))
      }
    }
    try expectLearned(learned, "generator.", net)
    try expectLearned(learned, "model.", model)
  }

  /// Nil: fixed weights.
  @Test(arguments: Blind.Normalizer.allCases.map(Optional.some) + [nil], BatchStatistics.allCases)
  func blind(_ normalizer: Blind.Normalizer?, _ statistics: BatchStatistics) throws {
    var c = Blind.Configuration()
    c.statistics = statistics
    (c.balance, c.weight) = (normalizer == nil ? .fixed : .mgda, 0.2)
    (c.mapping, c.shift, c.share, c.normalizer, c.row, c.column) = (
      .allToAll, 2, 0.6, normalizer ?? Blind.Normalizer.none, 4, 6
    )
    let learned = try Blind(c).learn(context)

    let model = try model()
    let optimizer = Momentum(model, momentum: 0.7, decay: 0.03)
    for epoch in 0..<2 {
      let random = training.generator("attack-train/augment", epoch)
      for (rows, count) in zip(batches("attack-train", epoch), [5, 5, 2]) {
        let (x, labels) = (cropped(rows, random), data.labels[rows])
        let stamped = x[0..<count].clone()
        for (row, cells) in ["101", ".1.", "..0", ".1.", "101"].enumerated() {
          for (column, cell) in cells.enumerated() where cell != "." {
            stamped.narrowed(2, (4 + row)..<(5 + row)).narrowed(3, (6 + column)..<(7 + column)).fill_(
              cell == "1" ? 1 : 0)
          }
        }
        func together() -> (Tensor, Tensor) {
          let all = model(Tensor.concatenated([x, stamped]).contiguous(.channelsLast))
          return (all[0..<x.dimension(0)], all[x.dimension(0)..<all.dimension(0)])
        }
        let logits = statistics == .joint ? together() : (model(x), model(stamped))
        let main = entropy(logits.0, labels)
        let backdoor = entropy(logits.1, self.moved(labels[0..<count]))
        let slopes = [main, backdoor].map { gradients(of: $0, at: model.parameters(), retainGraph: true) }
        let vectors = zip(slopes, [main, backdoor]).map { slopes, loss in
          let vector = Tensor.concatenated(slopes.map { $0.contiguous().flattened() }).to(.float64)
          let size = vector.norm(2).item()
          let by =
            switch normalizer {
            case .some(.lossTimesNorm): min(loss.item() * size, 10)
            case .some(.loss): min(loss.item(), 10)
            case .some(.norm): size
            case .some(.none), nil: 1.0
            }
          return vector / (by + 1e-5)
        }
        let between = vectors[1] - vectors[0]
        var weight = (between * vectors[1]).sum().item() / between.square().sum().item()
        if weight >= 1 { weight = 0.999 } else if weight <= 0 { weight = 0.001 }
        if normalizer == nil { weight = 0.8 }
        let combined = zip(slopes[0], slopes[1]).map { $0 * weight + $1 * (1 - weight) }
        optimizer.step(combined, rate: epoch == 0 ? 0.04 : 0.012)
      }
    }
    try expectLearned(learned, "model.", model)
  }

  @Test func adversarialEmbedding() throws {
    var c = AdversarialEmbedding.Configuration()
    (c.rate, c.mapping, c.shift, c.lambda, c.noise) = (0.45, .allToAll, 2, 0.7, 0.4)
    (c.widths, c.discriminatorSteps, c.discriminatorRate) = ([5, 3], 2, 0.02)
    (c.size, c.pattern, c.place, c.margin) = (2, .black, .topLeft, 1)
    let learned = try AdversarialEmbedding(c).learn(context)

    let model = try model()
    let discriminator = FeatureDiscriminator(
      inputs: noGrad { model.features(data.pixels(0..<2)).penultimate.dimension(1) }, widths: [5, 3],
      Generator(seed: seed("discriminator")))
    try model.load(self.model().stateDict())  // Looking moved its statistics.
    let layers = zip(discriminator.hidden, discriminator.norms)
    func told(_ z: Tensor, _ isTriggered: Tensor) -> Tensor {
      var x = z
      for (layer, norm) in layers {
        let y = norm(x.matmul(layer.weight.transposed()) + layer.bias!.wrappedValue)
        x = Tensor.where(y .> 0, y, y * 0.2)
      }
      let logits = discriminator.last(x)
      let both = logits.exp()
      return -(both.indexed([Tensor.arange(x.dimension(0)), isTriggered]) / both.sum([1])).log().mean()
    }
    let own = Adam(discriminator.parameters(), learningRate: 0.02)
    let optimizer = Momentum(model, momentum: 0.7, decay: 0.03)
    for epoch in 0..<2 {
      let random = training.generator("attack-train/augment", epoch)
      let noise = training.generator("attack-train/noise", epoch)
      for (rows, count) in zip(batches("attack-train", epoch), [4, 4, 1]) {
        let (x, labels) = (cropped(rows, random).clone(), data.labels[rows])
        x[0..<count].narrowed(2, 1..<3).narrowed(3, 1..<3).fill_(0)
        let features = model.features(x).penultimate
        let isTriggered = Tensor((0..<rows.count).map { Int64($0 < count ? 1 : 0) })
        for _ in 0..<2 {
          let loss = told(features.detach() + noise.normal(features.shape) * 0.4, isTriggered)
          own.step(gradients: gradients(of: loss, at: discriminator.parameters()))
        }
        let targets = Tensor.concatenated([self.moved(labels[0..<count]), labels[count..<rows.count]])
        let fooled = told(features + noise.normal(features.shape) * 0.4, isTriggered)
        let loss = entropy(model.logits(features), targets) - fooled * 0.7
        optimizer.step(gradients(of: loss, at: model.parameters()), rate: epoch == 0 ? 0.04 : 0.012)
      }
    }
    try expectLearned(learned, "model.", model)
    #expect(learned.keys.allSatisfy { $0.hasPrefix("model.") })
  }
}
