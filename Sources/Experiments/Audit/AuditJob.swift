public import Audit
import Backdoor
import Defenses
import Files
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

/// Looks whether a model file carries a backdoor: measures it, compares it with clean models, and confirms what it found
/// on a purified copy. The same job goes on where an earlier process stopped.
public struct AuditJob {
  /// Its data set, seed, device, threads and precision; the rest plays no part.
  public var configuration: ExperimentConfiguration
  public var model: ModelFile
  /// Where clean models are: a bank's file, a folder with their finished audits, or one of model files. nil compares with `UncalibratedNull`.
  public var reference: String?
  /// How the model is measured; those of a bank's file replace them.
  public var settings = AuditSettings()
  /// Models with p at most this are called backdoored.
  public var level = 0.01
  /// Leaves out the universal perturbation and the confirmation.
  public var quick = false
  /// A budget in seconds: of many classes, those that look most like a target are measured (`ClassHalving`). nil
  /// measures all classes, however long it takes.
  public var time: Double?
  /// A folder of images of which those that carry a trigger are looked for (IBD-PSC); nil looks for none.
  public var suspects: String?
  /// Where the purified model goes; nil keeps none.
  public var clean: String?
  /// The folder that is written: `audit.json` and pictures; nil writes nothing and keeps nothing for a later process.
  public var output: String?

  public init(_ configuration: ExperimentConfiguration, model: ModelFile) {
    self.configuration = configuration
    self.model = model
  }

  /// - Throws: `JobError`, `AuditError`, `DataError`, `ClassNameError`, `ModelFileError`, `RunStoreError`,
  ///   `Interrupted`; there is then no folder of that name.
  public func run(progress: any ProgressReporter) throws -> AuditResult {
    let start = Date()
    if let output {
      try OutputCheck.folder(output)
      if let reference, FileSystem.isFolder(reference), Path.parent(Path.absolute(output)) == Path.absolute(reference) {
        throw JobError.invalid(
          "\(output): the audit would be one of the clean models of \(reference) from then on. Choose another folder with "
            + "--out.")
      }
    }
    if let clean {
      try OutputCheck.file(clean)
      guard !FileSystem.exists(clean) else {
        throw JobError.invalid("\(clean) exists already. Choose another file with --clean, or remove it.")
      }
    }
    guard (0...1).contains(level) else { throw JobError.invalid("--level is a share between 0 and 1, not \(level).") }
    guard time ?? 1 > 0 else {
      throw JobError.invalid("--time is longer than nothing, such as 90s, 10m or 1h.")
    }
    let modelDigest = try Digest.sha256Hex(file: model.path)
    let reference = try CleanModels(reference, besides: modelDigest, progress: progress)
    if time != nil, case .files(let folder, _) = reference {
      throw JobError.invalid(
        "\(folder): the models of a folder have to be measured in full, whatever --time is. Audit once without it and "
          + "with --out: the folder that is written has their bank.json, which --reference takes.")
    }
    var settings = settings
    let bank = reference.bank
    if let bank {
      if self.settings != AuditSettings(), self.settings != bank.settings {
        throw JobError.invalid(
          "\(self.reference ?? ""): the bank was measured with other settings than those given (audit...). Leave them out: "
            + "the audit takes the bank's.")
      }
      settings = bank.settings
    }
    let progress: any ProgressReporter =
      time.map { BudgetProgress(progress, budget: $0, start: start) as any ProgressReporter } ?? progress
    let context = try configuration.makeContext(
      progress: progress, goingOnFrom: output.flatMap { JobFolder.earlier(output: $0) })
    let data = try AuditData(configuration.dataset, for: model, progress: progress)
    let opened = try model.opened(for: data.images, seed: configuration.seed, progress: progress)
    let suspect = opened.model.prepared(for: context)
    // What cannot be is found before anything is measured.
    if clean != nil, !data.hasLabels {
      throw JobError.invalid("--clean needs images with labels: a folder with one subfolder a class.")
    }
    let suspects = try suspects.map { try suspectImages($0, data, suspect, progress, context) }
    _ = try bank?.statistics(
      for: suspect.classNames ?? data.images.classNames, imageShape: data.shape, source: model.source)
    guard let output else {
      return try audit(suspect, data, suspects, reference, settings, modelDigest, context, start, folder: nil)
    }

    var identity = try configuration.identity(job: "audit", images: data.images, [])
    try model.identify(&identity, normalization: opened.normalization)
    identity["audit"] = try JSONValue(encoding: settings)
    identity["quick"] = .bool(quick)
    if let time { identity["time"] = .double(time) }
    if let suspects { identity["images"] = .string(suspects.answered.fingerprint) }
    identity["reference"] = try reference.identity
    return try JobFolder(output: output, identity: identity).perform(context) { _ in
      try AtomicFolder.write(to: output) { folder in
        try audit(suspect, data, suspects, reference, settings, modelDigest, context, start, folder: folder)
      }
    }
  }

