import Attacks
import Backdoor
import Foundation
import SelfSupervision
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Both adaptive attacks against what is written out here from the papers, with their settings off the defaults.
@Suite struct AdaptiveAttackTwinTests {
  private let data = ImageDataset.tiny(count: 80)
  private let seed: Seed = 5
  private var training: TrainingContext { TrainingContext(precision: .float32, seed: 5) }
  private var context: AttackContext {
    AttackContext(train: data, seed: seed, training: training, architecture: data.tinyArchitecture)
  }
  private func model(_ name: String) throws -> Classifier {
    let model = try data.tinyArchitecture(Generator(seed: seed(name)))
    model.to(.channelsLast)
    return model
  }
  private func classes(_ label: Int, _ count: Int) -> Tensor { Tensor([Int64](repeating: Int64(label), count: count)) }

  /// The usual Adam for one tensor.
  private struct Moments {
    private var first: Tensor
    private var second: Tensor
    private var taken = 0.0
    init(_ like: Tensor) { (first, second) = (Tensor.zeros(like: like), Tensor.zeros(like: like)) }
    mutating func move(_ slope: Tensor, rate: Double) -> Tensor {
      taken += 1
      first = first * 0.9 + slope * 0.1
      second = second * 0.999 + slope.square() * 0.001
      return first / (1 - pow(0.9, taken)) / ((second / (1 - pow(0.999, taken))).sqrt() + 1e-8) * (-rate)
    }
  }

  // MARK: sleeper-agent

  private func flat(_ tensors: [Tensor]) -> Tensor { Tensor.concatenated(tensors.map { $0.contiguous().flattened() }) }

  /// Whole pixels with zeros outside, then mirrored.
  private func cropped(_ x: Tensor, _ random: Generator) -> Tensor {
    let count = x.dimension(0)
    let corners = random.integers(0..<5, [2, count])
    let mirrored = random.integers(0..<2, [1, count])
    let beside = Tensor.zeros([count, 3, 16, 2])
    let wide = Tensor.concatenated([beside, x, beside], 3)
    let above = Tensor.zeros([count, 3, 2, 20])
    let padded = Tensor.concatenated([above, wide, above], 2)
    let backwards = Tensor((0..<16).reversed().map(Int64.init))
    return Tensor.stacked(
      (0..<count).map { row in
        let (top, left) = (corners[0][row].intItem(), corners[1][row].intItem())
        let part = padded[row].narrowed(1, top..<(top + 16)).narrowed(2, left..<(left + 16))
        return mirrored[0][row].intItem() == 1 ? part.indexed([nil, nil, backwards]) : part
      })
  }

  /// Up to 3 pixels of 16 on each axis, then mirrored.
  private func shifted(_ x: Tensor, _ random: Generator) -> Tensor {
    let draws = random.uniform([3, x.dimension(0)])
    let centers = Tensor((0..<16).map { Float(2 * $0 + 1) / 16 - 1 })
    let grids = (0..<x.dimension(0)).map { row -> Tensor in
      let (right, down) = (draws[0][row].item() * 6 - 3, draws[1][row].item() * 6 - 3)
      let side: Double = draws[2][row].item() > 0.5 ? -1 : 1
      let xs = ((centers + right / 8) * side).reshaped(1, 16).expanded([16, 16])
      let ys = (centers + down / 8).reshaped(16, 1).expanded([16, 16])
      return Tensor.stacked([xs, ys], 2)
    }
    return F.gridSample(x, Tensor.stacked(grids))
  }

  /// Usual surrogates, the largest gradients, the patch anywhere; adversarial ones, a random choice, a fixed patch.
  @Test(arguments: [false, true]) func sleeperAgent(_ adversarial: Bool) throws {
    var c = SleeperAgent.Configuration()
    (c.rate, c.target, c.source, c.size, c.pattern) = (0.1, 1, 2, 5, .white)
    (c.bound, c.steps, c.retrain, c.learningRate, c.batch, c.sources) = (12.0 / 255, 7, 2, 0.03, 5, 7)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop, c.surrogate.learningRate) = (2, 16, 1, 0.05)
    (c.adversarial, c.choice) = (adversarial, adversarial ? .random : .gradientNorm)
    (c.linf.radius, c.linf.steps, c.linf.step, c.linf.start) = (0.05, 2, 0.6, .zero)
    (c.augment, c.shift, c.place, c.margin) = adversarial ? (.crop, 2, .topLeft, 2) : (.shift, 3, .anywhere, 0)
    let learned = try SleeperAgent(c).learn(context)

