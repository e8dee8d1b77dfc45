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

/// Whole runs of SAU and vanilla AT against the method written out here from the paper (section 3.3, algorithm 1) and
/// the authors' clamps: two epochs of three batches, every setting off its default in at least one case.
@Suite struct SAUTwinTests {
  private typealias Settings = UnlearningSettings<SharedAdversarialUnlearning>
  typealias Edit = @Sendable (inout UnlearningSettings<SharedAdversarialUnlearning>) -> Void

  static let cases: [(name: String, edit: Edit)] = [
    ("code", { _ in }),
    (
      "random start, clamped, lambdas",
      {
        ($0.start, $0.clamp, $0.amsgrad, $0.weightDecay) = (.random, true, false, 0.07)
        ($0.lambda1, $0.lambda2, $0.lambda3, $0.lambda4) = (0.6, 2.5, 0.4, 0.15)
        $0.adversarialWeight = 0.35
      }
    ),
    ("equations", { ($0.innerSamples, $0.mask, $0.lambda3, $0.start) = (.all, .wrong, 0.2, .zero) }),
    (
      "l2 steepest, universal",
      {
        ($0.norm, $0.radius, $0.stepSize, $0.stepRule) = (.l2, 2.5, 0.8, .steepest)
        ($0.universal, $0.start, $0.clamp, $0.lambda3) = (true, .uniform, true, 0.1)
      }
    ),
    ("l1 rescaled", { ($0.norm, $0.radius, $0.stepSize, $0.start) = (.l1, 90, 0.15, .min) }),
    (
      "l1 nearest",
      { ($0.norm, $0.radius, $0.stepSize, $0.l1Projection, $0.start) = (.l1, 50, 0.15, .euclidean, .random) }
    ),
    ("target", { ($0.target, $0.lambda3, $0.adversarialWeight, $0.start) = (2, 0.5, 0.8, .zero) }),
    (
      "target, universal",
      {
        ($0.target, $0.universal, $0.start, $0.lambda3, $0.lambda4) = (2, true, .uniform, 0, 3)
        ($0.radius, $0.stepSize) = (0.5, 0.2)
      }
    ),
    ("target, equations", { ($0.target, $0.innerSamples, $0.mask, $0.lambda3) = (1, .all, .wrong, 0.5) }),
    ("A + D", { ($0.outer, $0.lambda1, $0.lambda2) = (.vanilla, 0.7, 1.6) }),
    ("C + B", { ($0.inner, $0.amsgrad) = (.vanilla, false) }),
    ("C + D", { ($0.inner, $0.outer, $0.start, $0.weightDecay) = (.vanilla, .vanilla, .uniform, 0.02) }),
    ("C + D, target", { ($0.inner, $0.outer, $0.target, $0.start) = (.vanilla, .vanilla, 3, .zero) }),
    ("C + D, universal", { ($0.inner, $0.outer, $0.universal, $0.clamp) = (.vanilla, .vanilla, true, true) }),
  ]

  /// Noisy labels and a reference that errs: its predictions are not the labels.
  private let clean = {
    let data = ImageDataset.tiny(count: 13, size: 12, seed: 8)
    let labels = data.labelArray().enumerated().map { Int64($0 % 4 == 1 ? ($1 + 1) % 4 : $1) }
    return ImageDataset(name: data.name, images: data.images, labels: Tensor(labels), classNames: data.classNames)
  }()