  private func audit(
    _ suspect: Classifier, _ data: AuditData, _ suspects: SuspectImages?, _ reference: CleanModels,
    _ settings: AuditSettings, _ digest: String, _ context: TrainingContext, _ start: Date, folder: String?
  ) throws -> AuditResult {
    let images = try AuditImages(data.images, model: suspect, most: settings.images, context: context)
    let labels = data.hasLabels ? "" : "; they have no labels, the model's predictions stand in"
    context.progress.message(
      "images: \(images.search.count) to find triggers, \(images.heldOut.count) others to measure them\(labels)")
    let names = suspect.classNames ?? data.images.classNames
    let (classes, spent) = try self.classes(
      of: suspect, images, reference.bank, names: names, settings, data, context, start)
    context.progress.plan(try plannedWork(suspect, images, settings, reference, classes: classes, data, context))
    let measured = try AuditMeasurement(
      suspect, images, settings, quick: quick, classes: classes, context: context)
    let bank = try reference.bank ?? measure(reference, suspect, data, settings, context)
    if reference.bank == nil, let bank, let folder { try bank.write(to: "\(folder)/bank.json") }

    var result = try judged(suspect, measured, images, bank, names: names, settings, data, digest, context)
    if var spent {
      spent.measuring = Date().timeIntervalSince(start)
      result.time = spent
      if !spent.leftOut.isEmpty {
        result.notTested.append(
          "\(spent.leftOut.count) of \(names.count) classes, which time did not suffice for (--time "
            + "\(formatDuration(spent.budget))): a backdoor towards one of them is not seen, and p is as a rule larger than with all of them"
        )
      }
    }
    let purified = try confirm(&result, suspect, measured, images, data, bank, settings, context)
    if let suspects { result.images = try judged(suspects, suspect, images, data, folder: folder, context) }
    if let folder { try AuditPictures.write(measured, images, &result, suspect, to: folder, context) }
    result.seed = configuration.general.seed
    result.seconds = Date().timeIntervalSince(start)
    if let folder {
      try AtomicFile.write(try JSONValue(encoding: result).prettyJSON + "\n", to: "\(folder)/\(AuditResult.fileName)")
    }
    // Last, where nothing interrupts any more: an audit that goes on would find the file in its way.
    if let clean, let purified {
      try FileSystem.createFolder(Path.parent(clean))
      try purified.save(clean)
    }
    return result
  }

  private static let cleaned = "cleaned"
  private static func stage(_ clean: String) -> String { "reference-\(clean)" }