    let labels = data.labelArray()
    var random = seed.generator("sleeper-agent/sources")
    let sources = random.sample(7, from: labels.indices.filter { labels[$0] == 2 }).sorted()
    var triggered = data.subset(sources).images.unitPixels()
    if adversarial {
      triggered = triggered.clone()
      triggered.narrowed(2, 2..<7).narrowed(3, 2..<7).fill_(1)
    } else {
      let trigger = try SleeperAgent(c).tasks(for: data.shape, seed: seed, learned: [:])[0].trigger
      triggered = trigger(triggered, Generator(seed: seed("sleeper-agent/trigger")))
    }

    func surrogate(_ round: Int, _ data: ImageDataset) throws -> Classifier {
      let model = try model("sleeper-agent/surrogate-\(round)")
      let trainer = Trainer(c.surrogate, stage: "attack-surrogate-\(round)")
      if adversarial {
        try trainer.train(model, on: data, context: training, against: c.linf)
      } else {
        try trainer.train(model, on: data, context: training)
      }
      model.eval()
      return model
    }
    var network = try surrogate(0, data)
    func slopes(_ images: Tensor, graph: Bool = false) -> Tensor {
      let loss = F.crossEntropy(network(images.contiguous(.channelsLast)), classes(1, images.dimension(0)))
      return flat(gradients(of: loss, at: network.parameters(), createGraph: graph))
    }
    var positions = try PoisonedDataset.sources(
      in: data, mapping: .cleanLabel(target: 1), selection: PoisonSelection(rate: 0.1), seed: seed)
    if !adversarial {
      let sizes = labels.indices.filter { labels[$0] == 1 }.map { position in
        (position, slopes(data.pixels(position..<(position + 1))).norm(2).item())
      }
      positions = sizes.sorted { $0.1 > $1.1 }.prefix(8).map(\.0).sorted()
    }
    #expect(try #require(learned["positions"]).array(Int64.self).map(Int.init) == positions)

