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

/// Whole runs against the methods written out here: SimCLR (Chen et al. 2020, algorithm 1), MoCo v2 (He et al. 2020,
/// algorithm 1, with shuffled BatchNorm) and BYOL (Grill et al. 2020, equation 2). Two epochs of two batches, every
/// setting off its default.
@Suite struct SelfSupervisedTwinTests {
  typealias Edit = @Sendable (inout SelfSupervisedTraining) -> Void
  static let cases: [(name: String, edit: Edit)] = [
    ("simclr", { _ in }), ("simclr, first view", { ($0.anchors, $0.flip) = (.first, true) }),
    ("moco", { ($0.method, $0.learningRate) = (.moco, 20) }),
    ("byol", { ($0.method, $0.temperature) = (.byol, nil) }),
  ]
  private let data = ImageDataset.tiny(count: 17, seed: 4)

  private func settings(_ edit: Edit) -> SelfSupervisedTraining {
    var s = SelfSupervisedTraining()
    (s.epochs, s.batch, s.images, s.learningRate, s.momentum, s.weightDecay) = (2, 7, 15, 30, 0.6, 0.01)
    (s.period, s.warmup, s.temperature, s.queue, s.targetMomentum, s.groups) = (5, 1, 0.3, 9, 0.8, 3)
    (s.hidden, s.projection, s.viewSize, s.smallestCrop, s.flip) = (5, 6, 12, 0.5, false)
    (s.jitter, s.grayscale, s.blur) = (1.4, 0.4, 0.7)
    edit(&s)
    return s
  }

  @Test(arguments: cases.map(\.name)) func runIsTheMethod(_ name: String) throws {
    let settings = settings(try #require(Self.cases.first { $0.name == name }).edit)
    let model = try Classifier.tiny(for: data)
    let context = TrainingContext(precision: .float32, seed: 8)
    var losses: [Double] = []
    context.onEpoch = { losses.append($0.values[0].value) }
    try settings.pretrain(model, on: data, context: context, stage: "ssl")

    var twin = try Twin(settings, data, seed: 8)
    twin.run()
    for (key, tensor) in model.snapshot() {
      expectClose(tensor, try #require(twin.model.stateDict()[key]).detach(), tolerance: 5e-5, key)
    }
    let start = try Classifier.tiny(for: data)
    for (before, after) in zip(start.namedParameters(), model.namedParameters())
    where !after.key.hasPrefix("linear") {
      #expect((before.tensor - after.tensor).abs().max().item() > 1e-3, "\(after.key) moves far enough to be compared")
    }
    #expect(losses.count == 2 && twin.losses.count == 2 && losses[0] != losses[1])
    for (found, expected) in zip(losses, twin.losses) { expectClose(found, expected, tolerance: 1e-4) }
  }
}

/// Numbers of a projection or prediction head.
private struct Head {
  let w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
  let norm: (scale: Tensor, shift: Tensor)?

  init(_ entries: [String: Tensor], _ prefix: String) {
    func tensor(_ key: String) -> Tensor { entries["\(prefix).\(key)"]!.detach().clone().requiresGrad_() }
    (w1, b1) = (tensor("first.weight"), tensor("first.bias"))
    (w2, b2) = (tensor("last.weight"), tensor("last.bias"))
    norm = entries["\(prefix).norm.weight"] == nil ? nil : (tensor("norm.weight"), tensor("norm.bias"))
  }
  var parameters: [Tensor] { [w1, b1] + (norm.map { [$0.scale, $0.shift] } ?? []) + [w2, b2] }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var h = x.matmul(w1.transposed()) + b1
    if let norm {
      let centred = h - h.mean([0], keep: true)
      h = centred / ((centred * centred).mean([0], keep: true) + 1e-5).sqrt() * norm.scale + norm.shift
    }
    return h.clamped(min: 0).matmul(w2.transposed()) + b2
  }
}

private struct Twin {
  let settings: SelfSupervisedTraining
  let data: ImageDataset
  let seed: Seed
  let model: Classifier
  private let slow: Classifier
  private let head: Head, slowHead: Head
  private let predictor: Head?
  /// The newest keys first.
  private var queue: Tensor?
  private var newKeys: Tensor?
  private(set) var losses: [Double] = []

  init(_ settings: SelfSupervisedTraining, _ data: ImageDataset, seed: Seed) throws {
    (self.settings, self.data, self.seed) = (settings, data, seed)
    (model, slow) = (try .tiny(for: data), try .tiny(for: data))
    // The random start of the heads and the queue, from a learner that is then left alone.
    let start = try settings.makeLearner(
      .tiny(for: data), features: model.featureCount(for: data), Generator(seed: seed("ssl/head")))
    let entries = Dictionary(uniqueKeysWithValues: start.stateDict().entries.map { ($0.key, $0.tensor) })
    (head, slowHead) = (Head(entries, "encoder.projector"), Head(entries, "encoder.projector"))
    predictor = settings.method == .byol ? Head(entries, "predictor") : nil
    queue = entries["queue"]?.clone()
  }

