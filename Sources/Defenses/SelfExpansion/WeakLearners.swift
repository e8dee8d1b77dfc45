// A fresh network for each component, trained on it alone; then it votes: it predicts every sample of the set. Only its
// predictions are kept.
//
// Learners do not depend on each other. As one network of grouped convolutions (what vmapped weights become) they are
// slower on a CPU: PreAct-ResNet18 width 16, bf16, channels_last, batch 128, PyTorch 2.13, images per second of one
// core: 889 for one learner, 819 for two together, 790 for four, 700 for eight. On threads of their own they are faster
// than one after another with all threads: two learners of 14,000 images at width 8 take 42 s together and 56 s one by
// one on two cores.

import Backdoor
import Support
import Torch
import TorchNN
import Training
import Vision

/// The learners that are being trained, and what those before them predicted.
final class LearnerState: Module {
  let networks: [Classifier]
  /// Predicted classes, int32: learners x N.
  @Buffer var votes: Tensor

  init(_ networks: [Classifier], learners: Int, samples: Int) {
    self.networks = networks
    votes = Tensor.zeros([learners, samples], dtype: .int32)
  }
}

struct WeakLearners {
  static let stage = "ispl-learners"

  let input: DefenseInput
  let pass: TrainingPass
  /// Learners that are trained in step: at the same time as far as there are CPU threads, one after the other on a GPU.
  var together = 4
  /// Whether learners vote on images that are cropped and flipped as in training.
  var augmentedScores = false

  /// Trains a learner on each component; one that is given twice gets two.
  /// - Parameter components: positions in the data.
  /// - Returns: predicted classes, int64 learners x N.
  func run(_ components: [[Int]]) throws -> Tensor {
    let (data, recipe, context) = (pass.data, pass.recipe, input.training)
    let lanes = min(together, components.count)
    let networks = try (0..<lanes).map { _ in try input.makeModel("\(Self.stage)/0") }
    let state = LearnerState(networks, learners: components.count, samples: data.count)
    state.to(context.device)
    let members = components.map { Tensor($0.map(Int64.init)).to(context.device) }
    let optimizers = networks.map { recipe.makeOptimizer($0.parameters()) }
    // The largest first: those of a wave wait for each other.
    let order = components.indices.sorted { (components[$1].count, $0) < (components[$0].count, $1) }
    let waves = stride(from: 0, to: order.count, by: max(lanes, 1)).map {
      Array(order[$0..<min($0 + lanes, order.count)])
    }
    let loop = EpochLoop(
      stage: Self.stage, epochs: waves.count * recipe.epochs,
      imagesPerEpoch: waves.map { wave in wave.reduce(0) { $0 + members[$1].count } }.max() ?? 0, context: context,
      isMeasured: false)
    let group = OptimizerGroup(optimizers)
    try loop.run(model: state, optimizer: group) { number, meter in
      let (wave, epoch) = number.quotientAndRemainder(dividingBy: recipe.epochs)
      let learners = waves[wave]
      if epoch == 0 {
        for (lane, learner) in learners.enumerated() {
          try networks[lane].restart(as: input.makeModel("\(Self.stage)/\(learner)"), optimizers[lane])
        }
      }
      func learn(_ lane: Int) throws {
        let (network, learner) = (networks[lane], learners[lane])
        // The loop's own seeds go by lane; what a learner learns must not depend on who learns beside it.
        network.reseedDropout(context.seed("\(Self.stage)/dropout", learner * recipe.epochs + epoch))
        try pass.run(
          network, optimizers[lane], on: members[learner], stream: Self.stage, epoch: learner * recipe.epochs + epoch,
          meter: meter,
          rate: { step, steps in recipe.rate(epoch: epoch, step: step, stepsPerEpoch: steps) }
        ) { recipe.crossEntropy(network, $0, context: context) }
        guard epoch + 1 == recipe.epochs else { return }
        let predicted = pass.judge(
          network, Tensor.arange(data.count, device: context.device),
          augmenting: augmentedScores ? context.generator("\(Self.stage)/score", learner) : nil
        ).predicted
        noGrad { state.votes[learner].copy_(predicted) }
        let agrees = noGrad { (predicted .== data.labels).to(.float32).mean() }
        try meter.step(images: data.count, ["compatibleShare": agrees])
      }
      if context.device.isCUDA {
        for lane in learners.indices { try learn(lane) }
      } else {
        try Runtime.concurrently(learners.count, learn)
      }
      for learner in learners { meter.select(members[learner]) }
      group.learningRate = optimizers[0].learningRate
    }
    return state.votes.to(.int64)
  }
}
