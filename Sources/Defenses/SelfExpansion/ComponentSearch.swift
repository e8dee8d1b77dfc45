// Inverse Self-Paced Learning (algorithm 2 of Jin, Sun, Rinard), several rounds one after another, in several bags.
//
// A round looks for the subset of the active samples that generalises best to itself. It trains one network on a random
// part of the current subset, takes a running mean of each active sample's loss, keeps the easiest, and so on with
// fewer and fewer. What is left at its end is a component; the next round does without it. Bags repeat the whole from
// other weights.
//
// An epoch of this stage is an iteration of a round. All that changes is in SearchState, so a run that is killed goes
// on with the iteration.

import Backdoor
import Foundation
import Torch
import TorchNN
import Training
import Vision

/// What a search keeps between iterations.
final class SearchState: Module {
  let network: Classifier
  /// The round, from 0, whose component holds the sample, -1 for none: int64, bags x N.
  @Buffer var components: Tensor
  /// Each sample's running loss in the last round that it was active in, float32, bags x N. While the round goes on it
  /// is algorithm 2's, which starts at 0; after its last iteration, divided by 1 - eta^T, a weighted mean of the losses.
  @Buffer var losses: Tensor
  /// The current subset: 0 or 1, uint8 N.
  @Buffer var subset: Tensor
  /// Bag, round and iteration that come next, int64.
  @Buffer var place: Tensor

  init(_ network: Classifier, bags: Int, samples: Int) {
    self.network = network
    components = Tensor.full([bags, samples], -1, dtype: .int64)
    losses = Tensor.zeros([bags, samples])
    subset = Tensor.zeros([samples], dtype: .uint8)
    place = Tensor.zeros([3], dtype: .int64)
  }

  var next: (bag: Int, round: Int, iteration: Int) {
    let place = place.array(Int64.self).map(Int.init)
    return (place[0], place[1], place[2])
  }
  /// Positions in no component of a bag yet, int64.
  func active(_ bag: Int) -> Tensor { (components[bag] .< 0).nonzero().reshaped(-1) }
}

struct ComponentSearch {
  static let stage = "ispl-search"

  let settings: ExpansionSettings
  let input: DefenseInput
  let pass: TrainingPass

  /// All rounds of all bags.
  func run() throws -> SearchState {
    let data = pass.data
    let state = SearchState(try input.makeModel("\(Self.stage)/0/0"), bags: settings.bags, samples: data.count)
    state.to(input.training.device)
    let optimizer = pass.recipe.makeOptimizer(state.network.parameters())
    let limit = settings.bags * settings.rounds * max(1, settings.baseIterations + settings.extraIterations)
    let labels = data.labelArray()
    let loop = EpochLoop(
      stage: Self.stage, epochs: limit, imagesPerEpoch: data.count + data.count / 4, context: input.training,
      isMeasured: false)
    try loop.run(model: state, optimizer: optimizer, until: { state.next.bag >= settings.bags }) { epoch, meter in
      try iterate(state, optimizer, labels, epoch, meter)
    }
    return state
  }

