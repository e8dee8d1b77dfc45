import Backdoor
import Files
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Attacks

/// What single attacks promise beyond `AttackKindTests`.
@Suite struct ClosedFormTests {
  private let shape = ImageShape(channels: 3, height: 16, width: 16)
  private let data = ImageDataset.tiny(count: 80)

  private func with<C>(_ value: C, _ change: (inout C) -> Void) -> C {
    var value = value
    change(&value)
    return value
  }
  /// Each is stamped differently, and leads to a target of its own.
  @Test(arguments: ["badnets", "blended", "sig", "wanet", "bpp", "adaptive-blend", "adaptive-patch"])
  func severalTriggersHaveSeveralTargets(_ id: String) throws {
    let attack = try AttackKind.named(id).make(["triggers": 3, "target": 1, "mapping": "all-to-one"]).attack
    let tasks = try attack.tasks(for: shape, seed: 3)
    #expect(tasks.map(\.mapping) == (1...3).map { .allToOne(target: $0) })
    #expect(Set(tasks.map(\.name)).count == 3)
    let images = tasks.map { $0.trigger.stamp(data.images, Generator(seed: 1)).array(UInt8.self) }
    #expect(images[0] != images[1] && images[1] != images[2] && images[0] != images[2])
    let clean = try AttackKind.named(id).make(["triggers": 2, "mapping": "clean-label"]).attack
    #expect(try clean.tasks(for: shape, seed: 3).map(\.mapping) == [.cleanLabel(target: 0), .cleanLabel(target: 1)])
    let shifted = try AttackKind.named(id).make(["triggers": 2, "mapping": "all-to-all"]).attack
    #expect(errorText { _ = try shifted.tasks(for: shape, seed: 3) }.contains("several triggers need attack.mapping"))
  }

