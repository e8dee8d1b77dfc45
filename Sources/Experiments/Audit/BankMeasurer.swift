import Audit
import Torch
import Training
import Vision

/// Measures clean models for a bank; a finished one is kept in the context's store.
struct BankMeasurer {
  let settings: AuditSettings
  var quick = false
  let context: TrainingContext

  /// - Parameters:
  ///   - stage: names the model in the store.
  ///   - digest: SHA-256 of the model's file, where it has one.
  ///   - make: the model, labelled images to measure its accuracy on, and the classes' order in the bank (class k of the
  ///     bank is `order[k]` of the model; nil is the same).
  ///   - images: those that statistics are measured on.
  func member(
    _ stage: String, name: String, recipe: String? = nil, digest: String? = nil,
    make: () throws -> (model: Classifier, test: ImageDataset?, order: [Int]?), images: (Classifier) -> ImageDataset
  ) throws -> ReferenceBank.Member {
    if let kept = try context.checkpoints?.load(stage: stage) {
      return try Self.member(kept, name: name, recipe: recipe, digest: digest, stage: stage)
    }
    let (model, test, order) = try make()
    let measured = try AuditMeasurement(
      model, AuditImages(images(model), model: model, most: settings.images, context: context), settings, quick: quick,
      stage: nil, title: Self.stage, context: context)
    let statistics = order.map(measured.statistics.reordered) ?? measured.statistics
    let accuracy = test.map { test in
      let test = test.to(context.device)
      return (model.logits(of: test, context: context).argmax(1) .== test.labels).to(.float32).mean().item()
    }
    let member = ReferenceBank.Member(
      name: name, architecture: Self.words(model), recipe: recipe, accuracy: accuracy, digest: digest,
      statistics: statistics)
    try context.checkpoints?.save(Self.checkpoint(member), stage: stage)
    return member
  }

  /// What measuring a clean model is called in a plan of all stages.
  static let stage = "reference"

  static func words(_ model: Classifier) -> String {
    guard let spec = model.spec else { return "unknown" }
    return "\(spec.kind), width \(spec.shape.width)"
  }

  // MARK: Keeping a finished model

  private static func checkpoint(_ member: ReferenceBank.Member) -> Checkpoint {
    let s = member.statistics
    var tensors: [(key: String, tensor: Tensor)] = [
      ("margin", Tensor(s.margin)), ("patch", Tensor(s.patch)), ("patchSuccess", Tensor(s.patchSuccess)),
      ("counts", Tensor(s.counts.map(Double.init))), ("accuracy", Tensor([member.accuracy ?? -1])),
      ("architecture", Tensor(member.architecture.utf8.map { UInt8($0) })),
    ]
    if let values = s.perturbation { tensors.append(("perturbation", Tensor(values))) }
    if let values = s.perturbationSuccess { tensors.append(("perturbationSuccess", Tensor(values))) }
    return Checkpoint(epoch: 1, tensors: tensors)
  }

  private static func member(
    _ kept: Checkpoint, name: String, recipe: String?, digest: String?, stage: String
  ) throws -> ReferenceBank.Member {
    let tensors = Dictionary(uniqueKeysWithValues: kept.tensors.map { ($0.key, $0.tensor) })
    func numbers(_ key: String) -> [Double]? { tensors[key]?.array(Double.self) }
    guard let margin = numbers("margin"), let patch = numbers("patch"), let success = numbers("patchSuccess"),
      let counts = numbers("counts"), let accuracy = numbers("accuracy")?.first,
      let architecture = tensors["architecture"]?.array(UInt8.self)
    else {
      throw TrainingError.checkpoint(
        "the checkpoint of stage \(stage) is no measured model. Remove it to measure the model again.")
    }
    return ReferenceBank.Member(
      name: name, architecture: String(decoding: architecture, as: UTF8.self), recipe: recipe,
      accuracy: accuracy < 0 ? nil : accuracy, digest: digest,
      statistics: ClassStatistics(
        margin: margin, patch: patch, patchSuccess: success, perturbation: numbers("perturbation"),
        perturbationSuccess: numbers("perturbationSuccess"), counts: counts.map { Int($0) }))
  }
}
