import Backdoor
import Files
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Defenses

/// Adversarial Neuron Pruning and entropy-based pruning against their descriptions.
@Suite struct NeuronPruningTests {
  private static let kept = ["layer1.0.bn1", "layer2.0.bn2", "layer4.1.bn2"]

  /// One step of the masks against Python: ascent of the noise, both losses, gradient, step, clipping.
  @Test(arguments: ["project", "free"]) func maskStepIsPythons(_ name: String) throws {
    let golden = try Golden("purifiers")
    let model = PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8).eval()
    let found = model.modules().filter { $0.module is BatchNorm2d }
    let layers = found.compactMap { $0.module as? BatchNorm2d }
    let masks = layers.enumerated().map { index, layer in
      (1 - 0.3 * pattern(layer.weight.shape, 0.1 * Double(index)).abs()).requiresGrad_()
    }
    let noise = layers.enumerated().flatMap { index, layer in
      [0.4, 1.1].map { 0.4 * pattern(layer.weight.shape, $0 + 0.2 * Double(index)) }
    }
    var c = AdversarialNeuronPruning.Configuration()
    (c.steps, c.alpha, c.project) = (2, 0.3, name == "project")
    let losses = AdversarialNeuronPruning(c).losses(
      of: model, MaskedBatchNorms(layers), masks: masks,
      images: imagePattern([6, 3, 16, 16], 0.5).quantized().unitPixels(), labels: Tensor((0..<6).map { Int64($0) }),
      noise: noise, context: TrainingContext(precision: .float32))
    expectClose(losses.robust.detach(), try golden.tensor("anp/\(name)/robust"), tolerance: 1e-4)
    expectClose(losses.natural.detach(), try golden.tensor("anp/\(name)/natural"), tolerance: 1e-4)
    let sgd = SGD(masks, learningRate: 0.2, momentum: 0.9)
    sgd.step(minimizing: losses.total)
    noGrad { for mask in masks { mask.clamp_(0, 1) } }
    for (index, entry) in found.enumerated() where Self.kept.contains(entry.path) {
      let gradient = try #require(masks[index].grad)
      expectClose(gradient, try golden.tensor("anp/\(name)/grad/\(entry.path)"), tolerance: 1e-3)
      expectClose(masks[index].detach(), try golden.tensor("anp/\(name)/updated/\(entry.path)"), tolerance: 1e-4)
    }
  }

  private static let cases: [String: @Sendable (inout AdversarialNeuronPruning.Configuration) -> Void] = [
    "as published": { _ in },
    "code, two steps": { ($0.project, $0.steps, $0.momentum, $0.alpha) = (false, 2, 0.4, 0.7) },
    "running statistics": {
      ($0.batchStatistics, $0.crop, $0.flip, $0.epsilon) = (false, 1, false, 0.2)
    },
    "no perturbation": { ($0.epsilon, $0.learningRate, $0.threshold) = (0, 1.5, 0.97) },
  ]

  /// Runs with the method written out here.
  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    var c = AdversarialNeuronPruning.Configuration()
    (c.iterations, c.batch, c.learningRate, c.threshold) = (103, 5, 0.3, 0.6)
    let edit = try #require(Self.cases[name])
    edit(&c)
    let clean = ImageDataset.tiny(count: 11, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3).eval()
    // Shifts that are not zero.
    for case let layer as BatchNorm2d in model.modules().map(\.module) {
      noGrad { layer.bias.copy_(0.3 * pattern(layer.bias.shape, 0.4)) }
    }
    let seed = Seed(21)
    let input = try DefenseInput(
      for: AdversarialNeuronPruning.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5,
      model: model, cleanSplit: clean)
    let found = try #require(AdversarialNeuronPruning(c).run(input).model)

    let work = try model.copied()
    work.to(.channelsLast).train(c.batchStatistics)
    let layers = work.modules().compactMap { $0.module as? BatchNorm2d }
    let (w, b) = (layers.map { $0.weight.detach().clone() }, layers.map { $0.bias.detach().clone() })
    let masks = w.map { Tensor.ones($0.shape).requiresGrad_() }
    let sgd = SGD(masks, learningRate: c.learningRate, momentum: c.momentum)
    func loss(_ x: Tensor, _ y: Tensor, _ m: [Tensor], _ noise: [Tensor]?) -> Tensor {
      for i in layers.indices {
        layers[i].weight = noise.map { w[i] * (m[i] + $0[2 * i]) } ?? w[i] * m[i]
        layers[i].bias = noise.map { b[i] * (1 + $0[2 * i + 1]) } ?? b[i]
      }
      return F.crossEntropy(work(x), y)
    }
    // 103 steps are two rounds.
    for round in 0..<2 where round * 100 < c.iterations {
      let draw = Generator(seed: seed("anp/draw", round))
      let (augment, noises) = (Generator(seed: seed("anp/augment", round)), Generator(seed: seed("anp/noise", round)))
      for _ in 0..<min(100, c.iterations - 100 * round) {
        let rows = draw.integers(0..<11, [5])
        let x = CropFlip(padding: c.crop, flip: c.flip).gather(images: clean.images, indices: rows, augment)
        let y = clean.labels[rows]
        var n = w.flatMap { w in (0..<2).map { _ in noises.uniform(w.shape) * (2 * c.epsilon) - c.epsilon } }
        var total: Tensor
        if c.epsilon > 0 {
          for _ in 0..<c.steps {
            n = n.map { $0.detach().requiresGrad_() }
            let up = gradients(of: loss(x, y, masks.map { $0.detach() }, n), at: n)
            n = zip(n, up).map { $0.detach() + $1.sign() * (c.epsilon / Double(c.steps)) }
            if c.project { n = n.map { $0.clamped(-c.epsilon, c.epsilon) } }
          }
          let robust = loss(x, y, masks, n)
          total = loss(x, y, masks, nil) * c.alpha + robust * (1 - c.alpha)
        } else {
          total = loss(x, y, masks, nil) * c.alpha
        }
        sgd.step(minimizing: total)
        noGrad { for mask in masks { mask.clamp_(0, 1) } }
      }
    }
    let expected = try model.copied()
    var (gone, all) = (0, 0)
    let pruned = expected.modules().compactMap { $0.module as? BatchNorm2d }
    try #require(pruned.count == masks.count)
    for (layer, mask) in zip(pruned, masks) {
      for (channel, value) in mask.array(Float.self).enumerated() {
        all += 1
        if Double(value) <= c.threshold {
          noGrad { layer.weight[channel].zero_() }
          gone += 1
        }
      }
    }
    #expect(gone > 0 && gone < all, "\(gone) of \(all)")
    expectSame(found.snapshot(), expected.snapshot())
  }

  /// A run that was killed after its first round goes on to the same masks.
  @Test func resumes() throws {
    var c = AdversarialNeuronPruning.Configuration()
    (c.iterations, c.batch, c.learningRate, c.threshold) = (104, 4, 0.3, 0.6)
    let clean = ImageDataset.tiny(count: 11, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    struct Killed: Error {}
    func run(_ store: MemoryCheckpoints?, killed: Bool = false) throws -> Classifier {
      let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
      if killed { context.onEpoch = { if $0.epoch == 2 { throw Killed() } } }
      return try AdversarialNeuronPruning(c).purify(model, clean: clean, context: context)
    }
    let (whole, store) = (try run(nil), MemoryCheckpoints())
    #expect(throws: Killed.self) { try run(store, killed: true) }
    #expect(try store.load(stage: "anp")?.epoch == 1)
    expectSame(try run(store).snapshot(), whole.snapshot())
  }

  @Test func entropiesArePythons() throws {
    let golden = try Golden("purifiers")
    let facts = golden.settings["ep"]
    let values = try golden.tensor("ep/values")
    let found = EntropyPruning.entropies(values, binWidth: facts["width"].double ?? .nan)
    let expected = try facts["entropies"].numbers()
    try #require(found.count == expected.count)
    for (row, (a, b)) in zip(found, expected).enumerated() {
      #expect(b < 0 ? a.isNaN : abs(a - b) < 1e-9, "row \(row): \(a), expected \(b)")
    }
    #expect(found.count == 9 && EntropyPruning.suspicious(found, deviations: 2) == [3])
    #expect(EntropyPruning.suspicious([3, 3.2, 3.1, 1, 3.3], deviations: 1.7) == [3])
    #expect(EntropyPruning.suspicious([3, 3.2, 3.1, 1, 3.3], deviations: 1.8) == [])
    #expect(EntropyPruning.suspicious([.nan, 1], deviations: 0) == [])
  }

  /// A run with the method written out: which channels of which BatchNorm read what, by hand for this network.
  @Test func entropyRunIsTheMethod() throws {
    let train = ImageDataset.tiny(count: 60, size: 12, seed: 8)
    let model = try Classifier.tiny(for: train, width: 6, seed: 3)
    let warm = TrainingContext(precision: .float32)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch) = (2, 10)
    try Trainer(recipe).train(model, on: train, context: warm)
    var c = EntropyPruning.Configuration()
    (c.deviations, c.images, c.binWidth) = (1.1, 37, 0.3)
    let input = try DefenseInput(
      for: EntropyPruning.self, training: warm, seed: 5, poisonedTrain: train, model: model)
    let found = try #require(EntropyPruning(c).run(input).model)

    let expected = try model.copied().eval()
    let rows = train.sample(count: 37, seed: 5, stream: "ep/images")
    let cnn = try #require(expected as? SmallCNN)
    let x = (train.images[Tensor(rows.map(Int64.init))].to(.float32) / 255).contiguous(.channelsLast)
    func layer<T>(_ name: String, _: T.Type) throws -> T {
      try #require(cnn.modules().first { $0.path == name }?.module as? T)
    }
    var h = x
    var all: [(BatchNorm2d, Tensor)] = []
    for number in 1...3 {
      let (conv, norm) = (try layer("conv\(number)", Conv2d.self), try layer("bn\(number)", BatchNorm2d.self))
      if number > 1 { h = F.maxPool2d(h, kernel: 2) }
      h = noGrad { conv(h) }
      all.append((norm, h))
      h = noGrad { norm(h).relu() }
    }
    var pruned = 0
    for (norm, before) in all {
      let peaks = (0..<before.dimension(1)).map { c in
        (0..<37).map { Double(before[$0][c].max().item()) }
      }
      let standard = peaks.map { row -> [Double] in
        let mean = row.reduce(0, +) / 37
        let deviation = (row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 36).squareRoot()
        return row.map { ($0 - mean) / deviation }
      }
      let low = standard.flatMap { $0 }.min() ?? 0
      let entropies = standard.map { row -> Double in
        let counts = Dictionary(grouping: row) { Int((($0 - low) / 0.3).rounded(.down)) }.values.map(\.count)
        return -counts.reduce(0) { $0 + Double($1) / 37 * log(Double($1) / 37) }
      }
      let mean = entropies.reduce(0, +) / Double(entropies.count)
      let spread = (entropies.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(entropies.count - 1)).squareRoot()
      for (channel, entropy) in entropies.enumerated() where entropy < mean - 1.1 * spread {
        pruned += 1
        noGrad {
          norm.weight[channel].zero_()
          norm.bias[channel].zero_()
        }
      }
    }
    #expect(pruned > 0 && pruned < 20, "\(pruned) pruned")
    expectSame(found.snapshot(), expected.snapshot())
  }

  /// Said before anything is computed.
  @Test(arguments: ["anp", "ep"]) func needBatchNorm(_ id: String) throws {
    let data = ImageDataset.tiny(count: 8, size: 8)
    let model = try Classifier.tiny(for: data, kind: "vgg19", width: 1)
    let defense = try DefenseKind.named(id).make([:]).defense
    let input = try DefenseInput(
      for: type(of: defense), training: TrainingContext(), seed: 5, poisonedTrain: data, model: model, cleanSplit: data)
    let error = #expect(throws: DefenseError.self) { try defense.run(input) }
    #expect(error?.description.contains("BatchNorm") == true && error?.description.contains("vgg19") == true)
  }
}
