// What the vote accepted teaches a model, which then judges all samples (appendix B.1): it gives rejected ones back, or,
// as in the authors' code, its running vote decides on all.

import Backdoor
import Torch
import TorchNN
import Training
import Vision

struct SelfTraining {
  static let stage = "ispl-self-training"

  let settings: ExpansionSettings
  let input: DefenseInput
  let pass: TrainingPass

  /// - Parameter accepted: positions that the vote accepts, ascending.
  /// - Returns: positions that are kept, ascending.
  func run(_ accepted: [Int]) throws -> [Int] {
    guard settings.selfTraining > 0 else { return accepted }
    if settings.review == .running { return try runningVote(accepted) }
    var kept = accepted
    for turn in 0..<settings.selfTraining { kept = (kept + (try returning(to: kept, turn: turn))).sorted() }
    return kept
  }

  private var recipe: Recipe {
    var recipe = settings.learner
    recipe.epochs = settings.reviewEpochs ?? recipe.epochs
    return recipe
  }
  private func generator(_ turn: Int) -> Generator? {
    settings.augmentedScores ? input.training.generator("\(Self.stage)/score", turn) : nil
  }

  /// Rejected samples whose label a fresh model predicts that learned from the kept ones.
  private func returning(to kept: [Int], turn: Int) throws -> [Int] {
    let data = pass.data
    let rejected = data.complement(of: kept)
    guard !kept.isEmpty, !rejected.isEmpty else { return [] }
    let stage = turn == 0 ? Self.stage : "\(Self.stage)-\(turn + 1)"
    let model = try input.makeModel(stage)
    try Trainer(recipe, stage: stage).train(model, on: data.subset(kept), context: input.training)
    let positions = Tensor(rejected.map(Int64.init)).to(input.training.device)
    let predicted = pass.judge(model, positions, augmenting: generator(turn)).predicted
    return Self.agreeing(
      rejected, predicted: predicted.array(Int64.self).map(Int.init),
      labels: noGrad { data.labels[positions] }.array(Int64.self).map(Int.init))
  }

  static func agreeing(_ rejected: [Int], predicted: [Int], labels: [Int]) -> [Int] {
    rejected.indices.filter { predicted[$0] == labels[$0] }.map { rejected[$0] }
  }

  /// The running mean of whether samples' labels are predicted, after one more turn.
  static func running(_ agreement: Tensor, agrees: Tensor, eta: Double) -> Tensor {
    agreement * eta + agrees * (1 - eta)
  }

  /// What the running vote keeps between epochs.
  private final class State: Module {
    let network: Classifier
    /// Running share of right predictions, float64 N, from 1/2.
    @Buffer var agreement: Tensor
    /// 0 or 1, uint8 N.
    @Buffer var kept: Tensor

    init(_ network: Classifier, accepted: [Int], samples: Int) {
      self.network = network
      agreement = Tensor.full([samples], 0.5, dtype: .float64)
      let kept = Tensor.zeros([samples], dtype: .uint8)
      kept.put_([Tensor(accepted.map(Int64.init))], Tensor.ones([accepted.count], dtype: .uint8))
      self.kept = kept
    }
  }

  /// An epoch of the stage is one of training; a turn ends every `reviewEpochs`.
  private func runningVote(_ accepted: [Int]) throws -> [Int] {
    let (data, recipe, context) = (pass.data, recipe, input.training)
    guard !accepted.isEmpty else { return [] }
    let state = State(try input.makeModel(Self.stage), accepted: accepted, samples: data.count)
    state.to(context.device)
    let optimizer = recipe.makeOptimizer(state.network.parameters())
    let loop = EpochLoop(
      stage: Self.stage, epochs: settings.selfTraining * recipe.epochs, imagesPerEpoch: data.count, context: context)
    try loop.run(model: state, optimizer: optimizer, until: { state.kept.sum().intItem() == 0 }) { number, meter in
      let (turn, epoch) = number.quotientAndRemainder(dividingBy: recipe.epochs)
      if epoch == 0 { try optimizer.load(state: [:]) }
      try pass.run(
        state.network, optimizer, on: state.kept.nonzero().reshaped(-1), stream: Self.stage, epoch: number,
        meter: meter, rate: { step, steps in recipe.rate(epoch: epoch, step: step, stepsPerEpoch: steps) }
      ) { recipe.crossEntropy(state.network, $0, context: context) }
      guard epoch + 1 == recipe.epochs else { return }
      let all = Tensor.arange(data.count, device: context.device)
      let predicted = pass.judge(state.network, all, augmenting: generator(turn)).predicted
      noGrad {
        let agrees = (predicted .== data.labels).to(.float64)
        state.agreement.copy_(Self.running(state.agreement, agrees: agrees, eta: settings.reviewEta))
        state.kept.copy_((state.agreement .> 0.5).to(.uint8))
      }
      try meter.step(images: data.count, ["keptShare": noGrad { state.kept.to(.float32).mean() }])
    }
    return state.kept.nonzero().reshaped(-1).array(Int64.self).map(Int.init)
  }
}