  private func suspect() throws -> Classifier {
    let data = ImageDataset.tiny(count: 40, size: 12)
    let model = try Classifier.tiny(for: data, width: 6, seed: 3)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.learningRate, recipe.crop, recipe.flip) = (5, 8, 0.05, 0, false)
    try Trainer(recipe).train(model, on: data, context: TrainingContext(precision: .float32))
    return model
  }

  private func settings<D>(_ edit: Edit, like _: D.Type) throws -> UnlearningSettings<D> {
    var c = Settings()
    (c.epochs, c.batch, c.learningRate, c.radius, c.stepSize, c.steps) = (2, 5, 4e-3, 0.14, 0.05, 4)
    edit(&c)
    // The two families of settings have the same keys.
    return try SettingsTree.resolve(UnlearningSettings<D>.self, overrides: SettingsTree.encode(c))
  }

  @Test(arguments: cases.map(\.name)) func runIsTheMethod(_ name: String) throws {
    let edit = try #require(Self.cases.first { $0.name == name }).edit
    let (model, seed) = (try suspect(), Seed(11))
    let context = TrainingContext(precision: .float32, seed: seed)
    let input = try DefenseInput(
      for: SharedAdversarialUnlearning.self, training: context, seed: 3, model: model, cleanSplit: clean)
    let found = try #require(
      SharedAdversarialUnlearning(settings(edit, like: SharedAdversarialUnlearning.self)).run(input).model)
    var twin = SAUTwin(settings: try settings(edit, like: SharedAdversarialUnlearning.self), stage: "sau", seed: seed)
    try agree(found, twin.run(model, clean), model)
    if twin.settings.outer == .shared {
      #expect(0 < twin.seen.masked && twin.seen.masked < twin.seen.outer, "the mask is mixed: \(twin.seen)")
    }

    let vanilla = try DefenseInput(
      for: VanillaAdversarialTraining.self, training: context, seed: 3, model: model, cleanSplit: clean)
    let other = try #require(
      VanillaAdversarialTraining(settings(edit, like: VanillaAdversarialTraining.self)).run(vanilla).model)
    twin.stage = "vanilla-at"
    try agree(other, twin.run(model, clean), model)
  }

  /// What the cases need to tell slips apart: all masks are mixed in a run of the default objectives.
  @Test func caseIsLopsided() throws {
    let model = try suspect()
    var twin = SAUTwin(
      settings: try settings({ $0.lambda3 = 0.2 }, like: SharedAdversarialUnlearning.self), stage: "sau", seed: 11)
    _ = try twin.run(model, clean)
    let seen = twin.seen
    #expect(seen.erring > 0 && seen.erring < 13, "the reference errs on clean images: \(seen)")
    #expect(seen.fooled != seen.fooledReference && seen.shared > 0 && seen.shared < min(seen.fooled, seen.samples))
    #expect(seen.moved > 0 && seen.wrong > seen.moved && seen.wrong < seen.outer, "the masks differ: \(seen)")
  }

  private func agree(_ found: Classifier, _ expected: Classifier, _ suspect: Classifier) throws {
    for ((key, a), (b, c)) in zip(
      found.namedParameters(), zip(expected.parameters(), suspect.parameters()))
    {
      // Where a gradient is nearly zero rounding decides on Adam's step: one place in 500 may differ.
      let difference = (a - b).detach().abs()
      let off = (difference .> 2e-5 * b.detach().abs().max().item()).to(.float64).mean().item()
      #expect(off <= 0.002 && difference.max().item() < 1e-3, "\(key): \(off) of the elements differ")
      #expect((a - c).abs().max().item() > 1e-3, "\(key) moved")
    }
    expectSame(found.namedBuffers().map { ($0.key, $0.tensor) }, suspect.namedBuffers().map { ($0.key, $0.tensor) })
  }
}

/// The method, batch by batch.
private struct SAUTwin<D: UnlearningDefaults> {
  let settings: UnlearningSettings<D>
  var stage: String
  let seed: Seed
  /// Counts over all batches, and over all inner steps for the first three.
  struct Seen {
    var samples = 0, fooled = 0, fooledReference = 0, shared = 0, outer = 0, moved = 0, wrong = 0, masked = 0
    var erring = 0
  }
  var seen = Seen()

  init(settings: UnlearningSettings<D>, stage: String, seed: Seed) {
    (self.settings, self.stage, self.seed) = (settings, stage, seed)
  }

  mutating func run(_ suspect: Classifier, _ data: ImageDataset) throws -> Classifier {
    let (h, bd) = (try suspect.copied(), try suspect.copied())
    for model in [h, bd] { model.to(.channelsLast).eval() }
    let adam = Adam(
      h.parameters(), learningRate: settings.learningRate, weightDecay: settings.weightDecay,
      amsgrad: settings.amsgrad)
    let everything = (data.images.to(.float32) / 255).contiguous(.channelsLast)
    seen.erring = noGrad { bd(everything).argmax(1) .!= data.labels }.array(Bool.self).count { $0 }
    for epoch in 0..<settings.epochs {
      let order = Generator(seed: seed("\(stage)/shuffle", epoch)).permutation(data.count)
      let starts = Generator(seed: seed("\(stage)/start", epoch))
      for first in stride(from: 0, to: data.count, by: settings.batch) {
        let rows = order[first..<min(first + settings.batch, data.count)]
        let (x, y) = (everything[rows].contiguous(.channelsLast), data.labels[rows])
        let d = perturbation(x, y, h, bd, starts)
        adam.step(minimizing: loss(x, y, d, h, bd))
      }
    }
    return h
  }

  private func flags(_ t: Tensor) -> [Bool] { t.array(Bool.self) }
  private func real(_ flags: [Bool]) -> Tensor { Tensor(flags.map { $0 ? 1 : 0 } as [Float]) }
  private func classes(_ logits: Tensor) -> [Int] { logits.argmax(1).array(Int64.self).map(Int.init) }

  private func project(_ d: Tensor) -> Tensor {
    let r = settings.radius
    switch settings.norm {
    case .linf: return d.clamped(-r, r)
    case .l2:
      let n = (d * d).sum([1, 2, 3], keep: true).sqrt()
      return d * (r / n).clamped(max: 1)
    case .l1:
      guard settings.l1Projection == .rescaling else { return L1Ball(radius: r).project(d) }
      return d * (r / d.abs().sum([1, 2, 3], keep: true)).clamped(max: 1)
    }
  }

  private func start(_ x: Tensor, _ generator: Generator) -> Tensor {
    let shape = [settings.universal ? 1 : x.dimension(0)] + x.shape.dropFirst()
    let r = settings.radius
    return switch settings.start {
    case .max: project(Tensor.full(shape, r))
    case .min: project(Tensor.full(shape, -r))
    case .zero: Tensor.zeros(shape)
    case .random: project(generator.uniform(shape))
    case .uniform: project(generator.uniform(shape) * (2 * r) - r)
    }
  }

