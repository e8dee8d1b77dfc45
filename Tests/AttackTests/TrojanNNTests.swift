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

@Suite struct TrojanNNTests: LearningAttackSuite {
  let data = ImageDataset.tiny(count: 40)

  /// Everything off its default.
  private func attack(_ change: (inout TrojanNN.Configuration) -> Void = { _ in }) -> TrojanNN {
    var c = TrojanNN.Configuration()
    (c.rate, c.target, c.excludeTarget, c.area, c.opacity, c.place, c.margin) = (0.3, 2, true, 0.11, 0.6, .topLeft, 2)
    (c.neurons, c.gain, c.steps, c.step) = (2, 3, 7, 0.05)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (3, 16, 0)
    change(&c)
    return TrojanNN(c)
  }

  /// Choice of the neurons, cost, gradient and a step against Python torch.
  @Test func agreesWithPython() throws {
    let golden = try Golden("learned_attacks")
    let model = goldenNetwork(isTilted: true).eval()
    let three = try TrojanNN.neurons(of: model, inputs: 32, count: 3)
    expectSame(three, try golden.tensor("trojan/neurons"))
    let neurons = three[0..<2]
    let image = imagePattern([1, 3, 16, 16], 0.5)
    let target = try golden.tensor("trojan/activations") * Tensor([Float(2), 3])
    let (cost, activations, slope) = TrojanNN.costAndSlope(model, image, neurons, target: target)
    expectClose(activations, try golden.tensor("trojan/activations"), tolerance: 1e-4)
    expectClose(cost, try golden.tensor("trojan/cost"), tolerance: 1e-4)
    expectClose(slope, try golden.tensor("trojan/slope"), tolerance: 1e-4, floor: 0)

    // One step, whose length is the first one's in full; it lowers the cost, so it is what is kept.
    let found = try attack { ($0.steps, $0.step) = (1, 0.02) }.search(
      model, from: image, TrojanNN.Square(row: 9, column: 8, side: 5), neurons, target: target, training())
    expectClose(found.image, try golden.tensor("trojan/moved"), tolerance: 1e-5)
  }

  /// Where nothing at the patch moves the neuron, and where there is nothing to reach, the search does not go on.
  @Test func searchEndsWhereNoStepHelps() throws {
    final class Steps: ProgressReporter, @unchecked Sendable {
      var done = 0
      var messages: [String] = []
      func begin(_ title: String, total: Int, unit: String) {}
      func update(done: Int, note: @autoclosure () -> String) { self.done = done }
      func end(summary: String) {}
      func message(_ text: String) { messages.append(text) }
    }
    let model = goldenNetwork(isTilted: true).eval()
    noGrad { for parameter in model.parameters() { parameter.zero_() } }
    let (image, square) = (imagePattern([1, 3, 16, 16], 0.5), TrojanNN.Square(row: 9, column: 8, side: 5))
    func search(_ target: Float, _ progress: Steps) throws -> Tensor {
      try attack { $0.steps = 9 }.search(
        model, from: image, square, Tensor([Int64(3)]), target: Tensor([target]),
        TrainingContext(precision: .float32, seed: 5, progress: progress)
      ).image
    }
    let steps = Steps()
    expectSame(try search(4, steps), image)
    #expect(steps.done == 0 && steps.messages.count == 1, "\(steps.messages)")
    for target in [Float.nan, .infinity] {
      let error = #expect(throws: BackdoorError.self) { try search(target, Steps()) }
      #expect(error?.description.contains("not finite") == true)
    }
  }

