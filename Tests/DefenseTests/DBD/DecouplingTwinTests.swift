import Backdoor
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

/// Whole runs against the method written out here from Huang et al. 2022 (section 4, appendix B.3): stage 2 and the
/// splits step by step, stage 3 in `MixMatchTwin`, stage 1 as a part that has a twin of its own. A third of the labels is
/// credible, some labels are wrong, every setting is off its default in at least one case.
@Suite struct DecouplingTwinTests {
  typealias Configuration = DecouplingDefense.Configuration
  typealias Edit = @Sendable (inout DecouplingDefense.Configuration) -> Void
  static let cases: [(name: String, edit: Edit)] = [
    ("full", { _ in }),
    (
      "augmented scores, moving statistics",
      { ($0.tune.scoring, $0.tune.statistics, $0.flip, $0.pretrain.flip) = (.augmented, .moving, true, false) }
    ),
    ("first split, gce", { ($0.resplit, $0.tune.loss, $0.tune.gceQ, $0.within) = (false, .gce, 0.4, .class) }),
    ("no-ssl", { ($0.variant, $0.tune.scoring) = (.noSSL, .augmented) }),
    ("ss-ce", { ($0.variant, $0.tune.warmup) = (.ssCE, 0) }),
    ("ss-sce-tuning", { ($0.variant, $0.credible, $0.embeddings) = (.ssSCETuning, 0.6, 9) }),
  ]
  private let data = {
    let data = ImageDataset.tiny(count: 24, seed: 3)
    let labels = data.labelArray().enumerated().map { Int64($0 % 5 == 2 ? ($1 + 2) % 4 : $1) }
    return data.relabeled(Tensor(labels))
  }()

  private func configuration(_ edit: Edit) -> Configuration {
    var c = Configuration()
    (c.pretrain.epochs, c.pretrain.batch, c.pretrain.learningRate, c.pretrain.hidden) = (2, 8, 10, 6)
    (c.tune.epochs, c.tune.warmup, c.tune.batch, c.tune.learningRate, c.tune.crop) = (2, 1, 7, 0.05, 2)
    (c.tune.sceAlpha, c.tune.sceBeta, c.credible, c.flip, c.embeddings) = (0.7, 0.2, 0.33, false, 1000)
    (c.finetune.epochs, c.finetune.iterations, c.finetune.batch, c.finetune.learningRate) = (2, 2, 5, 0.02)
    (c.finetune.mixing, c.finetune.unlabeledWeight, c.finetune.crop, c.finetune.views) = (0.5, 8, 1, 3)
    (c.supervised.epochs, c.supervised.batch, c.supervised.learningRate, c.supervised.milestones) = (2, 6, 0.05, [1])
    edit(&c)
    return c
  }

