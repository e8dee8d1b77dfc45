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

@testable import Defenses

/// MESA: one step against Python torch, the verdict, and a run written out.
@Suite struct MaxEntropyStaircaseTests {
  private let context = TrainingContext(precision: .float32)

  @Test func stepIsPythons() throws {
    let golden = try Golden("mesa")
    let model = PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8).eval()
    let pixels = imagePattern([6, 3, 16, 16], 0.5).quantized().unitPixels()
    var c = MaxEntropyStaircase.Configuration()
    c.alpha = 0.3
    let networks = (0..<2).map { number -> TriggerDistribution in
      let network = TriggerDistribution(noise: 5, trigger: 27, width: 8, Generator(seed: 0))
      return network.fillWithPattern(phaseOffset: 0.4 + Double(number))
    }
    func places(_ place: (Int) -> Int) -> Tensor {
      let numbers: [Int64] = (0..<6).map { Int64(place($0) % 14) }
      return Tensor(numbers)
    }
    let drawn = (0..<2).map { (n: Int) -> Staircase.Draw in
      Staircase.Draw(
        noise: pattern([6, 5], 0.2 + Double(n)).abs(), independent: pattern([6, 5], 0.7 + Double(n)).abs(),
        rows: places { 3 * $0 + n }, columns: places { 5 * $0 + 2 * n })
    }
    let stamped = PlacedTriggers.stamp(
      networks[0].triggers(drawn[0].noise).reshaped(6, 3, 3, 3), on: pixels, rows: drawn[0].rows,
      columns: drawn[0].columns)
    expectClose(stamped, try golden.tensor("mesa/stamped"), tolerance: 1e-5, floor: 1)
    let step = Staircase(configuration: c, stage: "test").losses(
      model, pixels, [.init(label: 7, threshold: 0.5), .init(label: 2, threshold: 0.9)], networks, drawn, context)
    expectClose(step.information, try golden.tensor("mesa/information"), tolerance: 1e-4)
    expectClose(step.hinges, try golden.tensor("mesa/hinges"), tolerance: 1e-4)
    expectClose(step.total, try golden.tensor("mesa/total"), tolerance: 1e-4)
    let slopes = gradients(of: step.total, at: networks.flatMap { $0.parameters() })
    let norms = Tensor.stacked(slopes.map { $0.flattened().norm(2) })
    expectClose(norms, try golden.tensor("mesa/norms"), tolerance: 1e-3, floor: 0.01)
  }

  /// Independent noise says nothing, and a bound is one: it stays below log B for the best of all statistics.
  @Test func boundOfNothingIsNothing() {
    let network = TriggerDistribution(noise: 3, trigger: 4, width: 6, Generator(seed: 1))
    let (x, z) = (Generator(seed: 2).uniform([9, 4]), Generator(seed: 3).uniform([9, 3]))
    #expect(network.information(x, z, independent: z).item() <= 1e-6, "Jensen")
  }

  @Test func verdicts() {
    func judged(_ shares: [Double], _ edit: (inout MaxEntropyStaircase.Configuration) -> Void = { _ in })
      -> (verdict: ModelVerdict, flagged: [Int])
    {
      var c = MaxEntropyStaircase.Configuration()
      c.simulations = 2000
      edit(&c)
      return MaxEntropyStaircase(c).judge(shares, counts: shares.map { _ in 400 })
    }
    let backdoored = [0.03, 0.05, 0.98, 0.02, 0.04, 0.06, 0.03, 0.02, 0.05, 0.04]
    #expect(judged(backdoored).flagged == [2] && judged(backdoored).verdict.isSuspicious)
    #expect(judged(backdoored).verdict.label == 2 && judged(backdoored).verdict.pValue < 0.01)
    // It stands out as much, and misleads hardly any image.
    let faint = [0.0005, 0.0004, 0.3, 0.0006, 0.0005, 0.0003, 0.0004, 0.0006, 0.0005, 0.0004]
    #expect(!judged(faint).verdict.isSuspicious && judged(faint).verdict.value == 0)
    #expect(judged(faint) { $0.works = 0.2 }.flagged == [2])
    // What misleads least is no sign of a backdoor.
    let odd = [0.61, 0.62, 0.001, 0.6, 0.59, 0.63, 0.6, 0.58, 0.61, 0.62]
    #expect(!judged(odd).verdict.isSuspicious)
    #expect(!judged([1, 1, 1, 1]).verdict.isSuspicious)
    let clean = judged(backdoored.map { min($0, 0.06) })
    #expect(!clean.verdict.isSuspicious && clean.verdict.pValue == 1)
  }

  /// A class whose generators know less is unlearned as often as another one.
  @Test func classesShareTheImages() {
    let weights = MaxEntropyStaircase.weights([(2, 0), (5, 4), (2, log(3))])
    for (found, expected) in zip(weights, [0.25, 1, 0.75]) { expectClose(found, expected) }
  }

  @Test func aSmallBatchHasTriggersToo() {
    var c = MaxEntropyStaircase.Configuration()
    c.stamped = 0.01
    #expect([20, 128, 200].map(MaxEntropyStaircase(c).stampedCount) == [1, 1, 2])
    c.stamped = 0
    #expect(MaxEntropyStaircase(c).stampedCount(of: 128) == 0)
  }

  @Test func mixtureFollowsTheWeights() {
    let numbers = Tensor([Float(0), 0.24, 0.26, 0.99])
    #expect(MaxEntropyStaircase.picks(numbers, [1, 0, 3]).array(Int64.self) == [0, 0, 2, 2])
    #expect(MaxEntropyStaircase.picks(numbers, [2]).array(Int64.self) == [0, 0, 0, 0])
    let random = Generator(seed: 4)
    let places = PlacedTriggers.draw(200, side: 3, height: 5, width: 7, random)
    #expect(
      Set(places.rows.array(Int64.self)) == [0, 1, 2] && Set(places.columns.array(Int64.self)) == [0, 1, 2, 3, 4])
  }

  /// Images that reach the threshold do not make up for those that fall short.
  @Test func hingeIsOfEachImage() {
    let model = PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8).eval()
    let pixels = imagePattern([6, 3, 16, 16], 0.5).unitPixels()
    let network = TriggerDistribution(noise: 5, trigger: 27, width: 8, Generator(seed: 0)).fillWithPattern()
    let zeros = Tensor.zeros([6], dtype: .int64)
    let drawn = Staircase.Draw(
      noise: pattern([6, 5], 0.2).abs(), independent: pattern([6, 5], 0.7).abs(), rows: zeros, columns: zeros)
    let probabilities = noGrad {
      let triggers = network.triggers(drawn.noise).reshaped(6, 3, 3, 3)
      let images = pixels.clone()
      images.narrowed(2, 0..<3).narrowed(3, 0..<3).copy_(triggers)
      return F.softmax(model(images)).narrowed(1, 7..<8).to(.float64).array(Double.self)
    }
    let threshold = probabilities.reduce(0, +) / 6
    let step = Staircase(configuration: MaxEntropyStaircase.Configuration(), stage: "test").losses(
      model, pixels, [.init(label: 7, threshold: threshold)], [network], [drawn], context)
    let wanted = probabilities.reduce(0) { $0 + max(0, threshold - $1) } / 6
    #expect(wanted > 1e-4)
    expectClose(step.hinges[0].item(), wanted, tolerance: 1e-3)
  }

  /// A generator is drawn in proportion to exp(information).
  @Test func mixtureIsWeightedByInformation() {
    func constant(_ bias: Double, information: Double) -> Staircase.Found {
      let network = TriggerDistribution(noise: 64, trigger: 27, width: 4, Generator(seed: 0))
      noGrad {
        for parameter in network.parameters() { parameter.zero_() }
        network.generator[2].bias?.wrappedValue.fill_(bias)
      }
      return Staircase.Found(step: .init(label: 0, threshold: 0.5), triggers: network, information: information)
    }
    let mixture = [constant(-30, information: 2), constant(30, information: 2 + log(9.0))]
    let images = MaxEntropyStaircase().stamped(Tensor.full([400, 3, 8, 8], 0.5), mixture, Generator(seed: 3))
    let white = images.flattened(1).sum([1]).to(.float64).array(Double.self).count { $0 > 96 }
    #expect((340...380).contains(white), "9 of 10 of 400: \(white)")
  }

  private static func settings() -> MaxEntropyStaircase.Configuration {
    var c = MaxEntropyStaircase.Configuration()
    (c.thresholds, c.alpha, c.size, c.noise, c.width) = ([0.4, 0.8], 0.2, 2, 3, 4)
    (c.epochs, c.batch, c.learningRate, c.together) = (2, 4, 0.03, 2)
    (c.works, c.falseAlarms, c.simulations, c.stamped) = (0, 1, 100, 0.4)
    (c.unlearning.epochs, c.unlearning.batch, c.unlearning.learningRate, c.unlearning.crop) = (2, 5, 0.05, 1)
    return c
  }

  /// The search of one step, written out.
  private func searched(
    _ stage: String, _ label: Int, _ threshold: Double, _ model: Classifier, _ clean: ImageDataset, _ seed: Seed
  ) -> (network: TriggerDistribution, information: Double) {
    let net = TriggerDistribution(
      noise: 3, trigger: 12, width: 4, Generator(seed: seed("\(stage)/start-\(threshold)", label)))
    let adam = Adam(net.parameters(), learningRate: 0.03)
    func through(_ layers: [Linear], _ x: Tensor) -> Tensor {
      layers[2](layers[1](layers[0](x).relu()).relu())
    }
    var last = 0.0
    for epoch in 0..<2 {
      let order = Generator(seed: seed("\(stage)/shuffle", epoch)).permutation(11)
      let random = Generator(seed: seed("\(stage)/noise-\(threshold)-\(label)", epoch))
      var bounds: [Double] = []
      for range in [0..<4, 4..<8, 8..<11] {
        let x = clean.pixels(at: order[range])
        let (z, other) = (random.uniform([range.count, 3]), random.uniform([range.count, 3]))
        let (rows, columns) = (random.integers(0..<7, [range.count]), random.integers(0..<7, [range.count]))
        let made = through(net.generator, z).sigmoid()
        let images = (0..<range.count).map { number -> Tensor in
          let (row, column) = (rows[number].intItem(), columns[number].intItem())
          func framed(_ patch: Tensor) -> Tensor {
            let wide = Tensor.concatenated(
              [Tensor.zeros([1, 3, 2, column]), patch, Tensor.zeros([1, 3, 2, 6 - column])], 3)
            return Tensor.concatenated([Tensor.zeros([1, 3, row, 8]), wide, Tensor.zeros([1, 3, 6 - row, 8])], 2)
          }
          return x[number..<(number + 1)] * (1 - framed(Tensor.ones([1, 3, 2, 2])))
            + framed(made[number].reshaped(1, 3, 2, 2))
        }
        let z1 = model(Tensor.concatenated(images).contiguous(.channelsLast))
        let p = (z1.exp() / z1.exp().sum([1], keep: true)).narrowed(1, label..<(label + 1))
        let joint = through(net.statistics, Tensor.concatenated([made, z], 1)).mean()
        let apart = through(net.statistics, Tensor.concatenated([made, other], 1)).exp().mean().log()
        bounds.append((joint - apart).item())
        adam.step(minimizing: (threshold - p).clamped(min: 0).mean() - (joint - apart) * 0.2)
      }
      last = bounds.reduce(0, +) / 3
    }
    return (net, last)
  }

  @Test func runIsTheMethod() throws {
    let clean = ImageDataset.tiny(count: 11, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    let (c, seed) = (Self.settings(), Seed(21))
    let input = try DefenseInput(
      for: MaxEntropyStaircase.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5, model: model,
      cleanSplit: clean)
    let outcome = try MaxEntropyStaircase(c).run(input)
    let (found, verdict) = (try #require(outcome.model), try #require(outcome.verdict))

    let twin = try model.copied()
    twin.to(.channelsLast).eval().requiresGrad(false)
    let highest = (0..<4).map { searched("mesa-search", $0, 0.8, twin, clean, seed) }
    let labels = clean.labelArray()
    let shares = (0..<4).map { label -> Double in
      let others = labels.indices.filter { labels[$0] != label }
      let random = Generator(seed: seed("mesa/success", label))
      let triggers = noGrad { highest[label].network.triggers(random.uniform([others.count, 3])) }
      _ = random.uniform([others.count])
      let (rows, columns) = (random.integers(0..<7, [others.count]), random.integers(0..<7, [others.count]))
      let hits = others.enumerated().count { place, sample in
        let image = clean.pixels(sample..<(sample + 1)).clone()
        let (row, column) = (rows[place].intItem(), columns[place].intItem())
        noGrad {
          _ = image.narrowed(2, row..<(row + 2)).narrowed(3, column..<(column + 2)).copy_(
            triggers[place].reshaped(1, 3, 2, 2))
        }
        return noGrad { twin(image).argmax(1).intItem() } == label
      }
      return Double(hits) / Double(others.count)
    }
    #expect(verdict.classScores?.values == shares && Set(shares).count > 1, "\(shares)")
    let (own, flagged) = MaxEntropyStaircase(c).judge(shares, counts: (0..<4).map { y in labels.count { $0 != y } })
    #expect(own.isSuspicious && verdict.isSuspicious && verdict.label == own.label)

    // Unlearning: the mixture of all steps of the flagged classes.
    let mixture =
      flagged.map { highest[$0] } + flagged.map { searched("mesa-levels", $0, 0.4, twin, clean, seed) }
    let weights = mixture.map { exp($0.information) }
    twin.requiresGrad(true).train()
    let sgd = SGD(twin.parameters(), learningRate: 1, momentum: 0.9, weightDecay: 5e-4)
    for epoch in 0..<2 {
      sgd.learningRate = 0.05 * (1 + cos(.pi * Double(epoch) / 2)) / 2
      let order = Generator(seed: seed("mesa/shuffle", epoch)).permutation(11)
      let (augment, random) = (
        Generator(seed: seed("mesa/augment", epoch)), Generator(seed: seed("mesa/triggers", epoch))
      )
      for range in [0..<5, 5..<11] {
        let x = CropFlip(padding: 1, flip: true).gather(images: clean.images, indices: order[range], augment).clone()
        let z = random.uniform([2, 3])
        let picks = random.uniform([2]).array(Float.self)
        let (rows, columns) = (random.integers(0..<7, [2]), random.integers(0..<7, [2]))
        for image in 0..<2 {
          var rest = Double(picks[image]) * weights.reduce(0, +)
          let pick = weights.firstIndex { weight in
            defer { rest -= weight }
            return rest < weight
          }
          let net = mixture[try #require(pick)].network
          let (row, column) = (rows[image].intItem(), columns[image].intItem())
          noGrad {
            _ = x[image].narrowed(1, row..<(row + 2)).narrowed(2, column..<(column + 2)).copy_(
              net.triggers(z)[image].reshaped(3, 2, 2))
          }
        }
        sgd.step(minimizing: F.crossEntropy(twin(x.contiguous(.channelsLast)), clean.labels[order[range]]))
      }
    }
    for (a, b) in zip(found.snapshot(), twin.snapshot()) { expectClose(a.tensor, b.tensor, tolerance: 2e-3, a.key) }
    let exhibit = try #require(outcome.exhibits.first)
    #expect(
      (exhibit.perturbations.abs().sum([1]) .> 0).to(.int64).sum([1, 2]).array(Int64.self).allSatisfy { $0 <= 4 })
  }

  /// A model that is not suspicious comes back to the bit; a run that was killed in any stage ends alike; how many share
  /// a forward pass changes nothing but rounding.
  @Test func resumesAndLeavesCleanModels() throws {
    let clean = ImageDataset.tiny(count: 9, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    // Untrained, it gives all images one class, and everything leads there.
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.crop, recipe.flip) = (8, 10, 0, false)
    try Trainer(recipe).train(model, on: .tiny(count: 40, size: 8), context: TrainingContext(precision: .float32))
    struct Killed: Error {}
    func run(
      _ store: MemoryCheckpoints?, killedIn stage: String? = nil,
      _ edit: (inout MaxEntropyStaircase.Configuration) -> Void = { _ in }
    ) throws -> DefenseOutcome {
      var c = Self.settings()
      edit(&c)
      let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
      if let stage { context.onEpoch = { if $0.stage == stage, $0.epoch == 2 { throw Killed() } } }
      return try MaxEntropyStaircase(c).run(
        DefenseInput(
          for: MaxEntropyStaircase.self, training: context, seed: 5, model: model, cleanSplit: clean))
    }
    let whole = try run(nil)
    for stage in ["mesa-search", "mesa-levels", "mesa"] {
      let store = MemoryCheckpoints()
      #expect(throws: Killed.self) { try run(store, killedIn: stage) }
      #expect(try store.load(stage: stage)?.epoch == 1)
      expectSame(try #require(run(store).model).snapshot(), try #require(whole.model).snapshot(), stage)
    }
    let kept = try run(nil) { $0.works = 1 }
    expectSame(try #require(kept.model).snapshot(), model.snapshot())
    let alone = try #require(run(nil) { $0.together = 1 }.verdict?.classScores?.values)
    #expect(alone == whole.verdict?.classScores?.values)
  }

  @Test func refusals() throws {
    let data = ImageDataset.tiny(count: 8, size: 8)
    let model = try Classifier.tiny(for: data)
    for (edit, text): ((inout MaxEntropyStaircase.Configuration) -> Void, String) in [
      ({ $0.size = 9 }, "does not fit"), ({ $0.thresholds = [] }, "at least one"),
      ({ $0.thresholds = [0.5, 0.5] }, "each once"),
    ] {
      var c = Self.settings()
      edit(&c)
      let error = #expect(throws: DefenseError.self) { try MaxEntropyStaircase(c).purify(model, clean: data) }
      #expect(error?.description.contains(text) == true)
    }
    let two = ImageDataset.tiny(count: 8, size: 8, classes: 2)
    #expect(throws: DefenseError.self) {
      try MaxEntropyStaircase(Self.settings()).purify(Classifier.tiny(for: two), clean: two)
    }
  }
}
