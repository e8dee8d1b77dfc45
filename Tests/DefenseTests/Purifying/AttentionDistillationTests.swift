import Backdoor
import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Neural Attention Distillation against its description.
@Suite struct AttentionDistillationTests {
  @Test(arguments: [2, 3]) func attentionIsPythons(_ power: Int) throws {
    let golden = try Golden("purifiers")
    let shapes = [[3, 4, 5, 5], [3, 6, 3, 3], [3, 8, 2, 2], [3, 8, 1, 1]]
    let own = shapes.enumerated().map { pattern($1, 0.1 + Double($0)).requiresGrad_() }
    let taught = shapes.enumerated().map { pattern($1, 0.9 + Double($0)) }
    expectClose(
      AttentionDistillation.attention(taught[0], power: Double(power)), try golden.tensor("nad/\(power)/map"))
    for (name, betas) in [("three", [50.0, 100, 70]), ("two", [30.0, 90])] {
      let loss = AttentionDistillation.attentionLoss(own, taught, betas: betas, power: Double(power))
      expectClose(loss.detach(), try golden.tensor("nad/\(power)/\(name)/loss"))
      expectClose(gradient(of: loss, at: own[1]), try golden.tensor("nad/\(power)/\(name)/grad"), tolerance: 1e-4)
    }
    // More weights than stages: the first ones are left over.
    let long = AttentionDistillation.attentionLoss(own, taught, betas: [9, 50, 100, 70], power: Double(power))
    expectClose(long.detach(), try golden.tensor("nad/\(power)/three/loss"))
  }

  private static let cases: [String: @Sendable (inout AttentionDistillation.Configuration) -> Void] = [
    "cutout": { _ in },
    "none, other power": { ($0.cutout, $0.power, $0.betas, $0.crop) = (0, 3, [40, 5], 0) },
  ]

  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    var c = AttentionDistillation.Configuration()
    (c.teacherEpochs, c.epochs, c.batch, c.rates, c.milestones) = (2, 3, 5, [0.05, 0.02, 0.004], [1, 2])
    (c.momentum, c.weightDecay, c.betas, c.crop, c.flip, c.cutout) = (0.6, 0.02, [20, 10, 30], 2, false, 5)
    let edit = try #require(Self.cases[name])
    edit(&c)
    let clean = ImageDataset.tiny(count: 12, size: 12, seed: 8)
    let (model, seed) = (try Classifier.tiny(for: clean, width: 3, seed: 3).eval(), Seed(21))
    let input = try DefenseInput(
      for: AttentionDistillation.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5,
      model: model, cleanSplit: clean)
    let found = try #require(AttentionDistillation(c).run(input).model)

    func map(_ f: Tensor) -> Tensor {
      let a = f.abs().pow(c.power).sum([1])
      return a / ((a * a).sum([1, 2], keep: true).sqrt() + 1e-6)
    }
    let (teacher, student) = (try model.copied(), try model.copied())
    for (net, stage, epochs) in [(teacher, "nad-teacher", 2), (student, "nad", 3)] {
      net.to(.channelsLast).train()
      let sgd = SGD(net.parameters(), learningRate: 1, momentum: 0.6, weightDecay: 0.02, nesterov: true)
      for epoch in 0..<epochs {
        sgd.learningRate = [0.05, 0.02, 0.004][epoch]
        let order = Generator(seed: seed("\(stage)/shuffle", epoch)).permutation(12)
        let augment = Generator(seed: seed("\(stage)/augment", epoch))
        let holes = Generator(seed: seed("\(stage)/cutout", epoch))
        for range in [0..<5, 5..<10, 10..<12] {
          var x = CropFlip(padding: c.crop, flip: false).gather(images: clean.images, indices: order[range], augment)
          if c.cutout > 0 { x = Cutout(size: c.cutout)(x, holes) }
          let y = clean.labels[order[range]]
          guard net === student else {
            sgd.step(minimizing: F.crossEntropy(net(x), y))
            continue
          }
          let goal = noGrad { teacher.features(x).stages }
          let (z, features) = student.logitsAndFeatures(x)
          var loss = Tensor(0)
          for (back, beta) in c.betas.reversed().enumerated() {
            let at = 2 - back
            loss = F.mseLoss(map(features.stages[at]), map(goal[at])) * beta + loss
          }
          sgd.step(minimizing: F.crossEntropy(z, y) + loss)
        }
      }
      net.eval()
    }
    for (a, b) in zip(found.snapshot(), student.snapshot()) { expectClose(a.tensor, b.tensor, tolerance: 2e-5, a.key) }
    #expect(zip(found.snapshot(), teacher.snapshot()).contains { ($0.tensor - $1.tensor).abs().max().item() > 0.01 })
  }

  @Test func resumes() throws {
    let clean = ImageDataset.tiny(count: 12, size: 8, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 3, seed: 3)
    struct Killed: Error {}
    func run(_ store: MemoryCheckpoints?, killed: Bool = false) throws -> Classifier {
      var c = AttentionDistillation.Configuration()
      (c.teacherEpochs, c.epochs, c.batch) = (2, 3, 5)
      let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
      if killed { context.onEpoch = { if $0.stage == "nad", $0.epoch == 2 { throw Killed() } } }
      return try AttentionDistillation(c).purify(model, clean: clean, context: context)
    }
    let (whole, store) = (try run(nil), MemoryCheckpoints())
    #expect(throws: Killed.self) { try run(store, killed: true) }
    expectSame(try run(store).snapshot(), whole.snapshot())
  }

  @Test func badSettings() throws {
    let clean = ImageDataset.tiny(count: 8, size: 8)
    let model = try Classifier.tiny(for: clean)
    for (rates, milestones) in [([0.1], [2]), ([0.1, 0.01], []), ([0.1, 0.1, 0.1], [4, 2])] {
      var c = AttentionDistillation.Configuration()
      (c.rates, c.milestones) = (rates, milestones)
      let error = #expect(throws: DefenseError.self) { try AttentionDistillation(c).purify(model, clean: clean) }
      #expect(error?.description.contains("defense.milestones") == true)
    }
    var c = AttentionDistillation.Configuration()
    c.betas = []
    let error = #expect(throws: DefenseError.self) { try AttentionDistillation(c).purify(model, clean: clean) }
    #expect(error?.description.hasPrefix("defense.betas is empty") == true)
  }
}