  @Test(arguments: cases.map(\.name)) func runIsTheMethod(_ name: String) throws {
    let c = configuration(try #require(Self.cases.first { $0.name == name }).edit)
    let context = TrainingContext(precision: .float32, seed: 7)
    let input = try DefenseInput(
      for: DecouplingDefense.self, training: context, seed: 4, architecture: { BiasFree(classes: 4, $0) },
      poisonedTrain: data)
    let outcome = try DecouplingDefense(c).run(input)
    let twin = DecouplingTwin(c, data, seed: 7)
    let expected = try twin.run(input)

    for (a, b) in zip(try #require(outcome.model).snapshot(), expected.model.snapshot()) {
      expectClose(a.tensor, b.tensor, tolerance: 2e-4, a.key)
    }
    #expect(outcome.filtered?.kept == expected.last.credible.map(Int.init).sorted())
    #expect(outcome.filtered?.rejected == expected.last.other.map(Int.init).sorted())
    let stages = [expected.first] + ([.full, .noSSL].contains(c.variant) ? [expected.last] : [])
    #expect(outcome.scores.count == stages.count)
    for (found, split) in zip(
      outcome.scores + [SampleScores(title: "", values: outcome.suspicion ?? [])], stages + [expected.last])
    {
      for (a, b) in zip(found.values, split.losses) { expectClose(a, b, tolerance: 1e-3, floor: 0.1, found.title) }
      #expect(found.values.count == 24)
    }
    if stages.count == 2 { #expect(expected.first.credible != expected.last.credible) }
    let embedding = try #require(outcome.embeddings.first)
    #expect(embedding.indices.count == min(c.embeddings, 24))
    expectClose(
      embedding.features, expected.features[Tensor(embedding.indices.map(Int64.init))], tolerance: 1e-4, "features")
  }
}

private struct DecouplingTwin {
  struct Split {
    let losses: [Double]
    let credible: [Int64]
    let other: [Int64]
  }
  let c: DecouplingDefense.Configuration
  let data: ImageDataset
  let seed: Seed

  init(_ c: DecouplingDefense.Configuration, _ data: ImageDataset, seed: Seed) {
    (self.c, self.data, self.seed) = (c, data, seed)
  }

  func run(_ input: DefenseInput) throws -> (model: Classifier, first: Split, last: Split, features: Tensor) {
    let model = try input.makeModel()
    let context = TrainingContext(precision: .float32, seed: seed)
    if c.variant == .noSSL {
      var recipe = c.supervised
      recipe.flip = c.flip
      try Trainer(recipe, stage: "dbd-supervised").train(model, on: data, context: context)
      let fresh = try input.makeModel("head").stateDict()
      noGrad {
        for (key, tensor) in model.namedParameters() where key.hasPrefix("linear") { tensor.copy_(fresh[key]!) }
      }
    } else {
      // Labels cannot matter: they are other ones here.
      var pretrain = c.pretrain
      pretrain.flip = c.flip && c.pretrain.flip
      try pretrain.pretrain(
        model, on: data.relabeled(Tensor.zeros([24], dtype: .int64)), context: context)
    }
    model.to(.channelsLast).eval()
    let features = noGrad { model.features(data.pixels(0..<24).contiguous(.channelsLast)).penultimate }

    tune(model, Array(0..<24), "dbd-tune")
    let first = split(model, 0)
    switch c.variant {
    case .ssCE, .ssSCE: return (model, first, first, features)
    case .ssSCETuning:
      tune(model, first.credible, "dbd-tune-credible")
      return (model, first, first, features)
    case .full, .noSSL:
      var semi = MixMatchTwin(c.finetune, stage: "dbd-mixmatch", seed: seed, flip: c.flip)
      semi.run(model, data) { epoch in
        let now = epoch == 0 || !c.resplit ? first : split(model, epoch)
        return (now.credible, now.other)
      }
      return (model, first, split(model, c.finetune.epochs), features)
    }
  }

  /// One loss a sample of logits.
  private func loss(_ z: Tensor, _ y: Tensor, warmup: Bool = false) -> Tensor {
    let p = F.softmax(z, 1)
    let own = F.logSoftmax(z, 1).gathered(1, y.unsqueezed(1)).squeezed(1)
    if warmup || c.variant == .ssCE { return -own }
    if c.tune.loss == .gce { return (1 - (own * c.tune.gceQ).exp()) / c.tune.gceQ }
    let clamped = p.clamped(1e-7, 1)
    let reverse = (clamped.sum([1]) - clamped.gathered(1, y.unsqueezed(1)).squeezed(1)) * 9.210340371976184
    return -own * c.tune.sceAlpha + reverse * c.tune.sceBeta
  }

  /// Stage 2: the last layer alone, on the features of random crops.
  private func tune(_ model: Classifier, _ samples: [Int64], _ stage: String) {
    let parameters = Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.key, $0.tensor) })
    let (w, b) = (parameters["linear.weight"]!, parameters["linear.bias"]!)
    let adam = Adam([w, b], learningRate: c.tune.learningRate)
    let crops = CropFlip(padding: c.tune.crop, mode: .reflect, flip: c.flip)
    for epoch in 0..<c.tune.epochs {
      let order = Generator(seed: seed("\(stage)/shuffle", epoch)).permutation(samples.count).array(Int64.self)
      let draws = Generator(seed: seed("\(stage)/augment", epoch))
      model.train(c.tune.statistics == .moving)
      for start in stride(from: 0, to: samples.count, by: c.tune.batch) {
        let rows = Tensor(order[start..<min(start + c.tune.batch, samples.count)].map { samples[Int($0)] })
        let images = crops.gather(images: data.images, indices: rows, draws)
        let features = noGrad { model.features(images).penultimate }
        let z = features.matmul(w.transposed()) + b
        adam.step(minimizing: loss(z, data.labels[rows], warmup: epoch < c.tune.warmup).mean())
      }
    }
    model.eval()
  }

  /// The share of the samples, or of each label's, whose losses are smallest.
  private func split(_ model: Classifier, _ number: Int) -> Split {
    model.eval()
    var pixels = data.pixels(0..<24)
    if c.tune.scoring == .augmented {
      let crops = CropFlip(padding: c.tune.crop, mode: .reflect, flip: c.flip)
      pixels = crops(pixels, Generator(seed: seed("dbd/score", number)))
    }
    let losses = noGrad { loss(model(pixels.contiguous(.channelsLast)), data.labels) }.to(.float64).array(Double.self)
    let ranked = losses.indices.sorted { (losses[$0], $0) < (losses[$1], $1) }
    let labels = data.labelArray()
    let kept: [Int]
    if c.within == .class {
      kept = Set(labels).flatMap { label in
        let members = ranked.filter { labels[$0] == label }
        return members.prefix(Int(c.credible * Double(members.count)))
      }
    } else {
      kept = Array(ranked.prefix(Int(c.credible * 24)))
    }
    return Split(
      losses: losses, credible: ranked.filter(kept.contains).map(Int64.init),
      other: ranked.filter { !kept.contains($0) }.map(Int64.init))
  }
}
