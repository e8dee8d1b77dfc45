import SelfSupervision
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The networks around a backbone: how views pass them, and what moves after a step.
@Suite struct LearnerTests {
  private let data = ImageDataset.tiny(count: 12)
  private let context = TrainingContext(precision: .float32)
  private var views: Tensor { data.pixels(0..<12).contiguous(.channelsLast) }

  private func learner(_ edit: (inout SelfSupervisedTraining) -> Void) throws -> any SelfSupervisedLearner {
    var settings = SelfSupervisedTraining()
    edit(&settings)
    let model = try Classifier.tiny(for: data)
    return try settings.makeLearner(model, features: model.featureCount(for: data), Generator(seed: 2))
  }

  /// target <- m target + (1 - m) online after each step, and nothing else moves it.
  @Test(arguments: [SelfSupervisedTraining.Method.moco, .byol]) func targetMoves(
    _ method: SelfSupervisedTraining.Method
  ) throws {
    let learner = try learner {
      $0.method = method
      $0.targetMomentum = 0.75
      $0.queue = 10
    }
    let (encoder, target) =
      (learner as? MoCo).map { ($0.encoder, $0.target) } ?? (learner as? BYOL).map { ($0.encoder, $0.target) }
      ?? {
        fatalError("no target")
      }()
    let optimizer = SGD(learner.trained, learningRate: 0.5)
    let trained = Set(learner.trained.map(ObjectIdentifier.init))
    #expect(target.parameters().allSatisfy { !trained.contains(ObjectIdentifier($0)) && !$0.requiresGrad })
    for step in 0..<2 {
      let before = target.namedParameters().map { $0.tensor.detach().clone() }
      learner.loss(of: views, context, Generator(seed: UInt64(step))).loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      for (old, now) in zip(before, target.namedParameters()) { expectSame(now.tensor.detach(), old, now.key) }
      learner.afterStep()
      for (old, (now, online)) in zip(before, zip(target.namedParameters(), encoder.namedParameters())) {
        expectClose(now.tensor.detach(), old * 0.75 + online.tensor.detach() * 0.25, tolerance: 1e-5, now.key)
      }
    }
  }

  /// Keys come back in the order of their queries, whatever the shuffle: with equal views and one group, each query
  /// equals its key.
  @Test func keysFollowTheirQueries() throws {
    let moco = try #require(
      try learner {
        $0.method = .moco
        $0.queue = 8
        $0.groups = 1
      } as? MoCo)
    let same = Tensor.concatenated([views[0..<6], views[0..<6]]).contiguous(.channelsLast)
    let before = moco.queue.clone()
    let similarity = moco.loss(of: same, context, Generator(seed: 9)).similarity
    expectClose(similarity.item(), 1, tolerance: 1e-5)
    moco.afterStep()
    expectSame(moco.queue[6..<8], before[0..<2], "older keys move back")
    expectClose(moco.queue.norm(2, [1]), Tensor.ones([8]), "keys are unit rows")
    moco.afterStep()
    expectSame(moco.queue[6..<8], before[0..<2], "each key enters once")
  }

  /// Queries and keys of one image are normalised with different companions once there are groups.
  @Test func groupsSeparateStatistics() throws {
    let same = Tensor.concatenated([views[0..<6], views[0..<6]]).contiguous(.channelsLast)
    let grouped = try learner {
      $0.method = .moco
      $0.queue = 8
      $0.groups = 3
    }
    #expect(grouped.loss(of: same, context, Generator(seed: 9)).similarity.item() < 0.99999)
  }

  /// Both views pass SimCLR as one batch; the loss is NT-Xent of its projections.
  @Test func simclr() throws {
    let simclr = try #require(try learner { $0.anchors = .first } as? SimCLR)
    let loss = simclr.loss(of: views, context, Generator(seed: 0)).loss
    let z = simclr.encoder(views, context)
    let expected = NTXent.loss(z / z.norm(2, [1], keep: true), temperature: 0.5, anchors: .first)
    expectClose(loss, expected, tolerance: 1e-5)
    #expect(z.shape == [12, 128])
  }

  /// Heads have the published widths for 512 features.
  @Test func widths() throws {
    let model = try Classifier.tiny(for: data)
    func shapes(_ method: SelfSupervisedTraining.Method) throws -> [String: [Int]] {
      var settings = SelfSupervisedTraining()
      settings.method = method
      let learner = try settings.makeLearner(model, features: 512, Generator(seed: 0))
      return Dictionary(uniqueKeysWithValues: learner.namedParameters().map { ($0.key, $0.tensor.shape) })
    }
    let simclr = try shapes(.simclr)
    #expect(
      simclr["encoder.projector.first.weight"] == [512, 512] && simclr["encoder.projector.last.weight"] == [128, 512])
    #expect(simclr["encoder.projector.norm.weight"] == [512])
    let moco = try shapes(.moco)
    #expect(moco["encoder.projector.norm.weight"] == nil && moco["target.projector.last.weight"] == [128, 512])
    let byol = try shapes(.byol)
    #expect(
      byol["encoder.projector.first.weight"] == [1024, 512] && byol["encoder.projector.last.weight"] == [256, 1024])
    #expect(byol["predictor.first.weight"] == [1024, 256] && byol["predictor.last.weight"] == [256, 1024])
  }
}
