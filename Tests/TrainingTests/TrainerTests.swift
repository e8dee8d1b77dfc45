import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct TrainerTests {
  private let data = ImageDataset.tiny(count: 48)

  private func recipe(_ edit: (inout Recipe) -> Void = { _ in }) -> Recipe {
    var recipe = Recipe()
    recipe.epochs = 5
    recipe.batch = 8
    recipe.learningRate = 0.05
    recipe.crop = 1
    recipe.flip = false
    edit(&recipe)
    return recipe
  }
  private func context(seed: Seed = 1) -> TrainingContext { TrainingContext(precision: .float32, seed: seed) }

  @Test func learns() throws {
    let model = try Classifier.tiny(for: data, width: 8)
    let context = context()
    var losses: [Double] = []
    context.onEpoch = { report in losses += report.values.filter { $0.key == "loss" }.map(\.value) }
    try Trainer(recipe { $0.learningRate = 0.2 }).train(model, on: data, context: context)
    #expect(losses.count == 5 && losses[4] < losses[0] / 3, "\(losses)")
    #expect(!model.isTraining)
    #expect(model.parameters().allSatisfy { $0.grad == nil })
    let right = noGrad {
      (model.logits(of: data, context: context).argmax(1) .== data.labels).to(.float32).mean().item()
    }
    #expect(right > 0.9)
  }

  @Test func emptySet() throws {
    let model = try Classifier.tiny(for: data)
    let error = #expect(throws: TrainingError.self) {
      try Trainer(recipe()).train(model, on: data.prefix(0), context: context())
    }
    #expect(error?.description == "train: the training set is empty.")
  }

  @Test func seeds() throws {
    func trained(_ seed: Seed) throws -> [(key: String, tensor: Tensor)] {
      let model = try Classifier.tiny(for: data)
      try Trainer(recipe { $0.epochs = 1 }).train(model, on: data, context: context(seed: seed))
      return model.snapshot()
    }
    let (one, again, other) = (try trained(1), try trained(1), try trained(2))
    expectSame(one, again)
    #expect(zip(one, other).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 })
  }

  /// Each image once an epoch, in another order each time; with `dropLast` a batch that is not full stays out.
  @Test(arguments: [true, false]) func ordersAndLastBatch(_ dropLast: Bool) throws {
    // The first pixel byte names the image.
    let images = Tensor((0..<20).flatMap { [UInt8](repeating: UInt8($0), count: 4) }, shape: [20, 1, 2, 2])
    let named = ImageDataset(
      name: "test", images: images, labels: Tensor((0..<20).map { Int64($0 % 2) }), classNames: ["a", "b"])
    let model = WithDropout(for: named)
    var epochs: [[Int]] = [[]]
    var sizes: [Int] = []
    let context = context()
    context.onEpoch = { _ in epochs.append([]) }
    let trainer = Trainer(
      recipe {
        $0.epochs = 3
        $0.crop = 0
        $0.dropLast = dropLast
      })
    try trainer.train(model, on: named, context: context) { batch in
      let (images, labels) = (batch.images, batch.labels)
      sizes.append(images.dimension(0))
      let names = (images.selected(1, 0).selected(1, 0).selected(1, 0) * 255).round().to(.int64).array(Int64.self).map(
        Int.init)
      #expect(labels.array(Int64.self).map(Int.init) == names.map { $0 % 2 }, "labels belong to their images")
      #expect(batch.indices.array(Int64.self).map(Int.init) == names && batch.epoch == epochs.count - 1)
      epochs[epochs.count - 1] += names
      return BatchLoss(F.crossEntropy(model(images), labels))
    }
    epochs.removeLast()
    #expect(sizes == (dropLast ? [8, 8, 8, 8, 8, 8] : [8, 8, 4, 8, 8, 4, 8, 8, 4]))
    for order in epochs { #expect(Set(order).count == order.count && order.count == (dropLast ? 16 : 20)) }
    #expect(Set(epochs).count == 3 && !epochs.contains(Array(0..<epochs[0].count)))
  }

  @Test func batches() {
    #expect(Batches(count: 10, size: 4).ranges == [0..<4, 4..<8, 8..<10])
    #expect(Batches(count: 10, size: 4, dropLast: true).ranges == [0..<4, 4..<8])
    #expect(Batches(count: 8, size: 4, dropLast: true).ranges == [0..<4, 4..<8])
    #expect(Batches(count: 3, size: 4, dropLast: true).ranges == [0..<3], "the only batch stays")
    #expect(Batches(count: 0, size: 4).ranges.isEmpty)
    #expect(Batches(count: 10, size: 4, dropLast: true).images == 8)
    #expect(Batches(count: 9, size: 4).ranges == [0..<4, 4..<8, 8..<9])
    #expect(Batches(count: 9, size: 4, joinsSingle: true).ranges == [0..<4, 4..<9])
    #expect(Batches(count: 10, size: 4, joinsSingle: true).ranges == [0..<4, 4..<8, 8..<10])
    #expect(Batches(count: 9, size: 4, dropLast: true, joinsSingle: true).ranges == [0..<4, 4..<8])
    #expect(Batches(count: 1, size: 4, joinsSingle: true).ranges == [0..<1])
    #expect(Batches(count: 2, size: 1, joinsSingle: true).ranges == [0..<1, 1..<2])
  }

  /// BatchNorm has no statistics over one value: a last batch of one image joins the one before it, one image in all is
  /// refused.
  @Test func aBatchOfOneImage() throws {
    let model = try ModelSpec(
      kind: "vgg19_bn", shape: ModelShape(classes: data.classes, width: 2, channels: data.channels, imageSize: 8)
    )
    .make(Generator(seed: 0))
    let recipe = recipe {
      $0.epochs = 1
      $0.dropLast = false
    }
    var sizes: [Int] = []
    let context = context()
    try Trainer(recipe).train(model, on: data.prefix(17), context: context) { batch in
      sizes.append(batch.labels.count)
      return recipe.crossEntropy(model, batch, context: context)
    }
    #expect(sizes == [8, 9])
    for (count, batch, words) in [(1, 8, "1 image in all"), (4, 1, "the batch size of its recipe is 1")] {
      var recipe = recipe
      recipe.batch = batch
      let error = #expect(throws: TrainingError.self) {
        try Trainer(recipe).train(model, on: data.prefix(count), context: context)
      }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  /// The learning rate that each step sees.
  @Test func ratesReachTheOptimizer() throws {
    let context = context()
    var rates: [Double] = []
    context.onEpoch = { report in rates += report.values.filter { $0.key == "learningRate" }.map(\.value) }
    let trainer = Trainer(
      recipe {
        $0.epochs = 4
        $0.schedule = .multiStep
        $0.milestones = [1, 3]
      })
    try trainer.train(try Classifier.tiny(for: data), on: data, context: context)
    for (found, expected) in zip(rates, [0.05, 0.005, 0.005, 0.0005]) { expectClose(found, expected) }
    #expect(rates.count == 4)
  }

  /// One step by hand: theta - rate * (gradient + decay * theta), with smoothing in the loss and the norm of the
  /// gradients cut.
  @Test func oneStepByHand() throws {
    let few = data.prefix(8)
    let (model, twin) = (try Classifier.tiny(for: few), try Classifier.tiny(for: few))
    let trainer = Trainer(
      recipe {
        $0.epochs = 1
        $0.schedule = .constant
        $0.weightDecay = 0.1
        $0.momentum = 0
        $0.crop = 0
        $0.labelSmoothing = 0.2
        $0.clipNorm = 0.05
      })
    try trainer.train(model, on: few, context: context())

    twin.train()
    let logits = twin(few.pixels(0..<8))
    let probabilities = F.logSoftmax(logits, 1)
    let targets = few.labels.oneHot(4).to(.float32) * 0.8 + 0.05
    (-(probabilities * targets).sum() / 8).backward()
    let parameters = twin.parameters()
    let norm = parameters.reduce(0.0) { $0 + ($1.grad.map { $0.square().sum().item() } ?? 0) }.squareRoot()
    #expect(norm > 0.05)
    noGrad {
      for parameter in parameters {
        guard let gradient = parameter.grad else { continue }
        parameter.sub_((gradient * (0.05 / norm) + parameter * 0.1) * 0.05)
      }
    }
    for (found, expected) in zip(model.namedParameters(), twin.namedParameters()) {
      expectClose(found.tensor.detach(), expected.tensor.detach(), tolerance: 1e-5, found.key)
    }
  }

  @Test func ownLoss() throws {
    let model = try Classifier.tiny(for: data)
    let before = model.snapshot()
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try Trainer(recipe()).train(model, on: data, context: context()) { _ in throw Stop() }
    }
    expectSame(model.snapshot(), before)
    let other = try Classifier.tiny(for: data)
    let plain = try Classifier.tiny(for: data)
    try Trainer(recipe { $0.epochs = 1 }).train(plain, on: data, context: context())
    try Trainer(recipe { $0.epochs = 1 }).train(other, on: data, context: context()) { batch in
      BatchLoss(F.crossEntropy(other(batch.images), batch.labels))
    }
    expectSame(other.snapshot(), plain.snapshot(), "the usual loss by hand")
  }

  /// A part of the set, a parameter of a module that is no classifier, an optimizer of the method's own, a set that
  /// weights stay inside.
  @Test func ownModule() throws {
    final class Shift: Module {
      @Parameter var value = Tensor.zeros([1, 3, 1, 1])
    }
    let (shift, samples) = (Shift(), Tensor([5, 9, 30, 31] as [Int64]))
    let context = context()
    var reports: [EpochReport] = []
    context.onEpoch = { reports.append($0) }
    var trainer = Trainer(
      recipe {
        $0.epochs = 2
        $0.batch = 2
      }, stage: "shift")
    (trainer.trainingMode, trainer.isMeasured) = (false, false)
    var draws: [Double] = []
    try trainer.train(
      shift, on: data, samples: samples, context: context, optimizer: Adam([shift.value], learningRate: 0.1),
      afterStep: { shift.value.clamp_(-0.02, 0.02) },
      loss: { batch in
        #expect(!shift.isTraining && Set(batch.indices.array(Int64.self)).isSubset(of: [5, 9, 30, 31]))
        draws.append(batch.generator("own").uniform([]).item())
        let loss = (batch.images + shift.value).mean()
        return BatchLoss(loss, rows: Tensor([1] as [Int64]), parts: ["half": loss / 2])
      })
    expectClose(shift.value.detach(), Tensor.full([1, 3, 1, 1], -0.02))
    #expect(reports.map(\.isMeasured) == [false, false] && reports.map { $0.selected?.count } == [2, 2])
    #expect(
      reports.allSatisfy { $0.values[1].key == "half" && abs($0.values[1].value * 2 - $0.values[0].value) < 1e-6 })
    let streams = (0..<2).map { context.generator("shift/own", $0) }
    #expect(draws == [0, 0, 1, 1].map { streams[$0].uniform([]).item() })
  }

  /// A part of the set is learned in another order each epoch too.
  @Test func partsAreShuffled() throws {
    let samples = [3, 4, 9, 12, 20, 21, 30, 31, 40, 47]
    let (model, context) = (try Classifier.tiny(for: data), context())
    var orders = [[Int]](repeating: [], count: 2)
    let trainer = Trainer(
      recipe {
        $0.epochs = 2
        $0.batch = 5
      })
    try trainer.train(model, on: data, samples: Tensor(samples.map { Int64($0) }), context: context) { batch in
      orders[batch.epoch] += batch.indices.array(Int64.self).map(Int.init)
      return BatchLoss(F.crossEntropy(model(batch.images), batch.labels))
    }
    for (epoch, order) in orders.enumerated() {
      let shuffled = context.generator("train/shuffle", epoch).permutation(10).array(Int64.self)
      #expect(order == shuffled.map { samples[Int($0)] })
    }
    #expect(orders[0] != orders[1])
  }

  /// Gradients that a method computed itself are stepped along in place of the loss's, and limited alike.
  @Test(arguments: [nil, 0.05] as [Double?]) func ownGradients(_ clipNorm: Double?) throws {
    func trained(own: Bool) throws -> Classifier {
      let model = try Classifier.tiny(for: data)
      let recipe = recipe {
        $0.epochs = 1
        $0.clipNorm = clipNorm
      }
      try Trainer(recipe).train(model, on: data, context: context()) { batch in
        let loss = F.crossEntropy(model(batch.images), batch.labels)
        guard own else { return BatchLoss(loss) }
        let slopes = gradients(of: loss, at: model.parameters(), retainGraph: true)
        return BatchLoss(loss * 100, gradients: slopes)
      }
      return model
    }
    expectSame(try trained(own: true).snapshot(), try trained(own: false).snapshot())
  }

  /// Predictions do not depend on the batch size, and leave the mode as it was.
  @Test func predictions() throws {
    let model = try Classifier.tiny(for: data)
    model.train()
    let context = context()
    let whole = model.logits(of: data, context: context)
    expectClose(model.logits(of: data, context: context, batch: 7), whole)
    #expect(model.isTraining && !whole.requiresGrad && whole.shape == [48, 4])
    var seen: [Range<Int>] = []
    let black = model.logits(of: data, context: context, batch: 20) { pixels, range in
      seen.append(range)
      return pixels * 0
    }
    #expect(seen == [0..<20, 20..<40, 40..<48])
    expectClose(black[0], black[47])
    #expect(model.logits(of: data.prefix(0), context: context).shape == [0, 4])
  }
}
