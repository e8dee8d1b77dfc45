// A fresh network for each component, trained on it alone; then it votes: it predicts every sample of the set. Only its predictions are kept.
//
// Learners are trained one after another. As one network of grouped convolutions (what vmapped weights become) they are slower on a CPU:
// PreAct-ResNet18 width 16, bf16, channels_last, batch 128, PyTorch 2.13, images per second of one core: 889 for one learner, 819 for two
// together, 790 for four, 700 for eight.

import Backdoor
import Torch
import TorchNN
import Training
import Vision

/// The learner that is being trained, and what those before it predicted.
final class LearnerState: Module {
  let network: Classifier
  /// Predicted classes, int16: learners x N.
  @Buffer var votes: Tensor

  init(_ network: Classifier, learners: Int, samples: Int) {
    self.network = network
    votes = Tensor.zeros([learners, samples], dtype: .int16)
  }
}

struct WeakLearners {
  static let stage = "ispl-learners"

  let input: DefenseInput
  let pass: LearningPass

  /// Trains a learner on each component.
  /// - Parameter components: positions in the data.
  /// - Returns: predicted classes, int64 learners x N.
  func run(_ components: [[Int]]) throws -> Tensor {
    let (data, recipe, context) = (pass.data, pass.recipe, input.training)
    let state = LearnerState(try input.makeModel("\(Self.stage)/0"), learners: components.count, samples: data.count)
    state.to(context.device)
    let members = components.map { Tensor($0.map(Int64.init)).to(context.device) }
    let optimizer = recipe.makeOptimizer(state.network.parameters())
    let loop = EpochLoop(
      stage: Self.stage, epochs: components.count * recipe.epochs, imagesPerEpoch: members.map(\.count).max() ?? 0, context: context,
      isMeasured: false)
    try loop.run(model: state, optimizer: optimizer) { number, meter in
      let (learner, epoch) = number.quotientAndRemainder(dividingBy: recipe.epochs)
      if epoch == 0 { try state.network.restart(as: input.makeModel("\(Self.stage)/\(learner)"), optimizer) }
      try pass.run(state.network, optimizer, on: members[learner], stream: Self.stage, epoch: number, meter: meter) { step, steps in
        recipe.rate(epoch: epoch, step: step, stepsPerEpoch: steps)
      }
      meter.select(members[learner])
      guard epoch + 1 == recipe.epochs else { return }
      let predicted = noGrad { state.network.logits(of: data, context: context).argmax(1) }
      state.votes[learner].copy_(predicted)
      let agrees = noGrad { (predicted .== data.labels).to(.float32).mean() }
      try meter.step(images: data.count, ["compatibleShare": agrees])
    }
    return state.votes.to(.int64)
  }
}