  /// The model, the clean models of a folder, and with `--clean` the purified copy. Whether a copy confirms a verdict is
  /// known once there is one.
  private func plannedWork(
    _ suspect: Classifier, _ images: AuditImages, _ settings: AuditSettings, _ reference: CleanModels, classes: [Int]?,
    _ data: AuditData, _ context: TrainingContext
  ) throws -> [PlannedWork] {
    func measuring(_ title: String, _ classes: Int) -> PlannedWork {
      AuditMeasurement.plannedWork(
        title, settings, search: images.search.count, heldOut: images.heldOut.count, quick: quick, classes: classes)
    }
    let count = classes?.count ?? suspect.classes
    var works = [measuring(AuditMeasurement.stage, count)]
    if case .files(_, let files) = reference {
      let missing = try files.filter { try context.checkpoints?.load(stage: Self.stage($0.name)) == nil }
      works += missing.map { _ in measuring(BankMeasurer.stage, suspect.classes) }
    }
    if clean != nil, let labelled = data.labelled {
      let tuning = min(Self.tuned, labelled.count - images.heldOutPositions.count)
      let fst = FeatureShiftTuning(AuditConfirmation.settings(images: tuning))
      works += fst.plannedWork(DefenseSize(train: 0, clean: tuning, classes: suspect.classes))
      works.append(measuring(Self.cleaned, count))
    }
    return works
  }

  // MARK: A budget of time

  /// The classes that are measured in full, nil for all, and how they were chosen.
  private func classes(
    of suspect: Classifier, _ images: AuditImages, _ bank: ReferenceBank?, names: [String],
    _ settings: AuditSettings, _ data: AuditData, _ context: TrainingContext, _ start: Date
  ) throws -> ([Int]?, AuditResult.Time?) {
    guard let time else { return (nil, nil) }
    // What a process chose stays chosen when another one goes on.
    if let kept = try context.checkpoints?.load(stage: Self.choice) {
      let tensors = Dictionary(
        uniqueKeysWithValues: kept.tensors.map { ($0.key, $0.tensor.array(Int64.self).map(Int.init)) })
      let rounds = zip(tensors["sizes"] ?? [], tensors["divisors"] ?? []).map {
        ClassHalving.Round(classes: $0, divisor: $1)
      }
      return chosen(tensors["classes"] ?? [], rounds, of: suspect)
    }
    let clean = try bank?.statistics(for: names, imageShape: data.shape, source: model.source)
    // A fifth stays for the confirmation and the pictures.
    let halving = ClassHalving(settings, quick: quick, budget: time * 0.8, start: start)
    let (classes, rounds) = try halving.classes(of: suspect, images, context: context) { found in
      ClassHalving.ranks(found, bank: clean, statistics: AuditStatistic.common(found, clean ?? []))
    }
    try context.checkpoints?.save(
      Checkpoint(
        epoch: 1,
        tensors: [
          ("classes", Tensor(classes.map(Int64.init))), ("sizes", Tensor(rounds.map { Int64($0.classes) })),
          ("divisors", Tensor(rounds.map { Int64($0.divisor) })),
        ]), stage: Self.choice)
    let all = classes.count == suspect.classes
    context.progress.message(
      "\(all ? "all" : "\(classes.count) of") \(suspect.classes) classes are measured in full")
    return chosen(classes, rounds, of: suspect)
  }

  private static let choice = "audit-classes"

  private func chosen(_ classes: [Int], _ rounds: [ClassHalving.Round], of suspect: Classifier) -> (
    [Int]?, AuditResult.Time?
  ) {
    let leftOut = Set(0..<suspect.classes).subtracting(classes).sorted()
    return (
      leftOut.isEmpty ? nil : classes,
      AuditResult.Time(budget: time ?? 0, measuring: 0, rounds: rounds, leftOut: leftOut)
    )
  }

  // MARK: Clean models