    let pixels = data.subset(positions).images.unitPixels()
    func inside(_ change: Tensor) -> Tensor {
      (pixels + change.clamped(-12.0 / 255, 12.0 / 255)).clamped(0, 1) - pixels
    }
    var change = inside(Generator(seed: seed("sleeper-agent/start")).normal(pixels.shape) * (12.0 / 255))
    var moments = Moments(change)
    for (round, steps) in [0..<2, 2..<4, 4..<7].enumerated() {
      if round > 0 {
        let images = data.images.clone()
        images.put_([Tensor(positions.map(Int64.init))], (pixels + change).quantized())
        network = try surrogate(
          round, ImageDataset(name: data.name, images: images, labels: data.labels, classNames: data.classNames))
      }
      let wanted = slopes(triggered)
      for step in steps {
        let draws = training.generator("attack-craft-\(round)/augment", step - steps.lowerBound)
        let parts = [0..<5, 5..<8].map { rows -> Tensor in
          let delta = change[rows].detach().requiresGrad_()
          let seen = adversarial ? cropped(pixels[rows] + delta, draws) : shifted(pixels[rows] + delta, draws)
          let found = slopes(seen, graph: true)
          let loss = 1 - (found * wanted).sum() / (found.norm(2) * wanted.norm(2))
          return gradient(of: loss, at: delta)
        }
        // A tenth after 3/8, 5/8 and 7/8 of 7 steps.
        let rate = 0.03 * [1, 1, 1, 0.1, 0.1, 0.01, 0.01][step]
        change = noGrad { inside(change + moments.move(Tensor.concatenated(parts).sign(), rate: rate)) }
      }
    }
    let found = try #require(learned["images"])
    let far = (found .!= (pixels + change).quantized()).to(.float32).mean().item()
    #expect(far < 0.002, "\(far) of the pixels differ")
  }

  @Test func aMovingPatchIsSomewhereElseOnEachImage() throws {
    var c = SleeperAgent.Configuration()
    (c.size, c.pattern) = (5, .random)
    let trigger = try SleeperAgent(c).tasks(for: data.shape, seed: seed, learned: [:])[0].trigger
    let images = Tensor.full([400, 3, 16, 16], 0.5)
    let changed = trigger(images, Generator(seed: 1))
    expectSame(changed, trigger(images, Generator(seed: 1)))
    // The fixed patch shows what the moving one carries.
    c.place = .topLeft
    let fixed = try SleeperAgent(c).tasks(for: data.shape, seed: seed, learned: [:])[0].trigger
    let patch = fixed(images[0..<1], Generator(seed: 1)).narrowed(2, 0..<5).narrowed(3, 0..<5)
    var places = Set<[Int]>()
    for row in 0..<400 {
      let rows = (changed[row] - 0.5).abs().sum([0, 2]).array(Float.self).positions { $0 > 0 }
      let columns = (changed[row] - 0.5).abs().sum([0, 1]).array(Float.self).positions { $0 > 0 }
      let (top, left) = (try #require(rows.first), try #require(columns.first))
      places.insert([top, left])
      #expect(rows == Array(top..<(top + 5)) && columns == Array(left..<(left + 5)))
      expectClose(
        changed[row..<(row + 1)].narrowed(2, top..<(top + 5)).narrowed(3, left..<(left + 5)).contiguous(),
        patch.contiguous())
    }
    (c.place, c.margin) = (.anywhere, 3)
    let inner = try SleeperAgent(c).tasks(for: data.shape, seed: seed, learned: [:])[0].trigger
    let moved = (inner(images, Generator(seed: 1)) - 0.5).abs().sum([0, 1])
    for sums in [moved.sum([0]), moved.sum([1])] {
      #expect(sums.array(Float.self).positions { $0 > 0 } == Array(3..<13), "3 pixels from every edge")
    }
    // 144 places, of which 400 draws miss few.
    #expect(places.count > 110 && places.map { $0[0] }.max() == 11 && places.map { $0[1] }.max() == 11)
  }

  // MARK: clustered-trigger

  @Test func clusteredTrigger() throws {
    var c = ClusteredTrigger.Configuration()
    (c.rate, c.target, c.excludeTarget, c.epochs, c.batch) = (0.3, 1, false, 3, 7)
    (c.learningRate, c.bound) = (0.04, 0.09)
    (c.pretrain.epochs, c.pretrain.batch) = (1, 16)
    let learned = try ClusteredTrigger(c).learn(context)

    let sources = try PoisonedDataset.sources(
      in: data, mapping: .allToOne(target: 1), selection: PoisonSelection(rate: 0.3, excludeTarget: false), seed: seed)
    #expect(sources.count == 24 && sources.contains { data.labelArray()[$0] == 1 })
    let backbone = try model("clustered-trigger/backbone")
    try c.pretrain.pretrain(backbone, on: data, context: training, stage: "attack-pretrain")
    backbone.eval()
    func features(_ images: Tensor) -> Tensor { backbone.features(images.contiguous(.channelsLast)).penultimate }
    let clean = noGrad { features(data.pixels(0..<80)) }
    let centers = Tensor.stacked(
      (0..<4).map { label in
        clean[Tensor(data.labelArray().indices.filter { data.labelArray()[$0] == label }.map(Int64.init))].mean([0])
      })
    var change = Tensor.zeros([1, 3, 16, 16])
    var moments = Moments(change)
    let positions = Tensor(sources.map(Int64.init))
    for epoch in 0..<3 {
      let order = positions[training.generator("attack-trigger/shuffle", epoch).permutation(24)]
      // The last three images fill no batch.
      for rows in [0..<7, 7..<14, 14..<21] {
        let t = change.detach().requiresGrad_()
        let found = features((data.pixels(at: order[rows]) + t).clamped(0, 1))
        let center = found.mean([0], keep: true)
        let within = (found - center).square().sum([1]).sqrt().mean()
        let between = (centers - center).square().sum([1]).sqrt().mean()
        let slope = gradient(of: within - between, at: t)
        change = noGrad { (change + moments.move(slope, rate: 0.04)).clamped(-0.09, 0.09) }
      }
    }
    expectClose(try #require(learned["trigger"]), change.squeezed(0), tolerance: 1e-3)
  }
}

extension [Float] {
  fileprivate func positions(_ isWanted: (Float) -> Bool) -> [Int] { indices.filter { isWanted(self[$0]) } }
}