  /// From one class to several, each by a patch in a corner of its own; covers of images of none of these classes.
  @Test func severalTriggersOfOneSource() throws {
    let attack = TaCT(
      with(TaCT.Configuration()) { c in
        (c.source, c.target, c.triggers, c.rate, c.coverRate) = (3, 0, 2, 0.1, 0.1)
      })
    let tasks = try attack.tasks(for: shape, seed: 3)
    #expect(tasks.map(\.mapping) == [0, 1].map { .sourceToTarget(source: 3, target: $0) })
    #expect(Set(tasks.map(\.name)).count == 2)
    let images = tasks.map { $0.trigger.stamp(data.images, Generator(seed: 1)).array(UInt8.self) }
    #expect(images[0] != images[1])
    let set = try PoisonedDataset(poisoning: data, with: tasks, selection: attack.selection, seed: 3)
    let (before, after) = (data.labelArray(), set.data.labelArray())
    #expect(set.indices.count == 8 && set.tasks.count { $0 == 0 } == 4)
    for (position, task) in zip(set.indices, set.tasks) { #expect(before[position] == 3 && after[position] == task) }
    #expect(set.covers.count == 8 && set.covers.allSatisfy { before[$0] == 2 })
  }

  @Test func sigIsStrongerAtTestTimeWhereAsked() throws {
    let attack = Sinusoid(with(Sinusoid.Configuration()) { ($0.delta, $0.testDelta, $0.frequency) = (20, 60, 2) })
    let task = try attack.tasks(for: shape, seed: 1)[0]
    let gray = Tensor.full([1, 3, 16, 16], 100, dtype: .uint8)
    let peak = { (trigger: any Trigger) in trigger.stamp(gray, Generator(seed: 0)).max().intItem() - 100 }
    #expect(peak(task.trainingTrigger) == 20 && peak(task.trigger) == 60)
  }

  @Test func adaptiveAttacksShowLessInTraining() throws {
    let blend = try AdaptiveBlend().tasks(for: shape, seed: 1)[0]
    let black = Tensor.zeros([40, 3, 16, 16], dtype: .uint8)
    let parts = blend.trainingTrigger.stamp(black, Generator(seed: 1))
    let whole = blend.trigger.stamp(black, Generator(seed: 1))
    let lit = { (images: Tensor) in (images .> 0).to(.float32).mean([1, 2, 3]) }
    #expect((lit(whole) - 0.5).min().item() > 0.3)
    let shares = lit(parts)
    #expect(shares.max().item() <= 0.5 && shares.min().item() > 0.3, "half of 16 pieces")
    #expect(parts.max().intItem() < whole.max().intItem())
    #expect((parts[0] .!= parts[1]).any().intItem() == 1, "each image shows other pieces")

    let patches = try AdaptivePatch().tasks(for: shape, seed: 1)[0]
    let one = patches.trainingTrigger.stamp(black, Generator(seed: 1))
    let quarters = [(0, 0), (0, 8), (8, 0), (8, 8)].map { row, column in
      one.narrowed(2, row..<(row + 8)).narrowed(3, column..<(column + 8)).to(.float32).flattened(1).sum([1]) .> 0
    }
    let shown = Tensor.stacked(quarters.map { $0.to(.int64) }, 0)
    #expect(shown.sum([0]).max().intItem() == 1, "at most one patch an image")
    #expect(shown.sum([1]).min().intItem() > 0, "each of the four in some image")
  }

  @Test func tactPoisonsTheSourceAndCoversOthers() throws {
    var c = TaCT.Configuration()
    (c.rate, c.coverRate, c.source, c.target, c.coverClasses) = (0.1, 0.05, 2, 1, [3])
    let outcome = try TaCT(c).execute(AttackContext(train: data, seed: 3, training: TrainingContext()))
    let (old, new) = (data.labelArray(), outcome.train.data.labelArray())
    #expect(outcome.train.indices.count == 8 && outcome.train.indices.allSatisfy { old[$0] == 2 && new[$0] == 1 })
    #expect(outcome.train.covers.count == 4 && outcome.train.covers.allSatisfy { old[$0] == 3 && new[$0] == 3 })
    let others = try TaCT(with(c) { $0.coverClasses = [] }).execute(
      AttackContext(train: data, seed: 3, training: TrainingContext()))
    #expect(others.train.covers.allSatisfy { ![1, 2].contains(old[$0]) })
    let unknown = errorText {
      _ = try TaCT(with(c) { $0.coverClasses = [1, 99] }).execute(
        AttackContext(train: data, seed: 3, training: TrainingContext()))
    }
    #expect(unknown.contains("99"), "\(unknown)")
    let message = errorText { _ = try TaCT(with(c) { $0.coverClasses = [2] }).tasks(for: shape, seed: 1) }
    #expect(message.contains("attack.source"))
  }

  @Test(arguments: BadNets.Variation.allCases) func dynamicPatches(_ variation: BadNets.Variation) throws {
    var c = BadNets.Configuration()
    (c.varies, c.pattern, c.size, c.margin) = (variation, .random, 3, 2)
    let trigger = try BadNets(c).tasks(for: shape, seed: 3)[0].trigger
    let gray = Tensor.full([30, 3, 16, 16], 77, dtype: .uint8)
    let stamped = trigger.stamp(gray, Generator(seed: 1))
    var (places, patterns) = (Set<[Int]>(), Set<[UInt8]>())
    for image in 0..<30 {
      let changed = changedPixels(gray[image..<(image + 1)], stamped[image..<(image + 1)])
      let (rows, columns) = (changed.map { $0[0] }, changed.map { $0[1] })
      let (top, left) = (rows.min() ?? -1, columns.min() ?? -1)
      #expect(top >= 2 && left >= 2 && (rows.max() ?? 99) <= 13 && (columns.max() ?? 99) <= 13, "inside the margin")
      #expect((rows.max() ?? 99) - top <= 2 && (columns.max() ?? 99) - left <= 2, "one square")
      places.insert([top, left])
      patterns.insert(stamped[image].narrowed(1, top..<(top + 3)).narrowed(2, left..<(left + 3)).array(UInt8.self))
    }
    #expect((places.count > 5) == (variation == .place || variation == .both))
    #expect((patterns.count > 5) == (variation == .pattern || variation == .both))
    let pixels = trigger(gray.unitPixels(), Generator(seed: 1))
    expectSame(pixels.quantized(), stamped, "both ways to stamp draw alike")
  }

  @Test func dynamicPatchesNeedADistribution() throws {
    func message(_ change: (inout BadNets.Configuration) -> Void) -> String {
      errorText { _ = try BadNets(with(BadNets.Configuration(), change)).tasks(for: shape, seed: 1) }
    }
    #expect(message { ($0.varies, $0.pattern) = (.pattern, .white) }.contains("Choose random or color"))
    #expect(message { ($0.varies, $0.triggers) = (.place, 2) }.contains("told apart by their places"))
    #expect(message { $0.varies = .place } == "no error")
  }

  /// A crop, a flip: three corners or more still show. The mirror image of the trigger is the trigger.
  @Test func cornersAreTheirOwnMirrorImage() throws {
    let gray = Tensor.full([1, 3, 16, 16], 77, dtype: .uint8)
    let stamped = Corners(shape: shape, opacity: 1).stamp(gray, Generator(seed: 0))
    expectSame(stamped.flipped(3), stamped)
    expectSame(stamped.flipped(2), stamped)
    #expect(changedPixels(gray, stamped).count == 36)
  }

  @Test func wanetOfStrengthZeroChangesNothing() throws {
    let plain = with(WaNet.Configuration()) { $0.strength = 0 }
    let task = try WaNet(plain).tasks(for: shape, seed: 1)[0]
    expectSame(task.trigger.stamp(data.images, Generator(seed: 1)), data.images)
    let cover = try #require(task.cover)
    #expect((cover.stamp(data.images, Generator(seed: 1)) .!= data.images).any().intItem() == 1)
    #expect(try WaNet(with(plain) { $0.coverRate = 0 }).tasks(for: shape, seed: 1)[0].cover == nil)
    // Covers without noise would be the trigger with right labels.
    let silent = WaNet(with(plain) { $0.noise = 0 })
    #expect(try silent.tasks(for: shape, seed: 1)[0].cover == nil && silent.selection.coverRate == 0)
    let training = WaNetTraining(with(WaNetTraining.Configuration()) { $0.noise = 0 })
    #expect(try training.tasks(for: shape, seed: 1, learned: [:])[0].cover == nil)
    #expect(training.selection.coverRate == 0 && training.shares(of: 50).covers.isEmpty)
    #expect(!WaNetTraining().shares(of: 50).covers.isEmpty)
  }

  @Test func badInput() throws {
    let small = ImageShape(channels: 1, height: 5, width: 5)
    #expect(errorText { _ = try LabelConsistent().tasks(for: small, seed: 1) }.contains("do not fit images of 5x5"))
    let large = AdaptivePatch(with(AdaptivePatch.Configuration()) { $0.size = 3 })
    #expect(errorText { _ = try large.tasks(for: small, seed: 1) }.contains("overlap"))
    let twice = AdaptivePatch(with(AdaptivePatch.Configuration()) { $0.testPatches = [0, 2, 0] })
    #expect(throws: BackdoorError.self) { try twice.tasks(for: shape, seed: 0) }
    let none = AdaptivePatch(with(AdaptivePatch.Configuration()) { $0.testPatches = [4] })
    #expect(errorText { _ = try none.tasks(for: shape, seed: 1) }.contains("patches 0 to 3"))
    let levels = BPP(with(BPP.Configuration()) { ($0.levels, $0.triggers) = (2, 2) })
    #expect(errorText { _ = try levels.tasks(for: shape, seed: 1) }.contains("Raise attack.levels"))
    for id in ["sig", "label-consistent", "refool"] {
      let attack = try AttackKind.named(id).make(["rate": 0.3]).attack
      let context = AttackContext(
        train: data, seed: 1, training: TrainingContext(), architecture: data.tinyArchitecture)
      #expect(errorText { _ = try attack.execute(context) }.contains("The largest possible rate is 0.25"), "\(id)")
    }
    for id in ["lf", "refool", "label-consistent"] {
      let attack = try AttackKind.named(id).make([:]).attack
      let wrong: [String: Tensor] = [
        "trigger": Tensor.zeros([1, 2, 2]), "reflections": Tensor.zeros([1, 1, 2, 2], dtype: .uint8),
        "positions": Tensor([Int64(0)]), "images": Tensor.zeros([1, 1, 2, 2], dtype: .uint8),
      ]
      let context = AttackContext(train: data, seed: 1, training: TrainingContext())
      for learned in [[:], wrong] {
        #expect(throws: BackdoorError.self, "\(id)") { try attack.execute(context, learned: learned) }
      }
    }
  }
}

/// Attacks that train a network first.
@Suite struct SurrogateAttackTests: LearningAttackSuite {
  let data = ImageDataset.tiny(count: 80)