  /// The models of a folder, measured as the suspect was, on the same images.
  private func measure(
    _ reference: CleanModels, _ suspect: Classifier, _ data: AuditData, _ settings: AuditSettings,
    _ context: TrainingContext
  ) throws -> ReferenceBank? {
    guard case .files(let folder, let files) = reference else { return nil }
    let measurer = BankMeasurer(settings: settings, quick: quick, context: context)
    let names = suspect.classNames ?? data.images.classNames
    let members = try files.enumerated().map { number, clean in
      let (name, digest) = clean
      context.progress.message("clean model \(number + 1) of \(files.count): \(name)")
      let path = Path.join(folder, name)
      return try measurer.member(Self.stage(name), name: name, digest: digest) {
        var file = model
        file.path = path
        // The suspect's classes in their order, which a bank of the model's own has to share.
        let clean = try file.open(for: data.images, progress: SilentProgress()).prepared(for: context)
        let own = ClassNames(clean.classNames ?? names)
        let order = try own.positions(of: ClassNames(names), source: "the model \(path)", otherSource: model.source)
        // Its answers are in its own order of the classes.
        let labelled = try data.labelled?.numbered(as: clean.classNames ?? names, of: "the model \(path)")
        return (clean, labelled, order)
      } images: { _ in
        data.images
      }
    }
    let bank = ReferenceBank(
      settings: settings, dataset: data.images.name, classNames: names, imageShape: data.shape,
      images: min(data.images.count, settings.images), members: members)
    if let problem = bank.problem { throw JobError.invalid("\(folder): \(problem)") }
    return bank
  }

  // MARK: The verdict

  private func judged(
    _ suspect: Classifier, _ measured: AuditMeasurement, _ images: AuditImages, _ bank: ReferenceBank?, names: [String],
    _ settings: AuditSettings, _ data: AuditData, _ digest: String, _ context: TrainingContext
  ) throws -> AuditResult {
    guard let s = measured.statistics.withOtherImages else {
      throw AuditError.invalid(
        "the model takes all held-out images for one class, so that no trigger can send another one there. Audit it on "
          + "images of several classes.")
    }
    func success(_ shares: [Double], _ label: Int) -> ShareInterval {
      let place = s.place(of: label) ?? 0
      return ShareInterval(
        successes: Int((shares[place] * Double(s.counts[place])).rounded()), of: s.counts[place])
    }
    var notTested: [String] = []
    let only = measured.statistics.measured.filter { s.place(of: $0) == nil }
    if !only.isEmpty {
      notTested.append(
        "\(only.map { names[$0] }.joined(separator: ", ")): the model takes all held-out images for it, and no other one is "
          + "left to send there")
    }
    if quick { notTested.append("universal perturbations\(clean == nil ? " and the confirmation" : "") (--quick)") }
    let compared: (label: Int, score: Double, p: Double, least: Double, null: String, bank: AuditResult.Bank?)
    if let bank {
      let clean = try bank.statistics(for: names, imageShape: data.shape, source: model.source)
      let statistics = AuditStatistic.common(s, clean)
      if !quick, !statistics.contains(.perturbation) {
        notTested.append("the universal perturbation: the bank was measured without it")
      }
      if let difference = bank.difference(images: images.search.count + images.heldOut.count) {
        notTested.append(difference)
      }
      let score = BankScore(s, bank: clean, statistics: statistics)
      let scales = statistics.map { statistic in (statistic, BankScale(clean.compactMap { $0[statistic] })) }
      let accuracies = bank.members.compactMap(\.accuracy)
      compared = (
        score.label, score.score, score.pValue, score.smallestPValue,
        "conformal, over \(clean.count) clean models, each of them and the audited one scored against all others",
        AuditResult.Bank(
          models: clean.count, source: reference ?? "", dataset: bank.dataset,
          architectures: Array(Set(bank.members.map(\.architecture))).sorted(),
          accuracies: [accuracies.min(), accuracies.max()].compactMap { $0 }, meanAccuracy: bank.meanAccuracy,
          score: score,
          means: Dictionary(uniqueKeysWithValues: scales.map { ($0.rawValue, $1.mean) }),
          deviations: Dictionary(uniqueKeysWithValues: scales.map { ($0.rawValue, $1.deviation) }))
      )
    } else {
      let best = s.patchSuccess.indices.max { s.patchSuccess[$0] < s.patchSuccess[$1] } ?? 0
      let score = s.patchSuccess[best]
      let problem = UncalibratedNull.problem(
        settings, imageShape: data.shape, classes: names.count, kind: suspect.spec?.kind)
      if let problem { notTested.append("how rare such a patch is: \(problem)") }
      compared = (
        s.measured[best], score,
        problem == nil
          ? UncalibratedNull.pValue(of: success(s.patchSuccess, s.measured[best]), others: s.counts[best]) : 1,
        problem == nil ? UncalibratedNull.smallestPValue : 1,
        problem == nil
          ? "of clean models like it, at most this share has a best patch that succeeds as often; known are "
            + UncalibratedNull.description
          : "there are no clean models to compare with",
        nil
      )
      notTested.append(
        "largest margins and universal perturbations against clean models: there was no --reference")
    }
    let accuracy = data.accuracy(suspect, images, context)
    let doubt = bank?.doubt(accuracy: accuracy)
    if let doubt { notTested.append(doubt) }
    return AuditResult(
      model: model.path, modelDigest: digest,
      architecture: BankMeasurer.words(suspect), dataset: data.images.name, classNames: names,
      searchImages: images.search.count, heldOutImages: images.heldOut.count, hasLabels: data.hasLabels,
      accuracy: accuracy,
      verdict: doubt == nil ? AuditVerdict(pValue: compared.p, level: level, isCalibrated: bank != nil) : .noEvidence,
      level: level,
      pValue: compared.p, smallestPValue: compared.least, null: compared.null, label: compared.label,
      score: compared.score, patchSuccess: success(s.patchSuccess, compared.label),
      imageShape: data.shape, patchPixels: settings.patchPixels(height: data.images.height, width: data.images.width),
      perturbationSuccess: s.perturbationSuccess.map { success($0, compared.label) }, epsilon: settings.epsilon,
      statistics: s, settings: settings, bank: compared.bank, notTested: notTested, seed: 0, seconds: 0, pictures: [])
  }

