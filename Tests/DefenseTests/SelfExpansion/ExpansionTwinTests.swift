import Backdoor
@testable import Defenses
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Self-expansion as a whole against the loops of the paper written out here, bit for bit, with every setting off its
/// default: search, learners, vote, self-training, final training.
@Suite struct ExpansionTwinTests {
  /// Algorithm 2 and appendix B.1: two rounds of two iterations in two bags, two learners for each component.
  private static func published() -> ExpansionSettings {
    var settings = ExpansionSettings()
    settings.rounds = 2
    settings.bags = 2
    settings.share = 0.28
    settings.classDivisor = 1.2
    settings.stopAt = 3
    settings.baseIterations = 1
    settings.extraIterations = 1
    settings.betaStart = 2.2
    settings.betaIterations = 1
    settings.alpha = 0.6
    settings.eta = 0.7
    settings.firstEpochs = 2
    settings.laterEpochs = 1
    settings.searchRate = 0.008
    settings.learners = 2
    settings.minimumVotes = 5
    settings.selfTraining = 3
    settings.reviewEpochs = 1
    settings.learner = learner()
    settings.together = 3
    return settings
  }

  /// The authors' code: rounds until nothing is left, the running vote, augmented scores.
  private static func code() -> ExpansionSettings {
    var settings = ExpansionSettings()
    settings.rounds = 4
    settings.bags = 2
    settings.share = 0.35
    settings.classDivisor = 1.1
    settings.stopAt = 0
    settings.baseIterations = 1
    settings.extraIterations = 2
    settings.betaStart = 1.7
    settings.betaIterations = 5
    settings.alpha = 0.4
    settings.eta = 0.6
    settings.pacing = .code
    settings.laterEpochs = 1
    settings.searchRate = 0.006
    settings.augmentedScores = true
    settings.ballot = .component
    settings.selfTraining = 3
    settings.review = .running
    settings.reviewEpochs = 2
    settings.reviewEta = 0.5
    settings.learner = learner()
    settings.learner.learningRate = 0.2
    settings.together = 2
    return settings
  }

  private static func learner() -> Recipe {
    var recipe = Recipe()
    recipe.epochs = 8
    recipe.batch = 6
    recipe.learningRate = 0.03
    recipe.momentum = 0.8
    recipe.weightDecay = 3e-3
    recipe.schedule = .cosine
    recipe.crop = 1
    recipe.labelSmoothing = 0.1
    recipe.clipNorm = 3
    return recipe
  }

  private static func final() -> Recipe {
    var recipe = learner()
    recipe.epochs = 3
    recipe.batch = 7
    recipe.learningRate = 0.02
    recipe.schedule = .multiStep
    recipe.milestones = [1, 2]
    recipe.gamma = 0.3
    return recipe
  }

  /// Labels of which a fifth are wrong, so that losses and votes differ, in no order.
  private let data = {
    let data = ImageDataset.tiny(count: 60)
    var labels = data.labelArray()
    for sample in stride(from: 2, to: 60, by: 5) { labels[sample] = (labels[sample] + 1 + sample % 3) % 4 }
    return data.relabeled(Tensor(labels.map(Int64.init)))
  }()

  private func run(_ filter: ExpansionSettings) throws -> (outcome: DefenseOutcome, stages: [String]) {
    var configuration = SelfExpansion.Configuration()
    configuration.filter = filter
    configuration.recipe = Self.final()
    let context = TrainingContext(precision: .float32, seed: 4)
    var stages: [String] = []
    context.onEpoch = { stages.append($0.stage) }
    let input = try DefenseInput(
      for: SelfExpansion.self, training: context, seed: 7, architecture: DropoutNetwork.make, poisonedTrain: data)
    return (try SelfExpansion(configuration).run(input), stages)
  }

