// The sample filter of Jin, Sun, Rinard: components by inverse self-paced learning, a weak learner for each, their
// vote, self-training.

import Backdoor
import Support
import Torch
import TorchNN
import Training
import Vision

/// What the filter found.
struct CompatibleSamples {
  /// Positions, ascending.
  let kept: [Int]
  let rejected: [Int]
  /// Rejected by the vote and given back by self-training: part of `kept`.
  let returned: [Int]
  /// Bags of components, in the order of their rounds.
  let components: [[[Int]]]
  /// Predicted classes, int64 learners x N.
  let votes: Tensor
  /// Share of learners whose vote is not the label, N.
  let dissent: [Double]
  /// Mean over the bags of the weighted mean loss over the sample's last round, N.
  let losses: [Double]

  var outcome: DefenseOutcome {
    var outcome = DefenseOutcome(filtered: (kept, rejected), suspicion: dissent)
    outcome.scores = [
      SampleScores(title: "mean loss over the sample's last round", values: losses),
      SampleScores(title: "share of weak learners that vote against the label", values: dissent),
    ]
    return outcome
  }
}

struct CompatibilityFilter {
  let settings: ExpansionSettings
  let input: DefenseInput
  let data: ImageDataset
  /// Of the settings, for messages.
  let path: String

  init(_ settings: ExpansionSettings, _ input: DefenseInput, path: String) throws {
    self.settings = settings
    self.input = input
    self.path = path
    data = try input.poisonedTrain().to(input.training.device)
    try check()
  }

  func run() throws -> CompatibleSamples {
    if let warning = SmallSetWarning.text(count: data.count, settings: settings, path: path) {
      input.training.progress.message(warning)
    }
    let pass = TrainingPass(data: data, recipe: settings.learner, context: input.training)
    let search = try ComponentSearch(settings: settings, input: input, pass: pass).run()
    let components = Self.components(search)
    let learners = components.flatMap { $0 }.flatMap { Array(repeating: $0, count: settings.learners) }
    let votes = try WeakLearners(
      input: input, pass: pass, together: settings.together, augmentedScores: settings.augmentedScores
    ).run(learners).to(.cpu)
    let labels = data.labels.to(.cpu)
    let verdict = noGrad {
      settings.ballot == .sample
        ? sampleVote(votes, labels: labels) : componentVote(votes, labels: labels, bags: components)
    }.array(Bool.self)
    let accepted = verdict.indices.filter { verdict[$0] }
    let kept = try SelfTraining(settings: settings, input: input, pass: pass).run(accepted)
    let dissent = noGrad { (votes .!= labels).to(.float64).mean([0]) }.array(Double.self)
    return CompatibleSamples(
      kept: kept, rejected: data.complement(of: kept), returned: Array(Set(kept).subtracting(accepted)).sorted(),
      components: components, votes: votes, dissent: dissent,
      losses: search.losses.to(.float64).mean([0]).array(Double.self))
  }

  static func components(_ search: SearchState) -> [[[Int]]] {
    (0..<search.components.dimension(0)).map { bag in
      var parts: [[Int]] = []
      for (position, round) in search.components[bag].array(Int64.self).enumerated() where round >= 0 {
        while parts.count <= Int(round) { parts.append([]) }
        parts[Int(round)].append(position)
      }
      return parts
    }
  }

  private func sampleVote(_ votes: Tensor, labels: Tensor) -> Tensor {
    BoostingVote.samples(
      votes: votes, labels: labels, classes: data.classes, minimum: settings.minimumVotes,
      generator: Generator(seed: input.seed("ispl/ties")))
  }

  /// Algorithm 1 in every bag; a sample needs the verdicts of most bags, and of two that differ a draw decides. Samples
  /// that no round took are a part of their own, which is judged and does not judge.
  private func componentVote(_ votes: Tensor, labels: Tensor, bags: [[[Int]]]) -> Tensor {
    let agrees = votes .== labels
    let tally = Tensor.zeros([data.count])
    var first = 0
    for bag in bags {
      let parts = (bag + [data.complement(of: bag.flatMap { $0 })]).map { Tensor($0.map(Int64.init)) }
      let agreements = bag.indices.map { number in
        parts.map { part in
          (0..<settings.learners).reduce(0) { sum, copy in
            let learner = (first + number) * settings.learners + copy
            return sum + (part.count == 0 ? 0 : agrees[learner][part].to(.int64).sum().intItem())
          }
        }
      }
      first += bag.count
      let verdicts = BoostingVote.components(
        agreements: agreements, sizes: parts.map(\.count), learners: settings.learners)
      for (part, accepted) in zip(parts, verdicts) where part.count > 0 {
        tally.put_([part], Tensor.full([part.count], accepted ? 1 : -1), accumulate: true)
      }
    }
    let draws = Generator(seed: input.seed("ispl/ties")).uniform([data.count], -0.5, 0.5)
    return (tally + draws) .> 0
  }

  private func check() throws(DefenseError) {
    guard data.count > settings.stopAt else {
      throw .invalid(
        "\(path).stopAt \(settings.stopAt): the training set has only \(data.count) samples, so no round would begin. "
          + "Choose a smaller number, such as \(data.count / 25).")
    }
    guard settings.learner.epochs > 0 else {
      throw .invalid("\(path).learner.epochs 0: weak learners have to learn. Choose 1 or more.")
    }
    if let unlabeled = data.labelArray().firstIndex(where: { $0 < 0 || $0 >= data.classes }) {
      throw .invalid(
        "sample \(unlabeled) has no label of the \(data.classes) classes: \(path) judges labels. Leave such samples "
          + "out."
      )
    }
  }
}
