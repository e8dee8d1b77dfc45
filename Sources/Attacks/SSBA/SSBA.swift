// SSBA or ISSBA (Li, Li, Wu, Li, He, Lyu, Invisible Backdoor Attack with Sample-Specific Triggers, ICCV 2021,
// arXiv:2012.03816): every image gets a trigger of its own. An encoder E hides the attacker's bits s in an image as
// StegaStamp does (Tancik et al., CVPR 2020); what it adds depends on the image, and the bits are what triggered images
// have in common.
//
//   min over E, D   2 |E(x, s)|^2 + 1.5 P(x, x') + 1.5 BCE(D(x'), s),   x' = clip(x + E(x, s), 0, 1)
//
// with a new s for each image of a batch; the first two epochs learn the bits alone, then the weights of the first two
// terms rise along a line, as StegaStamp's do: where they come at once, before the bits are read well, the encoder's way
// out is to add nothing. Then the attacker draws one string of bits, and every poisoned image becomes x' for it. The
// paper's networks are trained on the attacked data at their own size, and so are these, without labels.
//
// P is LPIPS in the paper, which needs a network trained on photographs and on people's judgements. Here it is 1 - SSIM,
// which needs neither [decided here]. Weights of the losses, epochs, batch and learning rate are those of the authors'
// toolbox; its critic, which is not trained there, is left out. Float32 throughout: bfloat16 has no more than 8 bits, and what is
// hidden lies below them [decided here].

