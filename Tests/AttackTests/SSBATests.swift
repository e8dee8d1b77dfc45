@testable import Attacks
import Backdoor
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct SSBATests: LearningAttackSuite {
  let data = ImageDataset.tiny(count: 24, size: 8)

  /// Everything off its default.
  private var attack: SSBA {
    var c = SSBA.Configuration()
    (c.rate, c.target, c.excludeTarget, c.bits, c.width, c.epochs, c.secretEpochs) = (0.25, 2, true, 6, 2, 3, 1)
    (c.ramp, c.batch, c.learningRate, c.imageWeight, c.perceptualWeight, c.secretWeight) = (1.5, 10, 3e-3, 5, 0.4, 2.5)
    return SSBA(c)
  }

  /// Where all epochs learn the bits alone, nothing keeps what is added small.
  @Test func epochsForTheImages() throws {
    func error(_ change: (inout SSBA.Configuration) -> Void) -> String {
      var c = attack.configuration
      change(&c)
      return errorText { try SSBA(c).checkLearning(on: data, seed: 1) }
    }
    #expect(error { _ in } == "no error" && error { $0.epochs = 0 } == "no error")
    #expect(error { $0.secretEpochs = 3 }.contains("attack.secretEpochs 3"))
    #expect(error { ($0.secretEpochs, $0.imageWeight, $0.perceptualWeight) = (3, 0, 0) } == "no error")
  }

  /// Networks, losses, gradients and stamped bytes against Python torch, on images whose sides do not halve.
  @Test(arguments: [MemoryFormat.contiguous, .channelsLast]) func agreesWithPython(_ format: MemoryFormat) throws {
    let golden = try Golden("learned_attacks")
    let shape = ImageShape(channels: 3, height: 9, width: 10)
    let network = Steganography(bits: 5, shape: shape, width: 2, Generator(seed: 0))
    network.encoder.fillWithPattern(phaseOffset: 0.3)
    network.decoder.fillWithPattern(phaseOffset: 0.6)
    noGrad {
      for (key, tensor) in network.encoder.namedParameters() where key.hasPrefix("residual.") { tensor.mul_(0.1) }
      network.decoder.map.bias?.wrappedValue.copy_(Tensor([Float(1), 0, 0, 0, 1, 0]) + 0.1 * pattern([6], 0.5))
    }
    network.to(format)
    let images = imagePattern([3, 3, 9, 10], 0.5)
    let secrets = (pattern([3, 5], 0.1) .> 0).to(.float32)
    let residual = network.encoder(images.contiguous(format), secrets)
    expectClose(residual.detach(), try golden.tensor("ssba/residual"), tolerance: 1e-5)
    expectClose(
      network.decoder((images + residual).clamped(0, 1).contiguous(format)).detach(), try golden.tensor("ssba/logits"),
      tolerance: 1e-4)
    let losses = network.losses(images.contiguous(format), secrets)
    expectClose(losses.secret.detach(), try golden.tensor("ssba/secret"), tolerance: 1e-5)
    expectClose(losses.image.detach(), try golden.tensor("ssba/image"), tolerance: 1e-5)
    expectClose(losses.perceptual.detach(), try golden.tensor("ssba/perceptual"), tolerance: 1e-4)
    expectClose(losses.accuracy, try golden.tensor("ssba/accuracy"))

    var c = SSBA.Configuration()
    (c.imageWeight, c.perceptualWeight, c.secretWeight, c.secretEpochs, c.ramp) = (3, 0.7, 1.3, 4, 0)
    let total = SSBA(c).objective(losses, time: 4.1)
    let found = gradients(of: total, at: network.parameters()).map { $0.contiguous().flattened() }
    expectClose(Tensor.concatenated(found), try golden.tensor("ssba/grad"), tolerance: 1e-4, floor: 0.01)
    expectSame(SSBA(c).objective(losses, time: 4), losses.secret, "the last epoch of the bits alone")

    let trigger = SSBA.trigger(network.encoder, secret: secrets[0].to(.uint8).array(UInt8.self))
    expectSame(
      trigger.stamp(images.quantized(), Generator(seed: 0)), try golden.tensor("ssba/stamped"), "to the last byte")
  }

  /// `learn` and `run` beside the paper's procedure, written out.
  @Test func runIsThePapersProcedure() throws {
    let learned = try attack.learn(context(training()))

    let network = Steganography(bits: 6, shape: data.shape, width: 2, Generator(seed: Seed(5)("ssba/weights")))
    network.to(.channelsLast)
    let optimizer = Adam(network.parameters(), learningRate: 3e-3)
    for epoch in 0..<3 {
      let order = training().generator("attack-encoder/shuffle", epoch).permutation(24)
      let strings = training().generator("attack-encoder/secret", epoch)
      for (step, rows) in [0..<10, 10..<20, 20..<24].enumerated() {
        let x = data.images[order[rows]].unitPixels().contiguous(.channelsLast)
        let s = strings.integers(0..<2, [rows.count, 6]).to(.float32)
        let added = network.encoder(x, s)
        let marked = (x + added).clamped(0, 1)
        let read = network.decoder(marked)
        let wrong = (read.maximum(Tensor.zeros(like: read)) - read * s + ((-read.abs()).exp() + 1).log()).mean()
        let share = min(1, (Double(3 * epoch + step + 1) / 3 - 1) / 1.5)
        let kept = (added * added).mean() * 5 + Steganography.dissimilarity(x, marked) * 0.4
        let all = wrong * 2.5 + kept * share
        optimizer.step(minimizing: epoch == 0 ? wrong : all)
      }
    }
    for (key, tensor) in network.encoder.stateDict().entries {
      expectClose(try #require(learned["encoder." + key]), tensor, tolerance: 1e-4, floor: 0.05)
    }

    let outcome = try attack.execute(context(training()), learned: learned)
    let secret = try #require(learned["secret"])
    expectSame(secret, Generator(seed: Seed(5)("ssba/secret")).integers(0..<2, [6]).to(.uint8))
    let labels = data.labelArray()
    #expect(outcome.train.indices.count == 6 && outcome.train.indices.allSatisfy { labels[$0] != 2 })
    #expect(outcome.train.indices.allSatisfy { outcome.train.data.labelArray()[$0] == 2 })
    let position = Tensor(outcome.train.indices.map(Int64.init))
    let x = data.images[position].unitPixels()
    let hidden = noGrad { x + network.encoder(x, secret.to(.float32).unsqueezed(0).expanded([6, 6])) }
    let difference = outcome.train.data.images[position].to(.int64) - hidden.quantized().to(.int64)
    #expect(difference.abs().max().intItem() <= 1, "rounding apart")
    #expect(outcome.summary.contains("hides 6 bits, of which the decoder reads "))
  }

  /// What is saved stamps the same bytes after loading; a trigger differs from image to image, and the secret matters.
  @Test func stampsTheSameAfterLoading() throws {
    let learned = try attack.learn(context(training()))
    let trigger = try attack.tasks(for: data.shape, seed: 5, learned: learned)[0].trigger
    let loaded = try withTemporaryFolder { folder in
      try Safetensors.save(learned.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: "\(folder)/a.safetensors")
      return try Safetensors.load("\(folder)/a.safetensors").tensors
    }
    let again = try attack.tasks(
      for: data.shape, seed: 5, learned: Dictionary(uniqueKeysWithValues: loaded.map { ($0.key, $0.tensor) }))
    let stamped = trigger.stamp(data.images, Generator(seed: 1))
    expectSame(again[0].trigger.stamp(data.images, Generator(seed: 2)), stamped)
    let added = stamped.to(.int64) - data.images.to(.int64)
    #expect((added[0] .!= added[1]).any().intItem() == 1, "a trigger of its own")
    var other = learned
    other["secret"] = (learned["secret"]! .== 0).to(.uint8)
    let second = try attack.tasks(for: data.shape, seed: 5, learned: other)[0].trigger
    #expect((second.stamp(data.images, Generator(seed: 1)) .!= stamped).any().intItem() == 1)
  }

  @Test func aKilledAttackGoesOnToTheSameBits() throws { try expectResumes(attack, stages: 1) }

  /// With weight on the bits, they are read from bytes; the image stays close.
  @Test func bitsAreLearned() throws {
    var c = attack.configuration
    (c.bits, c.width, c.epochs, c.secretEpochs, c.batch, c.learningRate) = (2, 4, 90, 80, 12, 1e-2)
    c.ramp = 20
    let accuracy = try #require(try SSBA(c).learn(context(training()))["accuracy"]).item()
    #expect(accuracy > 0.95, "\(accuracy)")
  }

  @Test func badInput() throws {
    func message(_ learned: [String: Tensor]) -> String {
      errorText { _ = try attack.tasks(for: data.shape, seed: 5, learned: learned) }
    }
    #expect(message([:]).contains("its secret is not at hand"))
    #expect(message(["secret": Tensor.zeros([5], dtype: .uint8)]).contains("not one of 6 bits"))
    let bits = Tensor.zeros([6], dtype: .uint8)
    #expect(message(["secret": bits]).contains("encoder"))
    #expect(message(["secret": bits, "encoder.conv1.weight": Tensor.zeros([2])]).contains("conv1.weight"))
  }
}