  mutating func run() {
    let trained =
      model.namedParameters().filter { !$0.key.hasPrefix("linear") }.map(\.tensor) + head.parameters
      + (predictor?.parameters ?? [])
    for network in [model, slow] { network.to(.channelsLast).train() }
    let sgd = SGD(trained, learningRate: 0, momentum: settings.momentum, weightDecay: settings.weightDecay)
    var views = ContrastiveAugmentation()
    (views.size, views.smallestCrop, views.flip) = (settings.viewSize, settings.smallestCrop, settings.flip ? 0.5 : 0)
    (views.brightness, views.contrast, views.saturation) = (0.4 * 1.4, 0.4 * 1.4, 0.4 * 1.4)
    (views.hue, views.jitter, views.grayscale, views.blur) = (0.14, 0.8, settings.grayscale, settings.blur)
    for epoch in 0..<2 {
      let order = Generator(seed: seed("ssl/shuffle", epoch)).permutation(17)
      let draws = Generator(seed: seed("ssl/views", epoch))
      var sum = 0.0
      for step in 0..<2 {
        // The rate for 512 images, in proportion; one epoch of warm-up, then the cosine.
        let base = (settings.learningRate ?? 0) * 7 / 512
        sgd.learningRate = epoch == 0 ? base * Double(step + 1) / 2 : base * (1 + cos(Double.pi / 5)) / 2
        let index = order[(7 * step)..<(7 * step + 7)]
        let both = views.gather(images: data.images, indices: Tensor.concatenated([index, index]), draws)
        let loss =
          switch settings.method {
          case .simclr: simclr(both)
          case .moco: moco(both, draws)
          case .byol: byol(both)
          }
        sgd.step(minimizing: loss)
        moveTarget()
        sum += loss.item() / 2
      }
      losses.append(sum)
    }
  }

  private func unit(_ x: Tensor) -> Tensor { x / (x * x).sum([1], keep: true).sqrt() }

  /// Every view has to find its image's other view among all others.
  private func simclr(_ views: Tensor) -> Tensor {
    let z = unit(head(model.features(views).penultimate))
    let similarity = z.matmul(z.transposed()) / settings.temperature!
    let anchors = settings.anchors == .first ? 7 : 14
    let terms = (0..<anchors).map { i -> Tensor in
      let others = (0..<14).filter { $0 != i }
      let row = similarity[i..<(i + 1)].squeezed(0)
      let all = row[Tensor(others.map(Int64.init))].exp().sum()
      return all.log() - row[Tensor([Int64((i + 7) % 14)])].sum()
    }
    return terms.reduce(Tensor(0), +) / Double(anchors)
  }

  /// Queries in order and keys in another, both in three parts of 2, 2 and 3 images with batch statistics of their own.
  private mutating func moco(_ views: Tensor, _ draws: Generator) -> Tensor {
    let order = draws.permutation(7).array(Int64.self)
    func parts(_ images: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
      unit(Tensor.concatenated([0..<2, 2..<4, 4..<7].map { body(images[$0].contiguous(.channelsLast)) }))
    }
    let query = parts(views[0..<7]) { head(model.features($0).penultimate) }
    let shuffled = noGrad { parts(views[7..<14][Tensor(order)]) { slowHead(slow.features($0).penultimate) } }
    // The key of image `order[i]` came out at place i.
    let keys = Tensor.concatenated(
      (0..<7).map { image in
        let place = order.firstIndex(of: Int64(image))!
        return shuffled[place..<(place + 1)]
      })
    newKeys = keys
    let terms = (0..<7).map { i -> Tensor in
      let q = query[i..<(i + 1)]
      let right = (q * keys[i..<(i + 1)]).sum() / settings.temperature!
      let wrong = (q * queue!).sum([1]) / settings.temperature!
      return (right.exp() + wrong.exp().sum()).log() - right
    }
    return terms.reduce(Tensor(0), +) / 7
  }

  /// The prediction from one view is drawn to the slow projection of the other, both ways.
  private func byol(_ views: Tensor) -> Tensor {
    let halves = [views[0..<7].contiguous(.channelsLast), views[7..<14].contiguous(.channelsLast)]
    let predictions = halves.map { unit(predictor!(head(model.features($0).penultimate))) }
    let targets = noGrad { halves.map { unit(slowHead(slow.features($0).penultimate)) } }
    return [(0, 1), (1, 0)].map { i, j in
      let difference = predictions[i] - targets[j]
      return (difference * difference).sum() / 7
    }.reduce(Tensor(0), +)
  }

  private mutating func moveTarget() {
    guard settings.method != .simclr else { return }
    noGrad {
      for (old, new) in zip(slow.parameters() + slowHead.parameters, model.parameters() + head.parameters) {
        old.copy_(old * 0.8 + new * 0.2)
      }
      if let keys = newKeys, let queue { self.queue = Tensor.concatenated([keys, queue])[0..<9] }
    }
  }
}