  @Test(arguments: [false, true]) func agrees(_ isCode: Bool) throws {
    let settings = isCode ? Self.code() : Self.published()
    let twin = Twin(data: data, settings: settings, context: TrainingContext(precision: .float32, seed: 4), seed: 7)
    let search = twin.search()
    let votes = twin.votes(of: search.bags.flatMap { $0 }.flatMap { Array(repeating: $0, count: settings.learners) })
    let accepted = settings.ballot == .sample ? twin.modal(votes) : twin.byComponent(votes, search.bags)
    let kept = settings.review == .returns ? twin.returns(accepted) : twin.running(accepted)
    let model = twin.train(
      "self-expansion", on: kept, rate: { 0.02 * [1, 0.3, 0.09][$0] }, epochs: 3, batch: 7)

    let (found, stages) = try run(settings)
    #expect(found.filtered?.kept == kept)
    #expect(found.filtered?.rejected == data.complement(of: kept))
    let labels = data.labelArray()
    let dissent = (0..<60).map { sample in
      Double(votes.count { $0[sample] != labels[sample] }) / Double(votes.count)
    }
    expectClose(Tensor(try #require(found.suspicion)), Tensor(dissent), tolerance: 1e-12, "dissent")
    expectClose(Tensor(found.scores[0].values), Tensor(search.losses), tolerance: 1e-6, "losses")
    #expect(found.scores[1].values == found.suspicion)
    expectSame(try #require(found.model).snapshot(), model.snapshot(), "the final model")

    // The case says something: the parts differ from each other, and each stage ran as often as it was told to.
    #expect(search.bags[0] != search.bags[1] && Set(search.bags.map(\.count)) == [isCode ? 3 : 2])
    #expect(accepted.count > 5 && kept != accepted && kept.count < 60)
    #expect(Set(dissent).count > 3)
    if isCode {
      var usual = settings
      usual.reviewEta = ExpansionSettings().reviewEta
      let other = Twin(data: data, settings: usual, context: twin.context, seed: 7)
      #expect(other.running(accepted) != kept, "at the default weight the vote keeps others")
    }
    #expect(stages.count { $0 == "ispl-search" } == (isCode ? 12 : 8))
    #expect(stages.count { $0.hasPrefix("ispl-self-training") } == (isCode ? 6 : 3))
    #expect(stages.count { $0 == "self-expansion" } == 3)
  }
}

/// The method from its description. Random streams have the names under which the method draws.
private struct Twin {
  let data: ImageDataset
  let settings: ExpansionSettings
  let context: TrainingContext
  let seed: Seed

  private var count: Int { data.count }
  private var labels: [Int] { data.labelArray() }

  private func make(_ name: String) -> Classifier {
    let model = DropoutNetwork.make(Generator(seed: seed(name)))
    model.to(.channelsLast)
    return model
  }
  private func optimizer(_ model: Classifier) -> SGD {
    SGD(model.parameters(), learningRate: 9, momentum: 0.8, weightDecay: 3e-3, nesterov: true)
  }

  /// One epoch of SGD with Nesterov momentum on a part of the set: crops by one pixel, flips, smoothed labels,
  /// gradients of a norm of 3 at most. A last batch that is not full is left out.
  private func learn(
    _ model: Classifier, _ optimizer: SGD, on samples: [Int], stream: String, epoch: Int, rate: Double, batch: Int = 6
  ) {
    let order = context.generator("\(stream)/shuffle", epoch).permutation(samples.count).array(Int64.self)
      .map { samples[Int($0)] }
    let draws = context.generator("\(stream)/augment", epoch)
    model.train()
    optimizer.learningRate = rate
    let batches = stride(from: 0, to: order.count, by: batch).map { Array(order[$0..<min($0 + batch, order.count)]) }
    for chosen in batches where chosen.count == batch || batches.count == 1 {
      let indices = Tensor(chosen.map(Int64.init))
      let images = CropFlip(padding: 1, flip: true).gather(images: data.images, indices: indices, draws)
      let loss = F.crossEntropy(model(images), data.labels[indices], labelSmoothing: 0.1)
      optimizer.step(minimizing: loss, clipNorm: 3)
    }
  }

  private func logits(_ model: Classifier, _ samples: [Int], _ stream: String, _ number: Int) -> (Tensor, Tensor) {
    let indices = Tensor(samples.map(Int64.init))
    let images =
      settings.augmentedScores
      ? CropFlip(padding: 1, flip: true)
        .gather(images: data.images, indices: indices, context.generator(stream, number))
      : data.images[indices].to(.float32) / 255
    return noGrad { (model.eval()(images), data.labels[indices]) }
  }
  private func predicted(_ model: Classifier, _ samples: [Int], _ stream: String, _ number: Int) -> [Int] {
    noGrad { logits(model, samples, stream, number).0.argmax(1) }.array(Int64.self).map(Int.init)
  }
  private func rounded(_ share: Double, of total: Int) -> Int {
    min(total, max(1, Int((share * Double(total)).rounded())))
  }

  /// Components of each bag, and each sample's mean loss over the last round that it was in, averaged over the bags.
  func search() -> (bags: [[[Int]]], losses: [Double]) {
    let isCode = settings.pacing == .code
    var epoch = 0
    var bags: [[[Int]]] = []
    var losses = [Double](repeating: 0, count: count)
    for bag in 0..<settings.bags {
      var active = Array(0..<count)
      var components: [[Int]] = []
      var last = [Double](repeating: 0, count: count)
      for round in 0..<settings.rounds where active.count > settings.stopAt {
        let p = min(1, settings.share * Double(count) / Double(active.count))
        if isCode, p == 1 {
          components.append(active)
          active = []
          epoch += 1
          break
        }
        let extra = Int(min(Double(settings.extraIterations), 1 / p))
        let model = make("ispl-search/\(bag)/\(round)")
        let optimizer = optimizer(model)
        var subset = active
        var running = Tensor.zeros([active.count])
        for t in 0..<(settings.baseIterations + extra) {
          let beta = isCode ? p * min(settings.betaStart, max(1, Double(extra - t))) : t == 0 ? 2.2 * p : p
          let draws = context.generator("ispl-search/sample", epoch)
          var drawn =
            draws
            .permutation(isCode ? 0 : subset.count).array(Int64.self).map { subset[Int($0)] }
            .prefix(rounded(0.6, of: subset.count))
          if isCode {
            let share = t > 0 ? 0.4 : round == 0 ? 0.5 : 1
            let numbers = draws.uniform([subset.count], 0, 1).array(Float.self)
            drawn = subset.indices.filter { Double(numbers[$0]) < share }.map { subset[$0] }[...]
          }
          // The stage's own module comes before the network, whose layers follow.
          model.reseedDropout(context.seed("ispl-search/dropout", epoch) &+ 1)
          for turn in 0..<(t == 0 ? (isCode ? 8 : 2) : 1) {
            learn(
              model, optimizer, on: Array(drawn), stream: "ispl-search/\(turn)", epoch: epoch,
              rate: settings.searchRate)
          }
          let (found, labels) = logits(model, active, "ispl-search/score", epoch)
          let loss = noGrad { F.crossEntropy(found, labels, reduction: .none) }
          running = running * settings.eta + loss * (1 - settings.eta)
          let values = running.array(Float.self)
          func rank(_ sample: Int, among others: [Int]) -> Int {
            others.count { (values[$0], $0) < (values[sample], sample) }
          }
          let classShare = (isCode ? beta : p) / settings.classDivisor
          subset = active.indices.filter { sample in
            let own = active.indices.filter { self.labels[active[$0]] == self.labels[active[sample]] }
            return rank(sample, among: Array(active.indices)) < rounded(beta, of: active.count)
              || rank(sample, among: own) < rounded(classShare, of: own.count)
          }.map { active[$0] }
          epoch += 1
        }
        let weights = 1 - pow(settings.eta, Double(settings.baseIterations + extra))
        for (sample, loss) in zip(active, running.array(Float.self)) { last[sample] = Double(loss) / weights }
        components.append(subset)
        active = active.filter { !subset.contains($0) }
      }
      bags.append(components)
      for sample in 0..<count { losses[sample] += last[sample] / Double(settings.bags) }
    }
    return (bags, losses)
  }

  /// What a fresh learner of each component, which learns with a cosine rate, predicts for all samples.
  func votes(of components: [[Int]]) -> [[Int]] {
    components.enumerated().map { learner, component in
      let model = make("ispl-learners/\(learner)")
      let optimizer = optimizer(model)
      for epoch in 0..<8 {
        model.reseedDropout(context.seed("ispl-learners/dropout", learner * 8 + epoch))
        learn(
          model, optimizer, on: component, stream: "ispl-learners", epoch: learner * 8 + epoch,
          rate: cosine(epoch, of: 8))
      }
      return predicted(model, Array(0..<count), "ispl-learners/score", learner)
    }
  }
  private func cosine(_ epoch: Int, of epochs: Int) -> Double {
    settings.learner.learningRate * (1 + cos(Double.pi * Double(epoch) / Double(epochs))) / 2
  }

  /// Samples whose label is the modal vote with enough votes; a draw decides between equally frequent classes.
  func modal(_ votes: [[Int]]) -> [Int] {
    let draws = Generator(seed: seed("ispl/ties")).uniform([count, data.classes], 0, 0.5)
    return (0..<count).filter { sample in
      let draw = draws[sample].array(Float.self)
      let counts = (0..<data.classes).map { candidate in votes.count { $0[sample] == candidate } }
      let first = counts.indices.max { (counts[$0], draw[$0]) < (counts[$1], draw[$1]) }
      return first == labels[sample] && counts[labels[sample]] >= settings.minimumVotes
    }
  }

  /// Algorithm 1 in each bag, with one learner for each component; of bags that disagree, a draw decides.
  func byComponent(_ votes: [[Int]], _ bags: [[[Int]]]) -> [Int] {
    var sums = [Float](repeating: 0, count: count)
    var votes = votes[...]
    for bag in bags {
      let learners = votes.prefix(bag.count)
      votes = votes.dropFirst(bag.count)
      for part in bag {
        var inFavour = 0
        for (component, vote) in zip(bag, learners) where 2 * part.count(where: { vote[$0] == labels[$0] }) > part.count
        {
          inFavour += component.count
        }
        for sample in part { sums[sample] += 2 * inFavour > count ? 1 : -1 }
      }
    }
    let draws = Generator(seed: seed("ispl/ties")).uniform([count], -0.5, 0.5).array(Float.self)
    return (0..<count).filter { sums[$0] + draws[$0] > 0 }
  }

  /// Three turns of one epoch: what a fresh model of the kept samples labels alike comes back.
  func returns(_ accepted: [Int]) -> [Int] {
    var kept = accepted
    for turn in 0..<3 {
      let stage = turn == 0 ? "ispl-self-training" : "ispl-self-training-\(turn + 1)"
      let model = train(stage, on: kept, rate: { cosine($0, of: 1) }, epochs: 1)
      let rejected = (0..<count).filter { !kept.contains($0) }
      let found = predicted(model, rejected, "ispl-self-training/score", turn)
      kept = (kept + zip(rejected, found).filter { labels[$0] == $1 }.map(\.0)).sorted()
    }
    return kept
  }

  /// Turns of some epochs of one model, each with a fresh optimizer; above one half, the running vote keeps.
  func running(_ accepted: [Int]) -> [Int] {
    var kept = accepted
    var agreement = [Double](repeating: 0.5, count: count)
    let model = make("ispl-self-training")
    let epochs = settings.reviewEpochs ?? settings.learner.epochs
    for turn in 0..<settings.selfTraining {
      let optimizer = optimizer(model)
      for epoch in 0..<epochs {
        model.reseedDropout(context.seed("ispl-self-training/dropout", turn * epochs + epoch) &+ 1)
        learn(
          model, optimizer, on: kept, stream: "ispl-self-training", epoch: turn * epochs + epoch,
          rate: cosine(epoch, of: epochs))
      }
      let found = predicted(model, Array(0..<count), "ispl-self-training/score", turn)
      agreement = (0..<count).map {
        settings.reviewEta * agreement[$0] + (1 - settings.reviewEta) * (found[$0] == labels[$0] ? 1 : 0)
      }
      kept = (0..<count).filter { agreement[$0] > 0.5 }
    }
    return kept
  }

  func train(_ stage: String, on samples: [Int], rate: (Int) -> Double, epochs: Int, batch: Int = 6)
    -> Classifier
  {
    let model = make(stage)
    let optimizer = optimizer(model)
    for epoch in 0..<epochs {
      model.reseedDropout(context.seed("\(stage)/dropout", epoch))
      learn(model, optimizer, on: samples, stream: stage, epoch: epoch, rate: rate(epoch), batch: batch)
    }
    return model
  }
}

/// Two linear layers with dropout between them, on images of 3 x 16 x 16 in 4 classes.
final class DropoutNetwork: Classifier {
  let hidden: Linear
  let dropout: Dropout
  let head: Linear

  init(dropout: Double = 0.3, _ generator: Generator) {
    hidden = Linear(768, 24, generator)
    self.dropout = Dropout(dropout)
    head = Linear(24, 4, generator)
    super.init(classes: 4, normalization: .none)
  }
  static func make(_ generator: Generator) -> Classifier { DropoutNetwork(generator) }

  override func features(normalized x: Tensor) -> Features {
    Features(stages: [], penultimate: dropout(hidden(x.flattened(1)).tanh()))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { head(penultimate) }
}
