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

/// Neural Cleanse: search, cost, index, verdict and unlearning against their descriptions.
@Suite struct NeuralCleanseTests {
  private let context = TrainingContext(precision: .float32)

  @Test func lossIsPythons() throws {
    let golden = try Golden("purifiers")
    let model = PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8).eval()
    let images = imagePattern([6, 3, 16, 16], 0.5).quantized().unitPixels()
    let classes = [7, 2]
    let masks = classes.map { pattern([1, 16, 16], 0.3 + Double($0)).requiresGrad_() }
    let patterns = classes.map { pattern([3, 16, 16], 1.3 + Double($0)).requiresGrad_() }
    let step = TriggerSearch.losses(
      model, images, masks: masks, patterns: patterns, targets: classes, costs: [0.01, 0.002], context)
    step.total.backward()
    expectClose(step.total.detach(), try golden.tensor("nc/total"))
    expectClose(step.success, try golden.tensor("nc/success"))
    expectClose(step.norms, try golden.tensor("nc/norms"))
    for (place, number) in classes.enumerated() {
      let (mask, pattern) = (try #require(masks[place].grad), try #require(patterns[place].grad))
      expectClose(mask, try golden.tensor("nc/grad_mask/\(number)"), tolerance: 1e-3)
      expectClose(pattern, try golden.tensor("nc/grad_pattern/\(number)"), tolerance: 1e-3)
    }
  }

  @Test func costFollowsTheSchedule() throws {
    let rows = try Golden("purifiers").settings["nc"]["schedule"].list().map { try $0.numbers() }
    var rule = CostSchedule.Rule()
    (rule.initial, rule.patience, rule.multiplier, rule.stopPatience, rule.stopThreshold) = (0.004, 3, 1.5, 6, 0.99)
    var schedule = CostSchedule(rule)
    var best = Double.infinity
    try #require(rows.count == 40)
    for (epoch, row) in rows.enumerated() {
      if !schedule.isStopped {
        let isBest = schedule.update(success: row[0], norm: row[1], rule)
        #expect(isBest == (row[3] >= 0 && row[3] < best), "epoch \(epoch)")
      }
      if row[3] >= 0 { best = row[3] }
      expectClose(schedule.cost, row[2], tolerance: 1e-12, "epoch \(epoch)")
      #expect((schedule.best.isFinite ? schedule.best : -1) == row[3] && schedule.isStopped == (row[4] == 1))
      #expect(CostSchedule(numbers: schedule.numbers) == schedule)
    }
    #expect(schedule.isStopped)
    rule.zeroStart = false
    #expect(CostSchedule(rule).cost == 0.004)
  }

  @Test func indexIsNumpys() throws {
    for item in try Golden("purifiers").settings["nc"]["index"].list() {
      let (found, expected) = (AnomalyIndex.indices(of: try item[0].numbers()), try item[1].numbers())
      try #require(found.count == expected.count)
      for (index, value) in zip(found, expected) { expectClose(index, value, tolerance: 1e-12) }
    }
  }

  /// The index of the logarithms is that of the logarithms, has no ceiling where the norms' has one, and takes masks of
  /// no size for those of one byte of a pixel.
  @Test func logarithmicIndex() {
    // A BadNets model of width 8 on CIFAR-10: the target's mask has 4 pixels, the others are widely spread.
    let spread = [4.1, 35, 60, 88, 107, 130, 149, 180, 201, 227]
    // numpy: m = median(log n); (m - log n) / (1.4826 median|log n - m|)
    expectClose(AnomalyIndex.logarithmicIndices(of: spread)[0], 4.7406, tolerance: 1e-3)
    let ceiling = AnomalyIndex.median(spread) / (1.4826 * AnomalyIndex.median(spread.map { abs($0 - 118.5) }))
    #expect(AnomalyIndex.indices(of: spread)[0] < ceiling && ceiling < 1.5)
    let scaled = AnomalyIndex.logarithmicIndices(of: spread.map { $0 * 7 })
    for (a, b) in zip(scaled, AnomalyIndex.logarithmicIndices(of: spread)) { expectClose(a, b, tolerance: 1e-9) }
    let empty = AnomalyIndex.logarithmicIndices(of: [0, 30, 34, 26])
    #expect(empty[0].isFinite && empty == AnomalyIndex.logarithmicIndices(of: [1 / 255.0, 30, 34, 26]))

    let judged = NeuralCleanse().judge(spread)
    #expect(judged.verdict.isSuspicious && judged.flagged == [0] && judged.verdict.null.contains("log-normal"))
    for null in AnomalyIndex.Null.allCases {
      var c = NeuralCleanse.Configuration()
      (c.index, c.null, c.simulations) = (.norms, null, 2000)
      #expect(!NeuralCleanse(c).judge(spread).verdict.isSuspicious)
    }
  }

