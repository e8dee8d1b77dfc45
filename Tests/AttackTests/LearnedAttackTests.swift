@testable import Attacks
import Backdoor
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// LF's search and Label-Consistent's latent form: against Python torch, and beside their procedures written out.
@Suite struct LearnedAttackTests: LearningAttackSuite {
  let data = ImageDataset.tiny(count: 40)

  // MARK: LF

  @Test func deepFoolAgreesWithPython() throws {
    let golden = try Golden("learned_attacks")
    let model = goldenNetwork(isTilted: true).eval()
    let image = imagePattern([1, 3, 16, 16], 1.1)
    let label = noGrad { model(image).argmax(1) }.intItem()
    let aimed = LowFrequency.deepFool(model, image, label: label, toward: 0, steps: 50, overshoot: 0.02)
    expectClose(try #require(aimed), try golden.tensor("lf/deepfool"), tolerance: 2e-3, floor: 0)
    let nearest = LowFrequency.deepFool(model, image, label: label, steps: 50, overshoot: 0.02)
    expectClose(try #require(nearest), try golden.tensor("lf/nearest"), tolerance: 2e-3, floor: 0)
    #expect(
      LowFrequency.deepFool(model, image, label: label, toward: 0, steps: 2, overshoot: 0.02) == nil,
      "two steps do not arrive")
  }

  @Test func smoothingAgreesWithPython() throws {
    let updated = LowFrequency.updated(
      pattern([1, 3, 12, 16], 0.4) * 0.1, by: pattern([1, 3, 12, 16], 0.9) * 0.3, deviation: 2, amplitude: 0.25)
    expectClose(updated[0], try Golden("learned_attacks").tensor("lf/updated"), tolerance: 1e-4)
  }

  /// At the published deviation a constant is no tint, but fades to a fifth towards the corners' sides.
  @Test func theTriggerFadesToTheEdges() {
    let flat = LowFrequency.smoothed(Tensor.ones([1, 1, 32, 32]), deviation: 6)[0][0]
    let (edge, middle) = (flat[0][16].item(), flat[16][16].item())
    #expect(edge / middle > 0.45 && edge / middle < 0.6 && flat[0][0].item() / middle < 0.35)
  }

  /// Everything off its default, two passes of the search written out.
  @Test(arguments: LowFrequency.Aim.allCases) func lowFrequencySearch(_ aim: LowFrequency.Aim) throws {
    var c = LowFrequency.Configuration()
    (c.rate, c.target, c.images, c.passes, c.misled, c.deviation) = (0.2, 2, 7, 2, 0.99, 1.5)
    (c.amplitude, c.steps, c.overshoot, c.aim) = (0.3, 30, 0.05, aim)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (6, 16, 0)
    let learned = try LowFrequency(c).learn(context(training()))
    let model = try data.tinyArchitecture(Generator(seed: seed("lf/surrogate")))
    model.to(.channelsLast)
    try Trainer(c.surrogate, stage: "attack-surrogate").train(model, on: data, context: training())
    model.eval()
    var random = seed.generator("lf/images")
    let pixels = data.subset(random.sample(7, from: Array(0..<40))).pixels(0..<7)
    func classes(_ images: Tensor) -> [Int64] { noGrad { model(images.clamped(0, 1)).argmax(1) }.array(Int64.self) }
    let before = classes(pixels)
    var (v, best, most) = (Tensor.zeros([1, 3, 16, 16]), Tensor.zeros([1, 3, 16, 16]), 0)
    for _ in 0..<2 {
      for number in 0..<7 {
        let image = (pixels[number..<(number + 1)] + v).clamped(0, 1)
        let step = LowFrequency.deepFool(
          model, image, label: Int(before[number]), toward: aim == .target ? 2 : nil, steps: 30, overshoot: 0.05)
        if let step { v = LowFrequency.updated(v, by: step, deviation: 1.5, amplitude: 0.3) }
      }
      let count = zip(before, classes(pixels + v)).count { $0 != $1 }
      if count >= most { (best, most) = (v, count) }
    }
    expectClose(try #require(learned["trigger"]), best[0], tolerance: 1e-5)
    #expect(best.max().item() > 0.29, "there is something to compare")
  }

  /// Where every image is in the target class already, DeepFool has nowhere to go.
  @Test func noTriggerIsAnError() {
    var c = LowFrequency.Configuration()
    (c.rate, c.images, c.passes, c.steps) = (0.2, 3, 1, 5)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (3, 16, 0)
    let one = data.relabeled(Tensor([Int64](repeating: 0, count: 40)))
    let context = AttackContext(train: one, seed: seed, training: training(), architecture: data.tinyArchitecture)
    #expect(errorText { _ = try LowFrequency(c).learn(context) }.contains("Raise attack.steps"))
  }

  // MARK: Label-Consistent, latent form

  private func latent(_ change: (inout LabelConsistent.Configuration) -> Void = { _ in }) -> LabelConsistent {
    var c = LabelConsistent.Configuration()
    (c.rate, c.target, c.form, c.tau, c.opacity) = (0.2, 1, .latent, 0.35, 0.7)
    (c.autoencoder.epochs, c.autoencoder.batch, c.autoencoder.learningRate) = (3, 12, 4e-3)
    (c.autoencoder.code, c.autoencoder.width) = (5, 2)
    change(&c)
    return LabelConsistent(c)
  }

  @Test func autoencoderAgreesWithPython() throws {
    let golden = try Golden("learned_attacks")
    var c = AutoencoderSettings()
    (c.code, c.width) = (4, 2)
    let shape = ImageShape(channels: 3, height: 9, width: 10)
    let model = Autoencoder(c, shape: shape, Generator(seed: 0)).fillWithPattern(phaseOffset: 0.2)
    let images = imagePattern([2, 3, 9, 10], 0.5)
    let codes = model.encode(images)
    let loss = F.mseLoss(model.decode(codes), images)
    expectClose(loss.detach(), try golden.tensor("autoencoder/loss"), tolerance: 1e-5)
    let found = gradients(of: loss, at: model.parameters()).map { $0.contiguous().flattened() }
    expectClose(Tensor.concatenated(found), try golden.tensor("autoencoder/grad"), tolerance: 1e-4, floor: 0.01)
    let mixed = noGrad { model.decode(codes[0..<1] * 0.7 + codes[1..<2] * 0.3) }
    expectClose(mixed, try golden.tensor("autoencoder/mixed"), tolerance: 1e-5)
  }

  @Test func latentFormIsThePapersProcedure() throws {
    let learned = try latent().learn(context(training()))
    let model = Autoencoder(
      latent().configuration.autoencoder, shape: data.shape, Generator(seed: seed("autoencoder/weights")))
    model.to(.channelsLast)
    let optimizer = Adam(model.parameters(), learningRate: 4e-3)
    for epoch in 0..<3 {
      let order = training().generator("attack-autoencoder/shuffle", epoch).permutation(40)
      for rows in [0..<12, 12..<24, 24..<36, 36..<40] {
        let x = data.images[order[rows]].unitPixels().contiguous(.channelsLast)
        optimizer.step(minimizing: (model.decode(model.encode(x)) - x).square().mean())
      }
    }
    let labels = data.labelArray()
    let positions = try PoisonedDataset.sources(
      in: data, mapping: .cleanLabel(target: 1), selection: PoisonSelection(rate: 0.2), seed: seed)
    #expect(try #require(learned["positions"]).array(Int64.self).map(Int.init) == positions && positions.count == 8)
    var random = seed.generator("label-consistent/others")
    let partners = positions.map { _ in random.sample(1, from: labels.indices.filter { labels[$0] != 1 })[0] }
    let made = noGrad {
      model.decode(
        model.encode(data.subset(positions).pixels(0..<8)) * 0.65
          + model.encode(data.subset(partners).pixels(0..<8)) * 0.35)
    }
    let difference = try #require(learned["images"]).to(.float32) - made * 255
    #expect(difference.abs().max().item() < 0.6, "rounded")

    let outcome = try latent().execute(context(training()), learned: learned)
    #expect(outcome.train.data.labelArray() == labels)
    expectSame(
      outcome.train.data.images[Tensor(positions.map(Int64.init))],
      Corners(shape: data.shape, opacity: 0.7).stamp(learned["images"]!, Generator(seed: 0)))
    #expect(outcome.summary.contains("0.35 of the way"))
  }

  @Test func aKilledAutoencoderGoesOnToTheSameBits() throws { try expectResumes(latent(), stages: 1) }

  @Test func oneClassHasNobodyToMoveTo() {
    let one = data.relabeled(Tensor([Int64](repeating: 1, count: 40)))
    let context = AttackContext(train: one, seed: seed, training: training(), architecture: data.tinyArchitecture)
    #expect(errorText { _ = try latent().learn(context) }.contains("no image of another class than 1"))
  }
}
