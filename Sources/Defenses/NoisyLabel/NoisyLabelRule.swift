import Backdoor
public import Support
public import Torch
import TorchNN
public import Training
import Vision

/// A noisy-label algorithm as the meta-algorithm sees it: from what a model says about a batch, which samples to learn
/// from, and towards which targets. The published ones are `SPL`, `PRL` and `Bootstrap`; with one of your own,
/// `NoisyLabelTraining(rule:)` is the plain algorithm and `NoisyLabelTraining(rule:adversary:)` its form that
/// withstands backdoors.
public protocol NoisyLabelRule: Sendable {
  /// What the rule remembers between batches and epochs, as it is before the first; nil, the default, remembers
  /// nothing. The two problems of the meta-algorithm have a state each.
  /// - Parameters:
  ///   - samples: images in the training set; batches name them by `NoisyLabelBatch.indices`.
  ///   - classes: K.
  ///   - device: where the logits will be.
  func makeState(samples: Int, classes: Int, device: Device) -> TrainingState?

  /// The samples and targets of a batch. Called once a step without recording of gradients.
  /// - Parameter state: what `makeState` gave, to be changed in place; nil where the caller keeps none.
  func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice

  /// How little each label fits what the model says: float32 B, higher is more suspicious. Cross entropy unless a rule
  /// has its own.
  func suspicion(_ logits: Tensor, _ labels: Tensor) -> Tensor
}

extension NoisyLabelRule {
  public func makeState(samples: Int, classes: Int, device: Device) -> TrainingState? { nil }
  public func suspicion(_ logits: Tensor, _ labels: Tensor) -> Tensor { SampleScore.crossEntropy(logits, labels) }
}

/// What a rule looks at.
public struct NoisyLabelBatch {
  /// Of the images that the step looks at, float32 B x K.
  public var logits: Tensor
  /// The given labels, int64 B.
  public var labels: Tensor
  /// Positions of the samples in the training set, int64 B.
  public var indices: Tensor
  /// From 0; for rules that become stricter. `Int.max` asks for the final verdict on the whole training set.
  public var epoch: Int

  public init(logits: Tensor, labels: Tensor, indices: Tensor, epoch: Int) {
    self.logits = logits
    self.labels = labels
    self.indices = indices
    self.epoch = epoch
  }

  var isVerdict: Bool { epoch == .max }
}

/// What a batch's step learns.
public struct NoisyLabelChoice {
  /// Rows of the batch to learn from, int64; nil means all.
  public var rows: Tensor?
  /// Targets of these rows: int64 classes, or probabilities (float32, rows x K).
  public var targets: Tensor
  /// A term that is added to the mean cross entropy, from the logits of these rows (float32, rows x K): the
  /// regularisation of early learning (ELR), say.
  public var penalty: ((_ logits: Tensor) -> Tensor)?

  public init(rows: Tensor? = nil, targets: Tensor, penalty: ((_ logits: Tensor) -> Tensor)? = nil) {
    self.rows = rows
    self.targets = targets
    self.penalty = penalty
  }
}

/// A rule with a name and settings: the command line has it as `<id>`, and its reinforced form as `<id>-at`.
public protocol NoisyLabelAlgorithm: NoisyLabelRule, Configurable {
  static var id: String { get }
  /// As in the paper's tables.
  static var title: String { get }
  /// What it does, as the end of a sentence: "learns from ...".
  static var idea: String { get }
  static var paper: String { get }
}

/// No rule: every sample with its given label. Takes the place of a rule in the paper's ablations.
public struct EverySample: NoisyLabelRule {
  public init() {}
  public func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice {
    NoisyLabelChoice(targets: batch.labels)
  }
}

/// What the published rules look at, for each sample of a batch.
public enum SampleScore: String, Sendable, CaseIterable {
  /// The sample's loss.
  case crossEntropy = "cross entropy"
  /// ||softmax(logits) - one-hot label||_2: the norm of the loss layer's gradient. In 0 ... sqrt 2.
  case predictionDistance = "distance of prediction and label"

  /// - Parameters: logits: float B x K; labels: int64 B.
  /// - Returns: float32 B.
  public func callAsFunction(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    switch self {
    case .crossEntropy: F.crossEntropy(logits, labels, reduction: .none)
    case .predictionDistance: (F.softmax(logits, 1) - labels.oneHot(logits.dimension(1)).to(logits.dtype)).norm(2, [1])
    }
  }
}

extension NoisyLabelRule {
  /// The loss of one step: mean cross entropy over the samples that the rule chooses. Reports beside it the mean cross
  /// entropy of those that it leaves out, `rejectedLoss`.
  func loss(
    _ logits: Tensor, _ labels: Tensor, indices: Tensor, _ state: TrainingState?, epoch: Int,
    labelSmoothing: Double = 0
  ) -> BatchLoss {
    let choice = noGrad {
      choose(NoisyLabelBatch(logits: logits.detach(), labels: labels, indices: indices, epoch: epoch), state)
    }
    let chosen = choice.rows.map { logits[$0] } ?? logits
    var loss = F.crossEntropy(chosen, choice.targets, labelSmoothing: labelSmoothing)
    if let penalty = choice.penalty { loss = loss + penalty(chosen) }
    guard let rows = choice.rows, rows.count < labels.count else { return BatchLoss(loss, rows: choice.rows) }
    let rejected = noGrad {
      let all = F.crossEntropy(logits.detach(), labels, reduction: .none)
      return (all.sum() - all[rows].sum()) / Double(labels.count - rows.count)
    }
    return BatchLoss(loss, rows: rows, parts: ["rejectedLoss": rejected])
  }

  /// What the rule finds on a whole training set with a trained model in evaluation mode.
  func outcome(_ model: Classifier, on data: ImageDataset, logits: Tensor, _ state: TrainingState?) -> DefenseOutcome {
    noGrad {
      let labels = data.labels.to(logits.device)
      func values(_ scores: Tensor) -> [Double] { scores.array(Float.self).map(Double.init) }
      var outcome = DefenseOutcome(model: model, suspicion: values(suspicion(logits, labels)))
      let all = NoisyLabelBatch(
        logits: logits, labels: labels, indices: Tensor.arange(data.count).to(logits.device), epoch: .max)
      if let rows = choose(all, state).rows {
        let kept = rows.array(Int64.self).map(Int.init).sorted()
        let chosen = Set(kept)
        outcome.filtered = (kept, (0..<data.count).filter { !chosen.contains($0) })
      }
      outcome.scores = SampleScore.allCases.map { score in
        let all = values(score(logits, labels))
        let mine = (self as? any FilteringRule).map { type(of: $0).score == score } ?? false
        return SampleScores(
          title: "\(score.rawValue), final model", values: all,
          threshold: mine ? outcome.filtered?.kept.map { all[$0] }.max() : nil)
      }
      return outcome
    }
  }
}