  // MARK: Which images

  /// The images of a folder as the model sees them, with its answers as labels; and with their own labels, -1 where they
  /// have none, which count for nothing but the table.
  private typealias SuspectImages = (answered: ImageDataset, given: ImageDataset)

  /// - Throws: `JobError` for images of another size, `DefenseError` for a model without BatchNorm.
  private func suspectImages(
    _ folder: String, _ data: AuditData, _ suspect: Classifier, _ progress: any ProgressReporter,
    _ context: TrainingContext
  ) throws -> SuspectImages {
    try ScalingConsistency.requireLayers(of: suspect)
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.size) = ("folder", folder, data.images.height)
    let (found, split) = try model.images(settings, progress: progress)
    if split == .test {
      progress.message(
        "\(folder): a data set of splits, of which the images for tests are looked at. Name a folder of one split for the "
          + "others, such as \(folder)/train.")
    }
    let names = suspect.classNames ?? data.images.classNames
    // Whatever their folders say: what counts is what the model answers.
    var images = ImageDataset(
      name: found.name, images: found.images, labels: found.withoutLabels().labels, classNames: names,
      sources: found.sources)
    if images.channels == 1, data.images.channels == 3 { images = images.withChannels(3) }
    guard [images.channels, images.height, images.width] == data.shape else {
      throw JobError.invalid(
        "\(folder): the images are \(images.width)x\(images.height) pixels with \(images.channels) channels, those of "
          + "the audit \(data.images.width)x\(data.images.height) with \(data.images.channels). --images takes images of "
          + "the same kind.")
    }
    images = images.to(context.device)
    return (
      images.relabeled(suspect.logits(of: images, context: context).argmax(1)),
      split == .unlabeled ? found.withoutLabels() : found
    )
  }

  private func judged(
    _ suspects: SuspectImages, _ suspect: Classifier, _ images: AuditImages, _ data: AuditData, folder: String?,
    _ context: TrainingContext
  ) throws -> AuditResult.Images {
    var settings = ScalingConsistency.Configuration()
    settings.rule = .conformal
    let positions = images.searchPositions + images.heldOutPositions
    let clean =
      data.labelled?.subset(positions)
      ?? data.images.subset(positions).relabeled(
        Tensor.concatenated([images.search.labels, images.heldOut.labels]).to(data.images.labels.device))
    let defense = ScalingConsistency(settings)
    let outcome = try defense.run(
      DefenseInput(
        for: ScalingConsistency.self, training: context, seed: context.seed.stream("images"),
        poisonedTrain: suspects.answered,
        model: suspect, cleanSplit: clean))
    let suspicion = outcome.suspicion ?? []
    let flagged = (outcome.filtered?.rejected ?? []).sorted { suspicion[$0] > suspicion[$1] }
    let answers = suspects.answered.labelArray()
    if let folder {
      let words = answers.map { suspects.answered.classNames[$0] }
      try AtomicFile.write(
        SampleFindings(outcome, data: suspects.given).table(in: output ?? folder, answers: words),
        to: "\(folder)/\(AuditResult.imagesTable)")
    }
    return AuditResult.Images(
      folder: self.suspects ?? "", count: suspects.given.count,
      cleanImages: clean.count - ScalingConsistency.choosing(of: clean.count),
      level: settings.level,
      flagged: flagged.map { suspects.given.sources?[$0].file ?? "\($0)" },
      answers: flagged.map { answers[$0] })
  }

  // MARK: The purified copy

  /// Images that a copy is purified with at most: enough for accuracy, and no longer than the audit itself.
  static let tuned = 2000

  /// - Returns: the purified copy.
  private func confirm(
    _ result: inout AuditResult, _ suspect: Classifier, _ measured: AuditMeasurement, _ images: AuditImages,
    _ data: AuditData, _ bank: ReferenceBank?, _ settings: AuditSettings, _ context: TrainingContext
  ) throws -> Classifier? {
    guard clean != nil || (!quick && result.verdict != .noEvidence) else { return nil }
    if clean == nil, let time = result.time, time.measuring > time.budget {
      result.notTested.append("the confirmation on a purified copy: the time was over")
      return nil
    }
    guard let labelled = data.labelled else {
      result.notTested.append("the confirmation on a purified copy: it needs images with labels")
      return nil
    }
    let heldOut = labelled.subset(images.heldOutPositions).to(context.device)
    let rest = labelled.subset(labelled.complement(of: images.heldOutPositions))
    let tuning = rest.subset(rest.sample(count: Self.tuned, seed: context.seed, stream: "audit/tuning"))
      .to(context.device)
    context.progress.message("purifying a copy with \(formatCount(tuning.count)) images (fst)")
    guard let patch = measured.patches[result.label] else { return nil }
    let found = try AuditConfirmation(
      suspect, patch: patch, label: result.label, tuning: tuning, heldOut: heldOut,
      flips: configuration.dataset.origin().flips, context: context)
    var confirmation = AuditResult.Confirmation(
      successBefore: found.successBefore, successAfter: found.successAfter, accuracyBefore: found.accuracyBefore,
      accuracyAfter: found.accuracyAfter)
    if let clean {
      let again = try AuditMeasurement(
        found.purified, AuditImages(data.images, model: found.purified, most: settings.images, context: context),
        settings, quick: quick, classes: measured.statistics.labels, stage: Self.cleaned, title: Self.cleaned,
        context: context)
      let judgement = try judged(
        found.purified, again, images, bank, names: result.classNames, settings, data, result.modelDigest, context)
      (confirmation.pValue, confirmation.verdict) = (judgement.pValue, judgement.verdict)
      confirmation.label = judgement.label
      confirmation.file = clean
    }
    result.confirmation = confirmation
    return found.purified
  }
}