public import Backdoor
import Files
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct SSBA: Attack {
  public static let id = "ssba"
  public static let summary = "Bits hidden in every image by a network trained for it: each image has its own trigger."
  public static let paper = "Li et al. 2021, Invisible Backdoor Attack with Sample-Specific Triggers (arXiv:2012.03816)"
  public static let learns = true

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var bits = 100
    public var width = 32
    public var epochs = 20
    public var secretEpochs = 2
    public var ramp = 3.0
    public var batch = 32
    public var learningRate = 1e-4
    public var imageWeight = 2.0
    public var perceptualWeight = 1.5
    public var secretWeight = 1.5
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("Li et al.: .1") + [
        Setting(
          "bits", "Length of the hidden string.", unit: "bits", range: 1...4096,
          source: "Li et al.: 100; their toolbox: 20 at 32 x 32"),
        Setting(
          "width", "Channels of the networks' first stage.", unit: "channels", range: 1...1024, source: "StegaStamp: 32"
        ),
        Setting(
          "epochs", "Passes over the training set.", unit: "epochs", range: 0...100_000, source: "authors' toolbox: 20"),
        Setting(
          "secretEpochs", "The first of them, which learn the bits alone.", unit: "epochs", range: 0...100_000,
          source: "authors' toolbox: 2"),
        Setting(
          "ramp", "Epochs after them in which imageWeight and perceptualWeight rise from 0.", unit: "epochs",
          range: 0...100_000, source: "StegaStamp: 20,000 of 140,000 steps"),
        Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "authors' toolbox: 32"),
        Setting("learningRate", "Of Adam.", range: 0...1, source: "Li et al.: 1e-4"),
        Setting(
          "imageWeight", "Of the mean square of what is added.", range: 0...1e6, source: "authors' toolbox: 2"),
        Setting(
          "perceptualWeight", "Of 1 - SSIM, in place of LPIPS.", range: 0...1e6,
          source: "authors' toolbox: 1.5, for LPIPS"),
        Setting(
          "secretWeight", "Of the decoder's cross entropy.", range: 0...1e6, source: "authors' toolbox: 1.5"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  private static let (secretKey, accuracyKey, encoderKey) = ("secret", "accuracy", "encoder")

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    try checkEpochs()
    let sources = try context.sources(mapping: c.labelMapping, selection: selection)
    let network = Steganography(
      bits: c.bits, shape: data.shape, width: c.width, Generator(seed: context.seed("ssba/weights")))
    var trainer = Trainer(
      .constant(epochs: c.epochs, batch: c.batch, learningRate: c.learningRate), stage: "attack-encoder")
    trainer.isMeasured = false
    let steps = Batches(count: data.count, size: c.batch, joinsSingle: true).ranges.count
    var (epoch, step) = (-1, 0)
    try trainer.train(network, on: data, context: training) { batch in
      // A resumed run begins with an epoch, too.
      (epoch, step) = (batch.epoch, batch.epoch == epoch ? step + 1 : 1)
      let secrets = batch.generator("secret").integers(0..<2, [batch.labels.count, c.bits]).to(.float32)
      let losses = network.losses(batch.images, secrets)
      return BatchLoss(
        objective(losses, time: Double(epoch) + Double(step) / Double(steps)),
        parts: [
          "secret": losses.secret, "image": losses.image, "perceptual": losses.perceptual, "bits": losses.accuracy,
        ])
    }

    let secret = Generator(seed: context.seed("ssba/secret")).integers(0..<2, [c.bits]).to(.uint8)
    let trigger = Self.trigger(network.encoder, secret: secret.array(UInt8.self))
    // Read from bytes, as whoever finds the images would.
    let chosen = data.subset(Array(sources.prefix(Batches.evaluationSize))).images
    let stamped = trigger.stamp(chosen, training.generator("ssba/stamp")).unitPixels()
    let accuracy = noGrad {
      Steganography.accuracy(
        network.decoder(stamped.contiguous(.channelsLast)), secret.to(training.device).to(.float32).unsqueezed(0))
    }
    training.progress.message(
      "the decoder reads \(formatPercent(accuracy.item())) of the bits that the poisoned images hide")
    return [Self.secretKey: secret, Self.accuracyKey: accuracy.to(.cpu).reshaped(1)]
      .merging(network.encoder.learned(as: Self.encoderKey)) { $1 }
  }

  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    try checkEpochs()
    try checkSources(in: train, mapping: configuration.labelMapping, seed: seed)
  }

  private func checkEpochs() throws(BackdoorError) {
    let c = configuration
    guard c.epochs == 0 || c.secretEpochs < c.epochs || c.imageWeight + c.perceptualWeight == 0 else {
      throw .invalid(
        "attack.secretEpochs \(c.secretEpochs): all of the \(c.epochs) epochs learn the bits alone, and none that they are "
          + "hardly seen. Lower it, or raise attack.epochs.")
    }
  }

  /// Adds to each image what the encoder makes of it and of the secret, whose bits are 0 or 1.
  static func trigger(_ encoder: SecretEncoder, secret: [UInt8]) -> GeneratedTrigger<SecretEncoder> {
    GeneratedTrigger(encoder) { encoder, images, _ in
      let bits = Tensor(secret.map(Float.init), shape: [1, secret.count]).to(images.device)
      return images + encoder(images, bits.expanded([images.dimension(0), secret.count]))
    }
  }

  /// What a step makes small.
  /// - Parameter time: epochs after the step.
  func objective(_ losses: Steganography.Losses, time: Double) -> Tensor {
    let c = configuration
    let since = time - Double(c.secretEpochs)
    if since <= 0 { return losses.secret }
    let share = c.ramp > 0 ? min(1, since / c.ramp) : 1
    return (losses.image * c.imageWeight + losses.perceptual * c.perceptualWeight) * share
      + losses.secret * c.secretWeight
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard let secret = learned[Self.secretKey] else {
      throw BackdoorError.notLearned(attack: Self.id, key: Self.secretKey)
    }
    let c = configuration
    guard secret.dtype == .uint8, secret.shape == [c.bits] else {
      throw BackdoorError.invalid("\(Self.id): the secret \(secret.summary) is not one of \(c.bits) bits.")
    }
    let encoder = makeEncoder(shape, Generator(seed: 0))
    try encoder.load(learned, as: Self.encoderKey, of: Self.id)
    let trigger = Self.trigger(encoder, secret: secret.array(UInt8.self))
    return [BackdoorTask(name: "\(c.bits) hidden bits", trigger: trigger, mapping: c.labelMapping)]
  }

  public func summary(learned: [String: Tensor]) -> String {
    let read = learned[Self.accuracyKey].map { ", of which the decoder reads \(formatPercent($0.item()))" } ?? ""
    return "carry a trigger of their own that hides \(configuration.bits) bits\(read)"
  }
}

extension SSBA: AttackWithUntrainedTrigger {
  private func makeEncoder(_ shape: ImageShape, _ random: Generator) -> SecretEncoder {
    SecretEncoder(bits: configuration.bits, shape: shape, width: configuration.width, random)
  }
  public func untrainedTrigger(for shape: ImageShape, _ random: Generator) -> any Trigger {
    Self.trigger(makeEncoder(shape, random), secret: [UInt8](repeating: 1, count: configuration.bits))
  }
}
