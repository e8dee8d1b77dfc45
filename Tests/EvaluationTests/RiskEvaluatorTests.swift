import Backdoor
import Defenses
import Evaluation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct RiskEvaluatorTests {
  private let data = ImageDataset.tiny(count: 26)
  private let context = TrainingContext(precision: .float32, seed: 9)
  /// Two triggers, which aim at classes 0 and 3, the second only at images of class 1.
  private var targets: [[Int?]] {
    [data.labelArray().map { $0 == 0 ? nil : 0 }, data.labelArray().map { $0 == 1 ? 3 : nil }]
  }
  /// The data with a bright border at the top or at the left.
  private func triggered(_ data: ImageDataset) -> [ImageDataset] {
    [1, 2].map { dimension in
      let images = data.images.clone()
      images.narrowed(dimension + 1, 0..<5).fill_(255)
      return ImageDataset(name: data.name, images: images, labels: data.labels, classNames: data.classNames)
    }
  }

  private func adversary(_ radius: Double) -> SharedAdversarialUnlearning.Configuration {
    var adversary = SharedAdversarialUnlearning.Configuration()
    (adversary.radius, adversary.stepSize, adversary.steps, adversary.start) = (radius, radius / 3, 4, .uniform)
    // The evaluator has goals of its own.
    (adversary.universal, adversary.target, adversary.inner) = (true, 2, .vanilla)
    return adversary
  }
  private func evaluator(
    _ reference: Classifier, _ adversary: SharedAdversarialUnlearning.Configuration, on data: ImageDataset? = nil,
    targets: [[Int?]]? = nil
  ) -> RiskEvaluator {
    RiskEvaluator(
      images: data ?? self.data, triggered: triggered(data ?? self.data), targets: targets ?? self.targets,
      reference: reference, adversary: adversary, context: context)
  }
  private func classes(_ model: Classifier, _ data: ImageDataset) -> [Int] {
    noGrad { model.logits(of: data, context: context).argmax(1) }.array(Int64.self).map(Int.init)
  }
  /// Two models that agree on some images, trained for a short while on different halves.
  private func models() throws -> (model: Classifier, reference: Classifier) {
    let made = try [(1, Array(0..<26)), (2, Array(6..<26))].map { seed, part in
      let model = try Classifier.tiny(for: data, width: 6, seed: UInt64(seed))
      var recipe = Recipe()
      (recipe.epochs, recipe.batch, recipe.learningRate, recipe.crop, recipe.flip) = (20, 8, 0.05, 0, false)
      try Trainer(recipe).train(model, on: data.subset(part), context: context)
      return model
    }
    return (made[0], made[1])
  }

  /// Without a perturbation the risks are plain errors.
  @Test func radiusZero() throws {
    let (model, reference) = (try Classifier.tiny(for: data, seed: 1), try Classifier.tiny(for: data, seed: 2))
    let labels = data.labelArray()
    let (own, other) = (classes(model, data), classes(reference, data))
    let before = reference.snapshot()
    let target = [targets[0]]
    let found = try evaluator(reference, adversary(0), targets: target).measure(model, context: context)
    expectSame(reference.snapshot(), before, "batch statistics stay, whatever the reference's mode")
    #expect(reference.isTraining)
    let aimed = labels.indices.filter { labels[$0] != 0 }
    let misled = Double(aimed.count { own[$0] != labels[$0] }) / Double(aimed.count)
    #expect(found.adversarial == misled && found.universal == misled)
    #expect(found.targeted == Double(aimed.count { own[$0] == 0 }) / Double(aimed.count))
    #expect(
      found.shared == Double(labels.indices.count { own[$0] != labels[$0] && own[$0] == other[$0] })
        / Double(labels.count))
    // The second of two triggers alone aims at something: at where images go by themselves.
    let there = labels.indices.map { own[$0] != labels[$0] ? own[$0] : nil }
    let second = evaluator(reference, adversary(0), targets: [labels.map { _ in nil }, there])
    #expect(try second.measure(model, context: context).targeted == 1)
    let poisoned = classes(model, triggered(data)[0])
    #expect(found.backdoor == Double(aimed.count { poisoned[$0] == 0 }) / Double(aimed.count))
  }

  /// Every perturbation is one that misleads a model together with itself: all bounds coincide with what they bound.
  @Test func modelAgainstItself() throws {
    let (model, _) = try models()
    model.train()
    let before = model.snapshot()
    let found = try evaluator(model, adversary(0.15)).measure(model, context: context)
    #expect(found.sub == found.adversarial && found.universalSub == found.universal)
    #expect(found.targetedSub == found.targeted)
    let (adversarial, universal) = (try #require(found.adversarial), try #require(found.universal))
    #expect(universal > 0 && universal < adversarial, "one for all is weaker than one for each")
    #expect(try #require(found.shared) > 0 && found.count == 26 && found.aimedCount == 19)
    #expect(model.isTraining)
    expectSame(model.snapshot(), before)
    #expect(try evaluator(model, adversary(0.15)).measure(model, context: context) == found, "measuring draws nothing")
  }

  /// Within a search, not only between measurements; the modes of the networks are as they were.
  @Test func canBeStopped() throws {
    let (model, _) = try models()
    model.train()
    for checks in [0, 3] {
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: checks) {
          _ = try evaluator(model, adversary(0.15)).measure(model, context: context)
        }
      }
      #expect(model.isTraining)
    }
  }

  @Test func largerBallsHoldMore() throws {
    let (model, reference) = try models()
    let risks = try [0, 0.03, 0.3].map { try evaluator(reference, adversary($0)).measure(model, context: context) }
    for risk in [\Risks.adversarial, \.shared, \.sub, \.universal, \.targeted] {
      let values = risks.map { $0[keyPath: risk] ?? .nan }
      #expect(values[0] <= values[1] && values[1] <= values[2] && values[0] < values[2], "\(risk): \(values)")
    }
    #expect(Set(risks.map(\.backdoor)).count == 1, "the trigger knows no ball")
  }

  /// Against the searches made one by one. More than one batch of images: a perturbation for all is found on the first.
  @Test func searchesAreTheStatedOnes() throws {
    let data = ImageDataset.tiny(count: 290, size: 12, seed: 4)
    let labels = data.labelArray()
    let small = ImageDataset.tiny(count: 26, size: 12)
    let (model, reference) = try {
      let both = try (1...2).map { try Classifier.tiny(for: small, width: 6, seed: $0) }
      for (number, model) in both.enumerated() {
        var recipe = Recipe()
        (recipe.epochs, recipe.batch, recipe.learningRate, recipe.crop) = (14 + 4 * number, 8, 0.05, 0)
        try Trainer(recipe).train(model, on: small, context: context)
      }
      return (both[0], both[1])
    }()
    // A first trigger that works on the reference for some images and aims at class 0 for the others.
    let works = classes(reference, triggered(data)[0])
    let targets: [[Int?]] = [
      labels.indices.map { $0 % 3 > 0 && works[$0] != labels[$0] ? works[$0] : labels[$0] == 0 ? nil : 0 },
      labels.map { $0 == 1 ? 3 : nil },
    ]
    for clamp in [false, true] {
      var adversary = adversary(0.12)
      adversary.clamp = clamp
      let found = try evaluator(reference, adversary, on: data, targets: targets).measure(model, context: context)

      func candidates(_ samples: [Int], universal: Bool = false, target: Int? = nil) -> RiskPredictions.Candidates {
        var rows = RiskPredictions.Candidates()
        for objective in [SharedAdversary.Objective.vanilla, .shared] {
          var search = adversary
          (search.inner, search.universal, search.target) = (objective, universal, target)
          var (own, other) = (labels, labels)
          var first: Tensor?
          for start in stride(from: 0, to: samples.count, by: 256) {
            let part = Array(samples[start..<min(start + 256, samples.count)])
            let x = (data.subset(part).images.to(.float32) / 255).contiguous(.channelsLast)
            let delta =
              universal && first != nil
              ? first!
              : search.perturb(
                x, labels: data.subset(part).labels, student: model, reference: reference,
                clean: noGrad { (model(x).argmax(1), reference(x).argmax(1)) }, context: context,
                generator: context.generator("risks/start"))
            if first == nil { first = delta }
            let u = clamp ? (x + delta).clamped(0, 1) : x + delta
            let (a, b) = noGrad {
              (model(u).argmax(1).array(Int64.self), reference(u).argmax(1).array(Int64.self))
            }
            for (place, sample) in part.enumerated() { (own[sample], other[sample]) = (Int(a[place]), Int(b[place])) }
          }
          rows.model.append(own)
          rows.reference.append(other)
        }
        return rows
      }
      let all = Array(0..<290)
      let aimed = all.filter { targets[0][$0] != nil || targets[1][$0] != nil }
      let towards = (0..<4).map { target in
        candidates(all.filter { targets[0][$0] == target || targets[1][$0] == target }, target: target)
      }
      let expected = Risks(
        RiskPredictions(
          labels: labels, poisoned: triggered(data).map { classes(model, $0) },
          poisonedReference: triggered(data).map { classes(reference, $0) }, adversarial: candidates(all),
          universal: candidates(aimed, universal: true),
          targeted: .init(towards.flatMap(\.model), reference: towards.flatMap(\.reference))),
        targets: targets)
      #expect(found == expected)
      #expect(found.sub != found.adversarial && found.universalSub != found.universal, "\(found)")
      #expect(found.targetedSub != found.targeted && found.targeted != found.universal, "\(found)")
    }
  }
}