  private func consistent(_ change: (inout LabelConsistent.Configuration) -> Void = { _ in }) -> LabelConsistent {
    var c = LabelConsistent.Configuration()
    (c.rate, c.target, c.opacity) = (0.1, 1, 0.5)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (3, 16, 0)
    change(&c)
    return LabelConsistent(c)
  }

  /// Distances of the changed images from the clean ones, in pixels.
  private func distances(_ learned: [String: Tensor]) throws -> Tensor {
    let (positions, images) = (try #require(learned["positions"]), try #require(learned["images"]))
    return (images.to(.float32) - data.images[positions].to(.float32)) * (1 / 255.0)
  }

  @Test func boundsHoldExactly() throws {
    let linf = try distances(consistent { $0.linf.radius = 10.0 / 255 }.learn(context(training())))
    #expect(linf.abs().max().item() <= 10.0 / 255 + 1e-6 && linf.abs().max().item() > 9.0 / 255)
    let l2 = try distances(
      consistent { ($0.norm, $0.l2.radius) = (.l2, 300.0 / 255) }.learn(context(training())))
    let lengths = l2.flattened(1).norm(2, [1])
    #expect(lengths.max().item() <= 300.0 / 255 + 1e-6 && lengths.max().item() > 150.0 / 255)
  }

  @Test func perturbedImagesAreStampedAndKeepTheirLabels() throws {
    let attack = consistent()
    let learned = try attack.learn(context(training()))
    let outcome = try attack.execute(context(training()), learned: learned)
    #expect(outcome.train.indices.count == 8 && outcome.train.data.labelArray() == data.labelArray())
    #expect(outcome.train.indices.allSatisfy { data.labelArray()[$0] == 1 })
    let corners = Corners(shape: data.shape, opacity: 0.5)
    expectSame(
      outcome.train.data.images[Tensor(outcome.train.indices.map(Int64.init))],
      corners.stamp(learned["images"]!, Generator(seed: 0)), "half opaque in training")
    expectSame(
      outcome.tasks[0].trigger.stamp(data.images, Generator(seed: 0)),
      Corners(shape: data.shape, opacity: 1).stamp(data.images, Generator(seed: 0)), "the trigger alone at test time")
  }

  @Test func settingsReachTheSurrogate() throws {
    let plain = try consistent().learn(context(training()))
    let robust = try consistent { ($0.adversarial, $0.training.steps) = (true, 1) }.learn(context(training()))
    #expect((plain["images"]! .!= robust["images"]!).any().intItem() == 1)
    let weak = try consistent { ($0.adversarial, $0.training.steps, $0.training.radius) = (true, 1, 0.001) }
      .learn(context(training()))
    #expect((weak["images"]! .!= robust["images"]!).any().intItem() == 1)
  }

  private var smooth: LowFrequency {
    var c = LowFrequency.Configuration()
    (c.rate, c.images, c.passes, c.misled, c.deviation, c.amplitude) = (0.2, 12, 2, 1, 3, 0.3)
    (c.aim, c.steps) = (.nearest, 40)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (3, 16, 0)
    return LowFrequency(c)
  }

  /// A clean-label attack has a target too, towards which the search goes.
  @Test func lowFrequencyTowardsTheTarget() throws {
    func learned(_ mapping: MappingKind, _ aim: LowFrequency.Aim) throws -> Tensor {
      var c = smooth.configuration
      (c.mapping, c.aim, c.target, c.passes) = (mapping, aim, 2, 1)
      return try #require(try LowFrequency(c).learn(context(training()))["trigger"])
    }
    let toward = try learned(.allToOne, .target)
    expectSame(try learned(.cleanLabel, .target), toward)
    expectSame(try learned(.sourceToTarget, .target), toward)
    #expect((try learned(.cleanLabel, .nearest) .!= toward).any().intItem() == 1)
  }

  /// From 0 to the amplitude, and smooth: neighbours differ by far less than the range.
  @Test func lowFrequency() throws {
    let trigger = try #require(try smooth.learn(context(training()))["trigger"])
    #expect(trigger.min().item() == 0 && abs(trigger.max().item() - 0.3) < 1e-6)
    // A Gaussian of deviation s passes exp(-(2 pi f s)^2 / 2) of frequency f: at half a cycle in 2 pixels nothing is left.
    let planes = trigger.reshaped(1, 3, 16, 16)
    let coarse = F.interpolate(F.avgPool2d(planes, kernel: 2), height: 16, width: 16, mode: .bilinear)
    let (fine, all) = ((planes - coarse).square().mean().item(), (planes - planes.mean()).square().mean().item())
    #expect(fine < 0.02 * all, "\(fine / all) of the energy is at high frequencies")
  }

  /// On a linear model one step is exact: for logits w x + b the distance to the border with class k is
  /// (z_label - z_k) / |w_k - w_label|. 1e-4 of a logit is added to the way, and the overshoot multiplies it.
  @Test func deepFoolOnALinearModel() throws {
    let image = data.pixels(0..<1)
    // The border of class 2 is the nearest, but the logit of class 1 is nearer than that of class 2.
    let random = Generator(seed: 3)
    let rows = [0.1, 0.05, 0.3, 0.02].map { random.normal([768]) * $0 }
    let weight = Tensor.stacked(rows)
    let wanted = Tensor([Float(2), 1.5, 1.2, 0.1])
    let model = LinearModel(weight, wanted - weight.matmul(image.reshaped(768)))
    expectClose(noGrad { model(image)[0] }, wanted, tolerance: 1e-4)
    let (z, lengths) = ([2, 1.5, 1.2, 0.1], (0..<4).map { (rows[$0] - rows[0]).norm(2).item() })
    let distances = (1..<4).map { (z[0] - z[$0]) / lengths[$0] }
    #expect(distances[1] < 0.9 * distances[0] && distances[1] < 0.9 * distances[2])

    func way(_ k: Int) -> Tensor {
      ((rows[k] - rows[0]) * ((z[0] - z[k] + 1e-4) / (lengths[k] * lengths[k]) * 1.02)).reshaped(image.shape)
    }
    let nearest = try #require(LowFrequency.deepFool(model, image, label: 0, steps: 1, overshoot: 0.02))
    expectClose(nearest, way(2), tolerance: 1e-4, floor: 0)
    #expect(noGrad { model(image + nearest).argmax(1) }.intItem() == 2, "beyond the border")
    let aimed = try #require(LowFrequency.deepFool(model, image, label: 0, toward: 1, steps: 1, overshoot: 0.02))
    expectClose(aimed, way(1), tolerance: 1e-4, floor: 0)
    let left = LowFrequency.deepFool(model, image, label: 1, steps: 5, overshoot: 0.02)
    #expect(left == nil, "it is no longer in the class that it has to leave")
  }

  @Test(arguments: ["label-consistent", "lf"]) func aKilledAttackGoesOnToTheSameBits(_ name: String) throws {
    let attack: any Attack = name == LowFrequency.id ? smooth : consistent()
    try expectResumes(attack, stages: 1)
  }
}

/// `w x + b` of all pixels.
private final class LinearModel: Classifier {
  private let layer: Linear

  init(_ weight: Tensor, _ bias: Tensor) {
    layer = Linear(weight.dimension(1), weight.dimension(0), Generator(seed: 0))
    super.init(classes: weight.dimension(0), normalization: .none)
    noGrad {
      layer.weight.copy_(weight)
      layer.bias?.wrappedValue.copy_(bias)
    }
  }
  override func features(normalized x: Tensor) -> Features { Features(stages: [], penultimate: x.flattened(1)) }
  override func logits(_ penultimate: Tensor) -> Tensor { layer(penultimate) }
}