  /// The shares of clean models that the published rule flags, and the indices that 5% reach: simulated independently
  /// in Python with 20,000 models (33% at 10 classes, 3.91 and 3.46 at 10 and 43).
  @Test func cleanModelsReachTheIndexThatOften() {
    let ten = AnomalyIndex.Simulation(classes: 10, null: .normal, models: 6000)
    #expect(abs(ten.share(reaching: 2) - 0.33) < 0.02, "\(ten.share(reaching: 2))")
    #expect(abs(ten.index(reachedBy: 0.05) - 3.91) < 0.25, "\(ten.index(reachedBy: 0.05))")
    let narrow = AnomalyIndex.Simulation(classes: 10, null: .logNormal, models: 4000)
    #expect(abs(narrow.share(reaching: 2) - 0.14) < 0.02, "\(narrow.share(reaching: 2))")
    let many = AnomalyIndex.Simulation(classes: 43, null: .normal, models: 1500)
    #expect(abs(many.share(reaching: 2) - 0.64) < 0.04 && abs(many.index(reachedBy: 0.05) - 3.46) < 0.3)
    // Both sides of the same step: the threshold is reached by no more than the share.
    for share in [0.3, 0.05, 0.01] { #expect(ten.share(reaching: ten.index(reachedBy: share)) <= share) }
    #expect(ten.share(reaching: -.infinity) == 1 && ten.share(reaching: .infinity) == 0)
  }

  @Test func verdicts() {
    func judged(_ norms: [Double], _ edit: (inout NeuralCleanse.Configuration) -> Void = { _ in })
      -> (suspicious: Bool, flagged: [Int], verdict: ModelVerdict)
    {
      var c = NeuralCleanse.Configuration()
      (c.simulations, c.index) = (2000, .norms)
      edit(&c)
      let (verdict, flagged, order) = NeuralCleanse(c).judge(norms)
      #expect(verdict.label == order.first && verdict.classScores?.values == norms)
      return (verdict.isSuspicious, flagged, verdict)
    }
    // Index 2.5 of class 3: the published rule calls it backdoored, and so many clean models reach it that the other
    // one does not.
    let mild = [30.0, 34, 26, 19.3, 31, 35, 27, 33, 29, 28]
    #expect(judged(mild).suspicious == false && judged(mild).flagged == [])
    #expect(judged(mild) { $0.rule = .published }.flagged == [3])
    #expect(judged(mild) { ($0.rule, $0.threshold) = (.published, 4) }.suspicious == false)
    #expect(judged(mild) { $0.falseAlarms = 0.5 }.flagged == [3])
    #expect(judged(mild) { $0.falseAlarms = 1 }.suspicious)
    // The same on the large side is no sign of a backdoor.
    #expect(judged(mild.map { 60 - $0 }) { $0.rule = .published }.suspicious == false)
    let strong = [30.0, 34, 26, 3, 31, 35, 27, 33, 5, 28]
    #expect(judged(strong).flagged == [3, 8])
    #expect(judged(strong).verdict.pValue < 0.05 && judged(strong).verdict.threshold > 3)
    #expect(judged([5, 5, 5, 5]).suspicious == false)
    // The logarithms' index has the same threshold, and the published rule takes the norms whatever the other one does.
    let logarithmic = judged(strong) { $0.index = .logarithms }
    #expect(logarithmic.flagged == [3, 8] && logarithmic.verdict.threshold == judged(strong).verdict.threshold)
    expectClose(logarithmic.verdict.value, AnomalyIndex.logarithmicIndices(of: strong)[3], tolerance: 1e-12)
    let published = judged(mild) { ($0.rule, $0.index) = (.published, .logarithms) }
    #expect(published.verdict.value == judged(mild).verdict.value && published.verdict.statistic == "anomaly index")
  }

  private static let cases: [String: @Sendable (inout NeuralCleanse.Configuration) -> Void] = [
    "one by one": { $0.together = 1 },
    "three together": { $0.together = 3 },
    "weight at once": { ($0.zeroStart, $0.together, $0.success, $0.stopThreshold) = (false, 1, 0.6, 0.9) },
    "nothing works": { ($0.success, $0.together, $0.batch) = (1, 1, 6) },
  ]

  /// A run with the method written out, one class after the other: search, verdict, and unlearning.
  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    let clean = ImageDataset.tiny(count: 11, size: 12, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.crop, recipe.flip) = (8, 10, 0, false)
    try Trainer(recipe).train(model, on: .tiny(count: 40, size: 12), context: context)
    var c = NeuralCleanse.Configuration()
    (c.epochs, c.batch, c.learningRate, c.initialCost) = (16, 4, 0.3, 0.02)
    (c.multiplier, c.patience, c.success, c.stopPatience) = (1.7, 2, 0.7, 3)
    (c.falseAlarms, c.stamped, c.simulations) = (1, 0.45, 100)
    (c.unlearning.epochs, c.unlearning.batch, c.unlearning.learningRate) = (2, 5, 0.05)
    let edit = try #require(Self.cases[name])
    edit(&c)
    let seed = Seed(21)
    let input = try DefenseInput(
      for: NeuralCleanse.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5, model: model,
      cleanSplit: clean)
    let outcome = try NeuralCleanse(c).run(input)
    let (found, verdict) = (try #require(outcome.model), try #require(outcome.verdict))

    let twin = try model.copied()
    twin.to(.channelsLast).eval().requiresGrad(false)
    func unit(_ x: Tensor) -> Tensor { x.tanh() * (1 / (2 + 1e-7)) + 0.5 }
    var (masks, patterns, stops): ([Tensor], [Tensor], [Int]) = ([], [], [])
    for target in 0..<4 {
      let random = Generator(seed: seed("nc-search/start", target))
      func start(_ shape: [Int]) -> Tensor {
        ((random.uniform(shape) - 0.5) * 2).clamped(-0.999999, 0.999999).atanh().requiresGrad_()
      }
      let (m, p) = (start([1, 12, 12]), start([3, 12, 12]))
      let adam = Adam([m, p], learningRate: c.learningRate, betas: (0.5, 0.9))
      var schedule = CostSchedule(c.costRule)
      var kept = (m, p)
      for epoch in 0..<c.epochs where !schedule.isStopped {
        let order = Generator(seed: seed("nc-search/shuffle", epoch)).permutation(11)
        var (successes, norms): ([Double], [Double]) = ([], [])
        for first in stride(from: 0, to: 11, by: c.batch) {
          let x = clean.images[order[first..<min(first + c.batch, 11)]].to(.float32) * (1 / 255.0)
          let stamped = ((1 - unit(m)) * x + unit(m) * unit(p)).contiguous(.channelsLast)
          let z = twin(stamped)
          let wanted = Tensor.full([x.dimension(0)], Double(target), dtype: .int64)
          let norm = unit(m).sum()
          successes.append((z.argmax(1) .== wanted).to(.float32).mean().item())
          norms.append(norm.item())
          adam.step(minimizing: F.crossEntropy(z, wanted) + norm * schedule.cost)
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        if schedule.update(success: mean(successes), norm: mean(norms), c.costRule) || !schedule.best.isFinite {
          kept = noGrad { (unit(m), unit(p)) }
        }
        if schedule.isStopped { stops.append(epoch) }
      }
      masks.append(kept.0.detach())
      patterns.append(kept.1.detach())
    }
    if name == "one by one" { #expect(!stops.isEmpty && Set(stops).count < 16, "\(stops)") }
    let norms = masks.map { $0.sum().item() }
    let scores = try #require(verdict.classScores?.values)
    try #require(scores.count == norms.count)
    for (a, b) in zip(scores, norms) { expectClose(a, b, tolerance: 1e-3) }
    let smallest = try #require(norms.indices.min { norms[$0] < norms[$1] })
    #expect(verdict.label == smallest && verdict.isSuspicious)
    let trigger = try #require(verdict.trigger)
    expectClose(trigger.mask, masks[smallest], tolerance: 1e-3)
    expectClose(trigger.pattern, patterns[smallest], tolerance: 1e-3)
    let exhibit = try #require(outcome.exhibits.first)
    expectClose(
      exhibit.perturbations[2], masks[smallest] * (patterns[smallest] - clean.pixels(2..<3)[0]), tolerance: 1e-3)

    // Unlearning with the triggers that were found: the flagged classes, smallest mask first.
    let indices = AnomalyIndex.logarithmicIndices(of: norms)
    let threshold = AnomalyIndex.Simulation(classes: 4, null: .normal, models: 100).index(reachedBy: 1)
    let flagged = (0..<4).filter { indices[$0] >= threshold }.sorted { norms[$0] < norms[$1] }
    let used = flagged.isEmpty ? [smallest] : flagged
    let images = clean.images.clone()
    for (place, row) in clean.sample(count: 5, seed: 5, stream: "nc/stamped").enumerated() {
      let (m, p) = (masks[used[place % used.count]], patterns[used[place % used.count]])
      let stamped = (1 - m) * (clean.images[row].to(.float32) * (1 / 255.0)) + m * p
      images[row].copy_((stamped * 255).round().clamped(0, 255).to(.uint8))
    }
    twin.requiresGrad(true).train()
    let sgd = SGD(twin.parameters(), learningRate: 1, momentum: 0.9, weightDecay: 5e-4)
    for epoch in 0..<2 {
      sgd.learningRate = 0.05 * (1 + cos(.pi * Double(epoch) / 2)) / 2
      let order = Generator(seed: seed("nc/shuffle", epoch)).permutation(11)
      let augment = Generator(seed: seed("nc/augment", epoch))
      // The last image joins the batch before it.
      for range in [0..<5, 5..<11] {
        let x = CropFlip().gather(images: images, indices: order[range], augment)
        sgd.step(minimizing: F.crossEntropy(twin(x), clean.labels[order[range]]))
      }
    }
    for (a, b) in zip(found.snapshot(), twin.snapshot()) { expectClose(a.tensor, b.tensor, tolerance: 1e-3, a.key) }
  }

  /// A model that is not suspicious comes back to the bit, and a run that was killed in the search ends alike.
  @Test func resumesAndLeavesCleanModels() throws {
    let clean = ImageDataset.tiny(count: 9, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    struct Killed: Error {}
    func run(_ store: MemoryCheckpoints?, killed: Bool = false) throws -> DefenseOutcome {
      var c = NeuralCleanse.Configuration()
      (c.epochs, c.batch, c.patience, c.success, c.falseAlarms, c.simulations) = (7, 4, 1, 0.5, 0, 200)
      let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
      if killed { context.onEpoch = { if $0.epoch == 4 { throw Killed() } } }
      let input = try DefenseInput(
        for: NeuralCleanse.self, training: context, seed: 5, model: model, cleanSplit: clean)
      return try NeuralCleanse(c).run(input)
    }
    let (whole, store) = (try run(nil), MemoryCheckpoints())
    expectSame(try #require(whole.model).snapshot(), model.snapshot())
    #expect(throws: Killed.self) { try run(store, killed: true) }
    #expect(try store.load(stage: "nc-search")?.epoch == 3)
    let (again, first) = (try #require(run(store).verdict), try #require(whole.verdict))
    #expect(again.classScores?.values == first.classScores?.values && again.value == first.value)
    expectSame(try #require(again.trigger).pattern, try #require(first.trigger).pattern)
  }

  /// Where several classes are flagged, their triggers take turns.
  @Test func triggersTakeTurns() {
    let clean = ImageDataset.tiny(count: 20, size: 8, seed: 8)
    let mask = Tensor.ones([1, 8, 8])
    let triggers = [0.2, 0.4, 1].map { ReconstructedTrigger(mask: mask, pattern: Tensor.full([3, 8, 8], $0)) }
    var c = NeuralCleanse.Configuration()
    c.stamped = 0.4
    let data = NeuralCleanse(c).stamped(clean, triggers, Seed(5))
    let kept = (data.images .== clean.images).to(.int64).flattened(1).min([1]).sum().intItem()
    let counts = [51, 102, 255].map { (data.images .== $0).to(.int64).flattened(1).min([1]).sum().intItem() }
    #expect(kept == 12 && counts == [3, 3, 2], "\(kept), \(counts)")
    #expect(data.labelArray() == clean.labelArray())
  }

  @Test func twoClassesAreTooFew() throws {
    let data = ImageDataset.tiny(count: 8, size: 8, classes: 2)
    let error = #expect(throws: DefenseError.self) {
      try NeuralCleanse().purify(Classifier.tiny(for: data), clean: data)
    }
    #expect(error?.description.contains("at least 3") == true)
  }

  @Test func imagesOfOneClassAreTooFew() throws {
    let data = ImageDataset.tiny(count: 8, size: 8)
    let one = data.relabeled(Tensor([Int64](repeating: 1, count: 8)))
    let error = #expect(throws: DefenseError.self) {
      try NeuralCleanse().purify(Classifier.tiny(for: data), clean: one)
    }
    #expect(error?.description.contains("of one class") == true)
  }
}