  /// `learn` and `run` beside the paper's algorithm, written out.
  @Test func runIsThePapersAlgorithm() throws {
    let attack = attack()
    let learned = try attack.learn(context(training()))
    let model = try data.tinyArchitecture(Generator(seed: seed("trojannn/surrogate")))
    model.to(.channelsLast)
    try Trainer(attack.configuration.surrogate, stage: "attack-surrogate").train(model, on: data, context: training())
    model.eval()
    let weight = try #require(model.stateDict()["linear.weight"])
    let sums = (0..<16).map { column in
      weight.array(Float.self).enumerated().reduce(Float(0)) {
        $1.offset % 16 == column ? $0 + abs($1.element) : $0
      }
    }
    let neurons = sums.indices.sorted { sums[$0] > sums[$1] }.prefix(2).map(Int64.init)
    #expect(try #require(learned["neurons"]).array(Int64.self) == neurons)

    func activations(_ images: Tensor) -> Tensor {
      model.features(images.contiguous(.channelsLast)).penultimate.indexed([nil, Tensor(neurons)])
    }
    let largest = noGrad { activations(data.pixels(0..<40)).max([0]) }
    // Square root of .11 x 256: 5 pixels, 2 from the edge.
    var image = ((Generator(seed: seed("trojannn/start")).normal([1, 3, 16, 16]) * 8 + 175) / 255).clamped(0, 1)
    var (best, least) = (image, Double.infinity)
    for step in 0...7 {
      let x = image.detach().clone().requiresGrad_()
      let now = activations(x)
      let cost = (largest * 3 - now[0]).square().sum()
      if cost.item() < least { (best, least) = (image, cost.item()) }
      let slope = gradient(of: cost, at: x).narrowed(2, 2..<7).narrowed(3, 2..<7)
      image = image.clone()
      let patch = image.narrowed(2, 2..<7).narrowed(3, 2..<7)
      patch.copy_((patch - slope / slope.abs().mean() * (0.05 * Double(7 - step) / 7)).clamped(0, 1))
    }
    let trigger = try #require(learned["trigger"])
    expectClose(trigger, best[0].narrowed(1, 2..<7).narrowed(2, 2..<7), tolerance: 1e-4)
    let values = try #require(learned["activations"])
    expectClose(values[0], largest, tolerance: 1e-5)
    expectClose(values[1], noGrad { activations(best)[0] }, tolerance: 1e-4)

    let outcome = try attack.execute(context(training()), learned: learned)
    let labels = data.labelArray()
    #expect(outcome.train.indices.count == 12 && outcome.train.indices.allSatisfy { labels[$0] != 2 })
    #expect(outcome.train.indices.allSatisfy { outcome.train.data.labelArray()[$0] == 2 })
    let position = Tensor(outcome.train.indices.map(Int64.init))
    let stamped = data.images[position].unitPixels().clone()
    let region = stamped.narrowed(2, 2..<7).narrowed(3, 2..<7)
    region.copy_(region * 0.4 + trigger.unsqueezed(0) * 0.6)
    let difference = outcome.train.data.images[position].to(.int64) - stamped.quantized().to(.int64)
    #expect(difference.abs().max().intItem() <= 1)
    #expect(
      changedPixels(data.images[position], outcome.train.data.images[position]).allSatisfy {
        (2..<7).contains($0[0]) && (2..<7).contains($0[1])
      }, "nothing outside of the mask")
    #expect(outcome.summary.contains("patch for neuron \(neurons[0]), \(neurons[1])"))
  }

  /// It ends where the value is reached, and what it reaches is more than what images cause.
  @Test func theNeuronIsExcited() throws {
    let long = try attack { ($0.neurons, $0.gain, $0.steps, $0.area) = (1, 1000, 60, 0.3) }.learn(context(training()))
    let short = try attack { ($0.neurons, $0.gain, $0.steps, $0.area) = (1, 0.01, 60, 0.3) }.learn(context(training()))
    let (far, near) = (try #require(long["activations"]), try #require(short["activations"]))
    expectSame(far[0], near[0])
    #expect(far[1].item() > near[1].item() && near[1].item() >= 0.01 * near[0].item())
  }

  @Test func placesAndSizes() throws {
    let shape = ImageShape(channels: 3, height: 32, width: 32)
    var c = TrojanNN.Configuration()
    #expect(try TrojanNN(c).square(in: shape, seed: 1) == .init(row: 21, column: 21, side: 8), "7%, 3 from the edge")
    c.place = .bottomLeft
    #expect(try TrojanNN(c).square(in: shape, seed: 1) == .init(row: 21, column: 3, side: 8))
    (c.place, c.margin) = (.topRight, 1)
    #expect(try TrojanNN(c).square(in: shape, seed: 1) == .init(row: 1, column: 23, side: 8))
    c.place = .center
    #expect(try TrojanNN(c).square(in: shape, seed: 1) == .init(row: 12, column: 12, side: 8))
    c.place = .random
    let places = try (0..<20).map { try TrojanNN(c).square(in: shape, seed: Seed($0)) }
    #expect(Set(places.map { [$0.row, $0.column] }).count > 10)
    #expect(places.allSatisfy { (1...23).contains($0.row) && (1...23).contains($0.column) })
    c.margin = 14
    #expect(errorText { _ = try TrojanNN(c).square(in: shape, seed: 1) }.contains("no place"))
  }

  @Test func aKilledAttackGoesOnToTheSameBits() throws { try expectResumes(attack(), stages: 1) }

  @Test func badInput() throws {
    #expect(
      errorText { _ = try attack { $0.area = 1 }.learn(context(self.training())) }.contains("Lower attack.area"))
    let training = training()
    training.onStart = { stage, _ in Issue.record("\(stage) began") }
    #expect(errorText { _ = try attack { $0.neurons = 17 }.learn(context(training)) }.contains("has 16 inputs"))
    #expect(errorText { _ = try attack().tasks(for: data.shape, seed: 1, learned: [:]) }.contains("not at hand"))
    let wrong = ["trigger": Tensor.zeros([3, 4, 4]), "neurons": Tensor([Int64(1), 2])]
    #expect(errorText { _ = try attack().tasks(for: data.shape, seed: 1, learned: wrong) }.contains("does not fit"))
  }
}