  /// Lines 3 to 8 of algorithm 2, once.
  private func iterate(_ state: SearchState, _ optimizer: Optimizer, _ labels: [Int], _ epoch: Int, _ meter: EpochMeter)
    throws
  {
    let (bag, round, iteration) = state.next
    let active = state.active(bag)
    if iteration == 0 {
      try state.network.restart(as: input.makeModel("\(Self.stage)/\(bag)/\(round)"), optimizer)
      state.subset.copy_((state.components[bag] .< 0).to(.uint8))
    }
    let plan = settings.plan(active: active.count, total: labels.count)
    guard !plan.betas.isEmpty else {
      try meter.step(images: 0, ["activeSamples": Tensor(Double(active.count))])
      return endRound(state, active, component: active)
    }
    guard plan.betas.indices.contains(iteration), (0..<settings.rounds).contains(round), bag >= 0 else {
      throw TrainingError.invalid(
        "\(Self.stage): the checkpoint is at iteration \(iteration) of round \(round), which does not exist. Remove it "
          + "to start again.")
    }
    if iteration == 0 { state.losses[bag].put_([active], Tensor.zeros([active.count], device: active.device)) }

    // S' <- Sample(S, alpha); theta <- A(S', theta)
    let subset = state.subset.nonzero().reshaped(-1)
    let sample = settings.draw(
      subset, iteration: iteration, isWhole: active.count == labels.count,
      input.training.generator("\(Self.stage)/sample", epoch))
    for turn in 0..<settings.epochs(iteration: iteration) {
      try pass.run(
        state.network, optimizer, on: sample, stream: "\(Self.stage)/\(turn)", epoch: epoch, meter: meter,
        rate: { _, _ in settings.searchRate }
      ) { pass.recipe.crossEntropy(state.network, $0, context: pass.context) }
    }
    meter.select(sample)

    // L <- eta L + (1 - eta) loss; S <- Trim(L, beta)
    let (losses, predicted) = pass.judge(
      state.network, active,
      augmenting: settings.augmentedScores ? input.training.generator("\(Self.stage)/score", epoch) : nil)
    let agrees = predicted .== pass.data.labels[active]
    let running = Self.running(mean: state.losses[bag][active], losses: losses, eta: settings.eta)
    state.losses[bag].put_([active], running)
    let positions = active.array(Int64.self).map(Int.init)
    let kept = Trimming.kept(
      losses: running.array(Float.self), labels: positions.map { labels[$0] }, beta: plan.betas[iteration],
      classShare: plan.classShares[iteration])
    let chosen = active[Tensor(kept.map(Int64.init)).to(active.device)]
    let inSubset = state.subset[active] .== 1
    try meter.step(
      images: active.count,
      [
        "activeSamples": Tensor(Double(active.count)), "subsetSamples": Tensor(Double(kept.count)),
        "compatibleShare": agrees.to(.float32).mean(),
        "expansionError": 1 - agrees.masked(inSubset).to(.float32).mean(),
      ])

    state.subset.zero_()
    state.subset.put_([chosen], Tensor.ones([kept.count], dtype: .uint8, device: active.device))
    guard iteration + 1 == plan.betas.count else {
      return advance(state, bag: bag, round: round, iteration: iteration + 1)
    }
    state.losses[bag].put_([active], Self.unbiased(running, eta: settings.eta, iterations: plan.betas.count))
    endRound(state, active, component: chosen)
  }

  /// Goes on with the next round, or with the next bag where few samples are left.
  private func endRound(_ state: SearchState, _ active: Tensor, component: Tensor) {
    let (bag, round, _) = state.next
    state.components[bag].put_(
      [component], Tensor.full([component.count], Double(round), dtype: .int64, device: active.device))
    let isLast = round + 1 == settings.rounds || active.count - component.count <= settings.stopAt
    isLast
      ? advance(state, bag: bag + 1, round: 0, iteration: 0) : advance(state, bag: bag, round: round + 1, iteration: 0)
  }

  /// Line 6: the mean starts at 0, as in the paper, so its first values are (1 - eta) of the loss; only their order
  /// matters to the round.
  static func running(mean: Tensor, losses: Tensor, eta: Double) -> Tensor { mean * eta + losses * (1 - eta) }
  /// The weights of a running mean that began at 0 sum up to 1 - eta^T: divided by it, it is a mean of the losses.
  static func unbiased(_ mean: Tensor, eta: Double, iterations: Int) -> Tensor {
    mean / (1 - pow(eta, Double(iterations)))
  }

  private func advance(_ state: SearchState, bag: Int, round: Int, iteration: Int) {
    state.place.copy_(Tensor([bag, round, iteration].map(Int64.init)))
  }
}
