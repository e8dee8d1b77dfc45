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

@testable import Defenses

/// The whole defense on a tiny set: stages, variants, what it tells, and that it goes on where it was interrupted.
@Suite struct DecouplingTests {
  private let data = ImageDataset.tiny(count: 40)

  private func configuration(_ edit: (inout DecouplingDefense.Configuration) -> Void = { _ in })
    -> DecouplingDefense.Configuration
  {
    var c = DecouplingDefense.Configuration()
    (c.pretrain.epochs, c.pretrain.batch) = (2, 20)
    (c.tune.epochs, c.tune.batch) = (2, 20)
    (c.finetune.epochs, c.finetune.iterations, c.finetune.batch) = (2, 2, 5)
    (c.supervised.epochs, c.supervised.batch) = (2, 20)
    c.embeddings = 7
    edit(&c)
    return c
  }

  private func input<D: Defense>(
    _ type: D.Type, _ context: TrainingContext, _ train: ImageDataset? = nil
  ) throws -> DefenseInput {
    try DefenseInput(
      for: type, training: context, seed: 2,
      architecture: { generator in
        try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16)).make(generator)
      }, poisonedTrain: train ?? data)
  }

  private func run(
    _ c: DecouplingDefense.Configuration, store: (any CheckpointStore)? = nil, on train: ImageDataset? = nil,
    onStart: ((String, Int) -> Void)? = nil, onEpoch: ((EpochReport) -> Void)? = nil
  ) throws -> DefenseOutcome {
    let context = TrainingContext(precision: .float32, seed: 2, checkpoints: store)
    context.onStart = onStart
    context.onEpoch = onEpoch
    return try DecouplingDefense(c).run(try input(DecouplingDefense.self, context, train))
  }

  /// Which stages each variant of table 3 has, and that the model comes from the last.
  @Test(arguments: [
    (DecouplingDefense.Variant.full, ["pretrain", "dbd-tune", "dbd-mixmatch"]),
    (.noSSL, ["dbd-supervised", "dbd-tune", "dbd-mixmatch"]), (.ssCE, ["pretrain", "dbd-tune"]),
    (.ssSCE, ["pretrain", "dbd-tune"]), (.ssSCETuning, ["pretrain", "dbd-tune", "dbd-tune-credible"]),
  ])
  func variants(_ variant: DecouplingDefense.Variant, _ stages: [String]) throws {
    var started: [String] = []
    let outcome = try run(configuration { $0.variant = variant }, onStart: { stage, _ in started.append(stage) })
    #expect(started == stages)
    let model = try #require(outcome.model)
    #expect(!model.isTraining && model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil })
    let (kept, rejected) = try #require(outcome.filtered)
    #expect(kept.count == 20 && (kept + rejected).sorted() == Array(0..<40))
    let suspicion = try #require(outcome.suspicion)
    #expect(try #require(kept.map { suspicion[$0] }.max()) <= (try #require(rejected.map { suspicion[$0] }.min())))
    let semi = variant == .full || variant == .noSSL
    #expect(
      outcome.scores.map(\.title) == (semi ? ["loss after stage 2", "loss after stage 3"] : ["loss after stage 2"]))
    for score in outcome.scores {
      #expect(score.values.count == 40 && score.values.allSatisfy { $0.isFinite })
      #expect(score.values.count { $0 <= (score.threshold ?? 0) } == 20)
    }
    #expect(outcome.scores.last?.values == suspicion)
    let embedding = try #require(outcome.embeddings.first)
    #expect(
      embedding.features.shape == [7, 16] && Set(embedding.indices).count == 7 && !embedding.features.requiresGrad)
  }

  /// Killed inside each stage and between them, in every variant with a stage of its own.
  @Test(arguments: [
    (DecouplingDefense.Variant.full, [1, 4, 6, 9, 12, 14, 17]), (.noSSL, [2, 5, 7]), (.ssSCETuning, [13, 15]),
  ])
  func resumesWithTheSameBits(_ variant: DecouplingDefense.Variant, _ interruptions: [Int]) throws {
    let c = configuration { $0.variant = variant }
    let whole = try run(c)
    for checks in interruptions {
      let store = MemoryCheckpoints()
      #expect(throws: Interrupted.self, "after \(checks)") {
        try Interruption.simulated(afterChecks: checks) { _ = try run(c, store: store) }
      }
      let resumed = try run(c, store: store)
      expectSame(try #require(resumed.model).snapshot(), try #require(whole.model).snapshot(), "after \(checks) checks")
      #expect(resumed.suspicion == whole.suspicion && resumed.filtered?.kept == whole.filtered?.kept)
      #expect(resumed.scores.map(\.values) == whole.scores.map(\.values))
      expectSame(resumed.embeddings[0].features, whole.embeddings[0].features)
    }
  }

  /// Stage 2 trains the last layer alone: frozen, the rest keeps every bit; moving, its batch statistics change.
  @Test(arguments: HeadTuning.Statistics.allCases) func headAlone(_ statistics: HeadTuning.Statistics) throws {
    let model = try Classifier.tiny(for: data)
    let before = model.snapshot()
    var tune = configuration().tune
    tune.statistics = statistics
    try tune.tune(model, on: data, flip: true, context: TrainingContext(precision: .float32), stage: "s")
    for (old, new) in zip(before, model.snapshot()) {
      let changed = (old.tensor .!= new.tensor).any().intItem() == 1
      let isStatistic = new.key.contains("running") || new.key.contains("num_batches")
      #expect(changed == (new.key.hasPrefix("linear") || statistics == .moving && isStatistic), "\(new.key)")
    }
  }

  /// ss-ce takes cross entropy whatever the setting.
  @Test func crossEntropyVariant() throws {
    func scores(_ edit: (inout DecouplingDefense.Configuration) -> Void) throws -> [Double] {
      try #require(run(configuration(edit)).scores.first).values
    }
    let ce = try scores { $0.variant = .ssCE }
    let set = try scores {
      $0.variant = .ssSCE
      $0.tune.loss = .ce
    }
    #expect(ce == set)
  }

  /// The score of a sample is the loss, with its weights, that the model in hand has on the image as it is.
  @Test(arguments: [RobustLoss.Kind.ce, .sce, .gce, .apl]) func scoresAreLosses(_ loss: RobustLoss.Kind) throws {
    let outcome = try run(
      configuration {
        ($0.variant, $0.tune.loss, $0.tune.sceAlpha, $0.tune.sceBeta, $0.tune.gceQ) = (.ssSCE, loss, 2.5, 0.3, 0.4)
      })
    let model = try #require(outcome.model)
    let p = noGrad { F.softmax(model(data.pixels(0..<40).contiguous(.channelsLast)), 1) }
    let k = data.classes
    let expected = zip(0..., data.labelArray()).map { row, label -> Double in
      let p = p[row].array(Float.self).map(Double.init)
      let (ce, wrong) = (-log(p[label]), p.indices.filter { $0 != label }.reduce(0) { $0 + p[$1] })
      let reverse = -log(1e-4) * wrong
      return switch loss {
      case .ce: ce
      case .sce: 2.5 * ce + 0.3 * reverse
      case .gce: (1 - pow(p[label], 0.4)) / 0.4
      case .apl: ce / (0..<k).reduce(0) { $0 - log(p[$1]) } + reverse
      }
    }
    for (found, expected) in zip(try #require(outcome.scores.first).values, expected) {
      expectClose(found, expected, tolerance: 1e-4)
    }
  }

  /// Augmented scoring is of one random crop and mirroring of each image, with draws of its own each time.
  @Test func scoring() throws {
    let model = try Classifier.tiny(for: data)
    let context = TrainingContext(precision: .float32)
    var tune = configuration().tune
    func losses(_ flip: Bool, _ seed: UInt64) -> Tensor {
      tune.split(data, by: model, share: 0.5, flip: flip, context: context, generator: Generator(seed: seed)).losses
    }
    func expected(_ images: Tensor) -> Tensor {
      model.eval()
      return noGrad { tune.robustLoss(model(images.contiguous(.channelsLast)), data.labels) }
    }
    let pixels = data.pixels(0..<data.count)
    expectSame(losses(true, 3), expected(pixels))
    tune.scoring = .augmented
    tune.crop = 0
    expectSame(losses(false, 3), expected(pixels))
    tune.crop = 3
    for flip in [true, false] {
      let changed = CropFlip(padding: 3, mode: .reflect, flip: flip)(pixels, Generator(seed: 3))
      expectClose(losses(flip, 3), expected(changed))
      #expect((losses(flip, 3) - losses(flip, 4)).abs().max().item() > 1e-3)
    }
  }

  /// A warm-up of all epochs is training by cross entropy; of none, by the loss itself.
  @Test func warmup() throws {
    func head(_ loss: RobustLoss.Kind, warmup: Int) throws -> [(key: String, tensor: Tensor)] {
      let model = try Classifier.tiny(for: data)
      var tune = configuration().tune
      (tune.loss, tune.warmup) = (loss, warmup)
      try tune.tune(model, on: data, flip: true, context: TrainingContext(precision: .float32), stage: "s")
      return model.snapshot().filter { $0.key == "linear.weight" }
    }
    func same(_ a: [(key: String, tensor: Tensor)], _ b: [(key: String, tensor: Tensor)]) -> Bool {
      (a[0].tensor .!= b[0].tensor).any().intItem() == 0
    }
    let (sce, ce) = (try head(.sce, warmup: 0), try head(.ce, warmup: 0))
    let (half, all) = (try head(.sce, warmup: 1), try head(.sce, warmup: 2))
    // The mean of cross entropies by one call and by two may round differently.
    expectClose(all[0].tensor, ce[0].tensor, tolerance: 1e-4)
    #expect(!same(sce, ce) && !same(half, sce) && !same(half, all))
  }

  /// The variant without self-supervision starts stage 2 with a fresh last layer.
  @Test func freshHead() throws {
    let c = configuration {
      $0.variant = .noSSL
      $0.tune.epochs = 0
      $0.finetune.epochs = 0
      $0.embeddings = 0
    }
    let context = TrainingContext(precision: .float32, seed: 2)
    let given = try input(DecouplingDefense.self, context)
    let outcome = try DecouplingDefense(c).run(given)
    let model = try #require(outcome.model).stateDict()
    for key in ["linear.weight", "linear.bias"] {
      expectSame(try #require(model[key]), try #require(try given.makeModel("head").stateDict()[key]))
    }
    #expect(outcome.scores[0].values == outcome.scores[1].values)
    #expect(outcome.embeddings.isEmpty)
    #expect(
      (try #require(model["conv1.weight"]) .!= (try #require(given.makeModel().stateDict()["conv1.weight"]))).any()
        .intItem() == 1)
  }

  /// Stage 3 learns from credible samples alone and says so.
  @Test func reports() throws {
    var selected: [[Int]] = []
    var measured: [String: Bool] = [:]
    var expected: [[Int]] = []
    _ = try run(
      configuration(),
      onEpoch: { report in
        measured[report.stage] = report.isMeasured
        // The split of an epoch is that of the model as the epoch before left it.
        if let model = report.model as? Classifier,
          report.stage == "dbd-mixmatch" || report.stage == "dbd-tune" && report.epoch == 2
        {
          let context = TrainingContext(precision: .float32)
          expected.append(
            configuration().tune.split(data, by: model, share: 0.5, context: context, generator: Generator(seed: 0))
              .credible.array(Int64.self).map(Int.init))
        }
        if let chosen = report.selected { selected.append(chosen) }
      })
    #expect(selected.count == 2 && selected.allSatisfy { $0.count == 20 })
    #expect(selected == Array(expected.prefix(2)) && selected[0] != selected[1], "chosen anew before each epoch")
    #expect(measured == ["pretrain": false, "dbd-tune": true, "dbd-mixmatch": true])
  }

  /// Half of each label's samples in every epoch, and in the end.
  @Test func splitsWithinClassesIfAsked() throws {
    var selected: [[Int]] = []
    let outcome = try run(
      configuration { $0.within = .class },
      onEpoch: { report in if let chosen = report.selected { selected.append(chosen) } })
    let labels = data.labelArray()
    let half = Dictionary(grouping: labels, by: { $0 }).mapValues { $0.count / 2 }
    #expect(selected.count == 2)
    for kept in selected + [try #require(outcome.filtered).kept] {
      #expect(Dictionary(grouping: kept, by: { labels[$0] }).mapValues(\.count) == half)
    }
  }

  @Test func keepsTheFirstSplitIfAsked() throws {
    var selected: [[Int]] = []
    _ = try run(
      configuration { $0.resplit = false },
      onEpoch: { report in if let chosen = report.selected { selected.append(chosen) } })
    #expect(selected.count == 2 && selected[0] == selected[1])
  }

  /// Wrong labels of an easy set have the large losses: the filter rejects them.
  @Test(arguments: [RobustLoss.Kind.sce, .gce, .apl]) func filterFindsWrongLabels(_ loss: RobustLoss.Kind) throws {
    let clean = ImageDataset.tiny(count: 80)
    let wrong = Set(stride(from: 0, to: 80, by: 10).map { $0 })
    let labels = clean.labelArray().enumerated().map {
      Int64(wrong.contains($0.offset) ? ($0.element + 1) % 4 : $0.element)
    }
    var c = DecouplingFilter.Configuration()
    (c.pretrain.epochs, c.pretrain.batch, c.pretrain.period, c.pretrain.learningRate) = (12, 20, nil, 2)
    (c.pretrain.smallestCrop, c.pretrain.blur, c.flip) = (0.9, 0, false)
    (c.tune.epochs, c.tune.batch, c.tune.learningRate, c.tune.loss, c.tune.crop) = (25, 20, 0.05, loss, 0)
    let context = TrainingContext(precision: .float32, seed: 2)
    let outcome = try DecouplingFilter(c).run(
      try input(DecouplingFilter.self, context, clean.relabeled(Tensor(labels))))
    let (kept, rejected) = try #require(outcome.filtered)
    #expect(outcome.model == nil && kept.count == 40 && (kept + rejected).sorted() == Array(0..<80))
    #expect(kept.count { wrong.contains($0) } == 0, "\(kept)")
    let suspicion = try #require(outcome.suspicion)
    func mean(_ side: [Int]) -> Double { side.map { suspicion[$0] }.reduce(0, +) / Double(side.count) }
    #expect(mean(Array(wrong)) > 2 * mean((0..<80).filter { !wrong.contains($0) }))
  }

  @Test func impossibleSettings() throws {
    for (edit, key) in [
      ({ $0.tune.crop = 16 }, "tune.crop"), ({ $0.finetune.crop = 20 }, "finetune.crop"),
      ({ $0.credible = 0.001 }, "credible"), ({ ($0.credible, $0.within) = (0.04, .class) }, "credible"),
    ] as [((inout DecouplingDefense.Configuration) -> Void, String)] {
      let error = #expect(throws: DefenseError.self) { _ = try run(configuration(edit)) }
      #expect(error?.description.hasPrefix("defense.\(key) ") == true)
    }
  }
}
