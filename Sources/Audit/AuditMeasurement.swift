public import Backdoor
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

/// The statistics of a model with the triggers that they were measured with.
public struct AuditMeasurement {
  public let statistics: ClassStatistics
  /// The sparse patch of each class that was measured.
  public let patches: [Int: ReconstructedTrigger]
  /// The universal perturbation of each class, C x H x W in [-epsilon, epsilon] of [0, 1]; nil in a quick audit.
  public let perturbations: [Int: Tensor]?

  /// Measures a model.
  /// - Parameters:
  ///   - model: in evaluation mode on the context's device.
  ///   - classes: those that are measured, ascending; nil takes all. What is measured of a class does not depend on the
  ///     others.
  ///   - quick: leaves out the universal perturbation, which takes about half of the time.
  ///   - stage: names the checkpoints of finished parts in the context's store; nil keeps and looks for none.
  ///   - title: what the work is called in a plan of all stages.
  /// - Throws: `Interrupted`, and what the store throws.
  public init(
    _ model: Classifier, _ images: AuditImages, _ settings: AuditSettings, quick: Bool = false,
    classes: [Int]? = nil, stage: String? = "audit", title: String = AuditMeasurement.stage, context: TrainingContext
  ) throws {
    let (search, heldOut, s) = (images.search, images.heldOut, settings)
    func checkpoint(_ part: AuditPasses.Part) -> String? { stage.map { "\($0)-\(part.rawValue)" } }
    let passes = AuditPasses(s, search: search.count, heldOut: heldOut.count, quick: quick)
    var kept: [AuditPasses.Part: Checkpoint] = [:]
    for part in passes.parts {
      if let name = checkpoint(part) { kept[part] = try context.checkpoints?.load(stage: name) }
    }
    let count = Double(classes?.count ?? model.classes)
    context.progress.beginStage(
      title, images: count * passes.total, done: count * kept.keys.reduce(0) { $0 + passes[$1] })
    defer { context.progress.endStage() }
    func part(
      _ part: AuditPasses.Part, _ compute: () throws -> [(key: String, tensor: Tensor)]
    ) throws -> [String: Tensor] {
      if let kept = kept[part] {
        return Dictionary(uniqueKeysWithValues: kept.tensors.map { ($0.key, $0.tensor.to(context.device)) })
      }
      let tensors = try compute()
      if let name = checkpoint(part) {
        try context.checkpoints?.save(Checkpoint(epoch: 1, tensors: tensors), stage: name)
      }
      return Dictionary(uniqueKeysWithValues: tensors.map { ($0.key, $0.tensor) })
    }
    func numbers(_ tensor: Tensor?) -> [Double] { tensor?.array(Double.self) ?? [] }

    (statistics, patches, perturbations) = try model.withFrozenParameters {
      let margin = try part(.margin) {
        let climb = MaximumMargin(starts: s.starts, steps: s.marginSteps, step: s.marginStep)
        return [
          (
            "margin",
            Tensor(
              try climb.values(
                model, channels: search.channels, height: search.height, width: search.width, classes: classes,
                context))
          )
        ]
      }
      let patch = try part(.patch) {
        let pixels = s.patchPixels(height: search.height, width: search.width)
        let found = try SparsePatch(pixels: pixels, steps: s.patchSteps, batch: s.batch)
          .search(model, search, classes: classes, context)
        let sums = try Self.sums(model, heldOut, classes, context) { places, pixels in
          SparsePatch.Patches(mask: found.mask[places], colour: found.colour[places]).stamp(pixels)
        }
        return [("mask", found.mask), ("colour", found.colour), ("sums", sums)]
      }
      let perturbation =
        quick
        ? nil
        : try part(.perturbation) {
          let universal = UniversalPerturbation(
            epsilon: s.epsilon / 255, steps: s.perturbationSteps, step: s.perturbationStep, batch: s.batch)
          let found = try universal.search(model, search, classes: classes, context)
          let sums = try Self.sums(model, heldOut, classes, context) { places, pixels in
            UniversalPerturbation.add(found[places], to: pixels)
          }
          return [("change", found), ("sums", sums)]
        }
      // Rows of `sums`: log-odds, margin, success, images.
      func means(_ part: [String: Tensor], _ row: Int) -> [Double] {
        guard let sums = part["sums"] else { return [] }
        return zip(numbers(sums[row]), numbers(sums[3])).map { $0 / max($1, 1) }
      }
      let statistics = ClassStatistics(
        margin: numbers(margin["margin"]), patch: means(patch, 0), patchSuccess: means(patch, 2),
        perturbation: perturbation.map { means($0, 1) }, perturbationSuccess: perturbation.map { means($0, 2) },
        counts: numbers(patch["sums"]?[3]).map { Int($0) }, labels: classes)
      // NaN is above nothing, and would look like a model that stands out from all others.
      guard (statistics.margin + statistics.patch + (statistics.perturbation ?? [])).allSatisfy(\.isFinite) else {
        throw AuditError.invalid("the model's outputs are not finite numbers: there is nothing to compare.")
      }
      var (patches, changes) = ([Int: ReconstructedTrigger](), [Int: Tensor]())
      for (place, label) in statistics.measured.enumerated() {
        if let mask = patch["mask"]?[place], let colour = patch["colour"]?[place] {
          patches[label] = ReconstructedTrigger(mask: mask, pattern: colour)
        }
        changes[label] = perturbation?["change"]?[place]
      }
      return (statistics, patches, perturbation == nil ? nil : changes)
    }
  }

  /// What measuring a model is called in a plan of all stages.
  public static let stage = "measure"

  /// The work of measuring a model.
  /// - Parameters:
  ///   - search: images that triggers are searched with.
  ///   - heldOut: those that they are measured on.
  ///   - classes: how many.
  public static func plannedWork(
    _ title: String = stage, _ settings: AuditSettings, search: Int, heldOut: Int, quick: Bool, classes: Int
  ) -> PlannedWork {
    let passes = AuditPasses(settings, search: search, heldOut: heldOut, quick: quick)
    // Weights get no gradients: a third of a training step is left out.
    return PlannedWork(title, images: Double(classes) * passes.total, cost: 2 / 3)
  }

  /// `TargetedPass.sums` of K classes (nil: all) over a data set whose labels are the model's predictions: float64,
  /// 4 x K.
  /// - Parameter changed: the images of a batch towards the classes at some places of them, T x B x C x H x W.
  static func sums(
    _ model: Classifier, _ data: ImageDataset, _ classes: [Int]?, _ context: TrainingContext,
    changed: (_ places: Range<Int>, _ pixels: Tensor) -> Tensor
  ) throws -> Tensor {
    let batches = Batches(count: data.count, size: 64).ranges
    let size = data.channels * data.height * data.width
    let groups = ClassGroups.groups(
      of: classes ?? Array(0..<model.classes), rows: min(64, data.count), pixels: size)
    let work = SearchProgress(
      "held-out images", steps: batches.count, groups: groups,
      passes: AuditPasses.forward * Double(data.count) / Double(max(batches.count, 1)), context)
    defer { work.end() }
    return try noGrad {
      var parts: [Tensor] = []
      var places = 0..<0
      for group in groups {
        places = places.upperBound..<(places.upperBound + group.count)
        let pass = TargetedPass(model: model, targets: group, context: context)
        var total = Tensor.zeros([4, group.count], dtype: .float64, device: context.device)
        for range in batches {
          total =
            total + pass.sums(at: changed(places, data.pixels(range)), sources: data.labels[range])
          try work.step(group)
        }
        parts.append(total)
      }
      return Tensor.concatenated(parts, 1)
    }
  }
}