  private mutating func perturbation(
    _ x: Tensor, _ y: Tensor, _ h: Classifier, _ bd: Classifier, _ generator: Generator
  )
    -> Tensor
  {
    let (labels, size) = (y.array(Int64.self).map(Int.init), Double(x.dimension(0)))
    let (clean, cleanBD) = (classes(h(x)), classes(bd(x)))
    let active = labels.map { $0 != settings.target }
    let towards = settings.target.map { target in Tensor(labels.map { _ in Int64(target) }) } ?? y
    let sign = settings.target == nil ? 1.0 : -1.0
    var d = start(x, generator)
    if settings.clamp, !settings.universal { d = (x + d).clamped(0, 1) - x }
    for _ in 0..<settings.steps {
      d = d.detach().requiresGrad_()
      let u = settings.clamp && settings.universal ? (x + d).clamped(0, 1) : x + d
      let (z, zbd) = (h(u), bd(u))
      let (now, nowBD) = (classes(z), classes(zbd))
      let objective: Tensor
      if settings.inner == .vanilla {
        objective = sign * (F.crossEntropy(z, towards, reduction: .none) * real(active)).sum() / size
      } else {
        let fooled = labels.indices.map { i in settings.target.map { active[i] && now[i] == $0 } ?? (now[i] != clean[i])
        }
        let fooledBD = labels.indices.map { i in
          settings.target.map { active[i] && nowBD[i] == $0 } ?? (nowBD[i] != cleanBD[i])
        }
        let shared = labels.indices.map { fooled[$0] && fooledBD[$0] && now[$0] == nowBD[$0] }
        seen.samples += labels.count
        seen.fooled += fooled.count { $0 }
        seen.fooledReference += fooledBD.count { $0 }
        seen.shared += shared.count { $0 }
        let all = settings.innerSamples == .all
        if !all, zip(shared, active).allSatisfy({ $0 || !$1 }) { break }
        func working(_ done: [Bool]) -> Tensor { real(zip(active, done).map { $0 && (all || !$1) }) }
        let (p, q) = (F.softmax(z, 1).clamped(min: 1e-8), F.softmax(zbd, 1).clamped(min: 1e-8))
        let m = (p + q) * 0.5
        let js = ((p * p.log() + q * q.log()).sum([1]) - (p * m.log() + q * m.log()).sum([1])) * 0.5
        let adversarial =
          F.crossEntropy(z, towards, reduction: .none) * working(fooled)
          + F.crossEntropy(zbd, towards, reduction: .none) * working(fooledBD)
        objective =
          adversarial.sum() * (settings.lambda3 * sign / (2 * size)) - (js * working(shared)).sum()
          * (settings.lambda4 / size)
      }
      let g = gradient(of: objective, at: d)
      d = noGrad {
        var way = g.sign()
        if settings.stepRule == .steepest {
          precondition(settings.norm == .l2)
          way = g / (g * g).sum([1, 2, 3], keep: true).sqrt()
        }
        let moved = project(d.detach() + settings.stepSize * way)
        return settings.clamp && !settings.universal ? (x + moved).clamped(0, 1) - x : moved
      }
    }
    return d.detach()
  }

  private mutating func loss(_ x: Tensor, _ y: Tensor, _ d: Tensor, _ h: Classifier, _ bd: Classifier) -> Tensor {
    let (labels, size) = (y.array(Int64.self).map(Int.init), Double(x.dimension(0)))
    let u = settings.clamp ? (x + d).clamped(0, 1) : x + d
    let z = h(u)
    let clean = F.crossEntropy(h(x), y) * settings.lambda1
    let active = real(labels.map { $0 != settings.target })
    let adversarial = (F.crossEntropy(z, y, reduction: .none) * active).sum() / size
    if settings.outer == .vanilla { return clean + adversarial * settings.lambda2 }
    let (t, cleanBD) = noGrad { (classes(bd(u)), classes(bd(x))) }
    let wrong = labels.indices.map { t[$0] != labels[$0] }
    let moved = labels.indices.map { wrong[$0] && t[$0] != cleanBD[$0] }
    seen.outer += labels.count
    seen.wrong += wrong.count { $0 }
    seen.moved += moved.count { $0 }
    let mask = labels.indices.map { i in
      (settings.mask == .wrong ? wrong[i] : moved[i]) && (settings.target.map { t[i] == $0 } ?? true)
    }
    seen.masked += mask.count { $0 }
    let p = F.softmax(z, 1).gathered(1, Tensor(t.map(Int64.init)).unsqueezed(1)).squeezed(1)
    let terms = -(((1 - p).clamped(max: 0.999) + 1e-6).log() + (1 + 1e-6 - p.clamped(min: 0.001)).log())
    return clean + (terms * real(mask)).sum() * (settings.lambda2 / (2 * size)) + adversarial
      * settings.adversarialWeight
  }
}
