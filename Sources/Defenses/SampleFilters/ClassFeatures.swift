import Backdoor
import Torch
import Training
import Vision

/// What filters that look for outliers of a class work on: the suspect model's features of the training set, computed
/// once and never shuffled, and which samples each label has.
struct ClassFeatures {
  /// Penultimate features, float64 N x D, on the CPU: row i is training sample i.
  let features: Tensor
  /// Positions by label, ascending; empty for a class without samples.
  let members: [[Int]]
  var count: Int { features.dimension(0) }

  /// - Throws: `DefenseError` for a sample without a label, or a model that does not fit.
  init(_ input: DefenseInput, id: String) throws {
    let (data, model) = (try input.poisonedTrain().to(input.training.device), try input.model())
    let labels = data.labelArray()
    guard model.classes == data.classes else {
      throw DefenseError.invalid(
        "\(id): the model tells \(model.classes) classes apart, and the training set has \(data.classes). Give the "
          + "model that was trained on it.")
    }
    if let unlabeled = labels.firstIndex(where: { $0 < 0 || $0 >= data.classes }) {
      throw DefenseError.invalid(
        "sample \(unlabeled) has no label of the \(data.classes) classes: \(id) compares the samples of a class. Leave "
          + "such samples out.")
    }
    let features = noGrad { model.penultimateFeatures(of: data, context: input.training).to(.cpu).to(.float64) }
    guard features.isFinite().all().intItem() == 1 else {
      throw DefenseError.invalid("\(id): the model's features are not finite. Its training failed; train it again.")
    }
    self.features = features
    var members = [[Int]](repeating: [], count: data.classes)
    for (position, label) in labels.enumerated() { members[label].append(position) }
    self.members = members
  }

  /// The features of one label's samples, float64 n x D.
  func of(_ label: Int) -> Tensor { features[Tensor(members[label].map(Int64.init))] }
}

extension DefenseOutcome {
  /// A filter's decision with what it rests on.
  static func filter(
    rejecting rejected: Set<Int>, of count: Int, suspicion: [Double], _ scores: [SampleScores]
  ) -> DefenseOutcome {
    var outcome = DefenseOutcome(
      filtered: ((0..<count).filter { !rejected.contains($0) }, rejected.sorted()), suspicion: suspicion)
    outcome.scores = scores
    return outcome
  }
}
