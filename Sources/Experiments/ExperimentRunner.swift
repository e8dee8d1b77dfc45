import Attacks
import Backdoor
import Defenses
import Evaluation
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

/// Runs one cell: poison, train, measure, defend, measure again. Everything is kept in a run directory; a run that was interrupted or killed
/// goes on where its last epoch ended, and ends with the same bits.
public final class ExperimentRunner {
  public static let victimName = "backdoored.safetensors"
  static let retrainStage = "retrain"

  public let configuration: ExperimentConfiguration
  public let directory: RunDirectory
  private let context: TrainingContext
  private let checkpoints: RunCheckpoints
  private let progress: any ProgressReporter
  private var record: RunRecord
  /// What the folder held already.
  private let earlier: RunRecord?

  /// - Parameters:
  ///   - folder: the run directory; made where missing. nil chooses `runs/<attack>-<defense>-<data set>-<id>`.
  ///   - command: the command line that repeats the run, for the record.
  /// - Throws: `RunStoreError` if the folder cannot be used, `TorchError` for a device that is missing.
  public init(
    _ configuration: ExperimentConfiguration, folder: String? = nil, progress: any ProgressReporter, command: String? = nil
  ) throws {
    self.configuration = configuration
    self.progress = progress
    let id = try configuration.runID()
    let title = Self.title(configuration)
    if let threads = configuration.general.threads { Runtime.threadCount = threads }
    context = TrainingContext(
      device: try Device(named: configuration.general.device), precision: configuration.general.precision,
      seed: Seed(UInt64(configuration.general.seed)), progress: progress)
    let path = folder ?? "runs/\(Self.slug(configuration))-\(id)"
    directory = try RunDirectory.create(at: path, id: id)
    checkpoints = RunCheckpoints(directory)
    context.checkpoints = checkpoints
    earlier = try directory.readRecord()
    record = RunRecord(
      id: id, title: title, created: earlier?.created ?? Date(), command: command, configuration: try configuration.resolved(),
      environment: Machine.environment(context))
  }

  private static func slug(_ c: ExperimentConfiguration) -> String {
    [c.attack?.name ?? "clean", c.defense?.name ?? "none", c.dataset.name].joined(separator: "-")
  }
  private static func title(_ c: ExperimentConfiguration) -> String {
    let data = DatasetKind.all.first { $0.id == c.dataset.name }?.title ?? c.dataset.name
    return "\(c.attack?.name ?? "no attack") against \(c.defense?.name ?? "no defense") on \(data)"
  }

  /// Runs to the end, or goes on with what an earlier process left; a run that is finished already stays as it is.
  /// - Returns: the finished record, as it stands in `record.json`.
  /// - Throws: what the parts throw; the record then says that the run was interrupted or failed, and why.
  public func run() throws -> RunRecord {
    if let earlier, earlier.status == .finished {
      progress.message("finished before, so nothing is computed; remove \(directory.path) to run it again")
      checkpoints.removeAll()  // A process that was killed at its very end may have left them.
      return earlier
    }
    // The callbacks hold the context that holds them, and the directory with its lock.
    defer { (context.onStart, context.onEpoch) = (nil, nil) }
    try directory.write(record)
    do {
      try work()
      record.status = .finished
      record.finished = Date()
      record.flags = RunFlags.raised(by: record, metrics: try directory.metrics.read())
      try directory.write(record)
    } catch {
      record.status = error is Interrupted ? .interrupted : .failed
      record.failure = error is Interrupted ? nil : "\(error)"
      try? directory.write(record)
      throw error
    }
    checkpoints.removeAll()
    return record
  }

  private func work() throws {
    let c = configuration
    let data = try Cell.loadData(c, on: context.device, progress: progress)
    let test = data.test
    record.dataset = RunRecord.Dataset(
      name: c.dataset.name, trainCount: data.train.count, testCount: test.count, classNames: test.classNames, channels: test.channels,
      height: test.height, width: test.width)

    observe(nil, nil, poison: [])
    try adoptAttack()
    let cell = try Cell(c, data: data, context: context, attackFile: directory.file(LearnedAttack.fileName))
    record.poison = cell.poisonSummary
    if let victim = cell.victim, let attack = c.attack {
      try PoisonManifest(victim, attack: attack, configuration: c).write(to: directory.file(PoisonManifest.fileName))
    }
    record.defense = c.defense.map { choice in
      RunRecord.Defense(name: choice.name, summary: DefenseKind.all.first { $0.id == choice.name }?.summary)
    }
    try directory.write(record)

    let evaluator = BackdoorEvaluator(test: test, implants: cell.victim?.implants ?? [], seed: context.seed)
    let victim = try trainVictim(cell, evaluator)
    let before = evaluator.predictions(victim, context: context)
    record.measurements = [measurement(RunRecord.Measurement.before, evaluator.measure(before), nil)]
    try directory.write(record)

    guard let defense = try c.makeDefense() else {
      try SampleGallery(evaluator, count: c.evaluation.samples, directory: directory).fill(&record, models: [("before", victim)], context)
      return
    }
    let risks = riskEvaluator(evaluator, victim, defense)
    observe(evaluator, risks, poison: Set(cell.victim?.train.indices ?? []))
    let input = try DefenseInput(
      for: type(of: defense), training: context, seed: context.seed.stream("defense"), architecture: cell.makeModel,
      poisonedTrain: cell.trainSet, model: victim, cleanSplit: cell.cleanSplit, unlabeled: cell.unlabeled)
    let outcome = try defense.run(input)
    let samples = SampleFindings(outcome, data: cell.trainSet, poisoned: cell.victim?.train.indices ?? [])
    if !samples.isEmpty {
      record.findings = try samples.record(pictures: c.evaluation.samples, in: directory)
      try AtomicFile.write(Data(samples.table().utf8), to: directory.file(SampleFindings.tableName))
    }
    try directory.write(record)
    let model = try outcome.model ?? retrain(cell, outcome)
    try noteStages()
    try model.save(directory.modelPath)
    let after = evaluator.measure(model, context: context)
    record.measurements.append(measurement(RunRecord.Measurement.after, after, risks?.measure(model, context: context)))
    if let risks {
      let found = risks.measure(victim, context: context)
      record.measurements[0] = measurement(RunRecord.Measurement.before, evaluator.measure(before), found)
    }
    if type(of: defense).stage == .training { record.lastEpochs = RunRecord.EpochMeans(try directory.metrics.read()) }
    if let first = record.before, let last = record.after {
      record.defenseEffectiveness = DefenseEffectiveness.rating(before: first, after: last)
    }
    let gallery = SampleGallery(evaluator, count: c.evaluation.samples, directory: directory)
    let models = [(label: RunRecord.Measurement.before, model: victim), (label: RunRecord.Measurement.after, model: model)]
    try gallery.fill(&record, models: models, context)
    for exhibit in outcome.exhibits {
      try gallery.add(exhibit, to: &record, models: models, context)
    }
  }

  /// A sample filter's model: trained in the standard way on what the filter kept.
  private func retrain(_ cell: Cell, _ outcome: DefenseOutcome) throws -> Classifier {
    guard let kept = outcome.filtered?.kept else {
      throw DefenseError.invalid("defense \(configuration.defense?.name ?? "") gave neither a model nor a decision about samples.")
    }
    return try cell.train(on: cell.trainSet.subset(kept), stage: Self.retrainStage, context: context)
  }

  /// The model that the attacker's data make; taken from the run directory if an earlier process finished it.
  private func trainVictim(_ cell: Cell, _ evaluator: BackdoorEvaluator) throws -> Classifier {
    let path = directory.file(Self.victimName)
    if FileManager.default.fileExists(atPath: path) {
      try noteStages()
      progress.message("train: finished before, taken from \(path)")
      let model = try Classifier.open(path)
      model.to(context.device).to(.channelsLast).eval()
      return model
    }
    if let model = try adoptVictim() {
      return model
    }
    observe(evaluator, nil, poison: [])
    let model = try cell.trainVictim(context: context)
    try model.save(path)
    try noteStages()
    return model
  }

  /// The victim of a run beside this one, if it was made in the same way: the runs of a grid share their victims.
  private func adoptVictim() throws -> Classifier? {
    guard let (model, path, sibling) = try fromSibling(Self.victimName, { try Classifier.open($0) }) else { return nil }
    progress.message("train: the same victim was trained for \(path); taken from there")
    try copyMetrics(of: sibling) { $0 == Cell.stage }
    model.to(context.device).to(.channelsLast).eval()
    try model.save(directory.file(Self.victimName))
    try noteStages()
    return model
  }

  /// What the attack of such a run learned.
  private func adoptAttack() throws {
    guard !RunFiles.exists(directory.file(LearnedAttack.fileName)),
      let (learned, path, sibling) = try fromSibling(LearnedAttack.fileName, LearnedAttack.read)
    else { return }
    progress.message("attack: the same was learned for \(path); taken from there")
    try copyMetrics(of: sibling) { $0.hasPrefix("attack-") }
    try LearnedAttack.write(learned, to: directory.file(LearnedAttack.fileName))
  }

  private func copyMetrics(of sibling: RunDirectory, _ isWanted: (_ stage: String) -> Bool) throws {
    let entries = try sibling.metrics.read().filter { isWanted($0.stage) }
    for stage in Set(entries.map(\.stage)) { try directory.metrics.drop(after: 0, of: stage) }
    for entry in entries { try directory.metrics.append(entry) }
  }

  /// What a file of a run beside this one holds whose victim is made in the same way; runs in which it is missing or cannot be read are
  /// passed over.
  private func fromSibling<T>(
    _ file: String, _ read: (_ path: String) throws -> T
  ) throws -> (value: T, path: String, directory: RunDirectory)? {
    let folder = (directory.path as NSString).deletingLastPathComponent
    let own = (directory.path as NSString).lastPathComponent
    let wanted = try configuration.victimID()
    let siblings = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
    for name in siblings.sorted() where name != own {
      let path = folder.isEmpty ? name : "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: "\(path)/\(file)"), let sibling = try? RunDirectory.open(path),
        let record = try? sibling.readRecord(), let theirs = try? ExperimentConfiguration(record.configuration),
        (try? theirs.victimID()) == wanted, let value = try? read("\(path)/\(file)")
      else { continue }
      return (value, path, sibling)
    }
    return nil
  }

  /// Measures on test data after epochs, where there is an evaluator, and writes `metrics.jsonl`.
  private func observe(_ evaluator: BackdoorEvaluator?, _ risks: RiskEvaluator?, poison: Set<Int>) {
    let every = configuration.evaluation.every
    context.onStart = { [directory] stage, finished in try directory.metrics.drop(after: finished, of: stage) }
    context.onEpoch = { [context, directory, progress] report in
      var values = Dictionary(report.values.map { ($0.key == "loss" ? MetricName.trainLoss : $0.key, $0.value) }, uniquingKeysWith: { $1 })
      if let selected = report.selected, !selected.isEmpty, !poison.isEmpty {
        values[MetricName.poisonShareLearned] = Double(selected.count(where: poison.contains)) / Double(selected.count)
      }
      let isDue = every > 0 && (report.epoch % every == 0 || report.epoch == report.epochs)
      if let evaluator, report.isMeasured, isDue, let model = report.model as? Classifier {
        let metrics = evaluator.measure(model, context: context)
        values[MetricName.accuracy] = metrics.accuracy
        values[MetricName.attackSuccessRate] = metrics.attackSuccessRate
        values[MetricName.robustAccuracy] = metrics.robustAccuracy
        values[MetricName.targetedMisclassification] = metrics.targetedMisclassification
        var line = "\(report.stage) \(report.epoch)/\(report.epochs): accuracy \(formatPercent(metrics.accuracy))"
        if let rate = metrics.attackSuccessRate { line += ", attack success \(formatPercent(rate))" }
        if let risks {
          let found = risks.measure(model, context: context)
          values[MetricName.backdoorRisk] = found.backdoor
          values[MetricName.adversarialRisk] = found.adversarial
          values[MetricName.sharedAdversarialRisk] = found.shared
          if let shared = found.shared { line += ", shared risk \(formatPercent(shared))" }
        }
        progress.message(line)
      }
      try directory.metrics.append(MetricsEntry(stage: report.stage, epoch: report.epoch, values: values))
    }
  }

  private func riskEvaluator(_ evaluator: BackdoorEvaluator, _ victim: Classifier, _ defense: any Defense) -> RiskEvaluator? {
    let count = min(configuration.evaluation.riskSamples, evaluator.test.count)
    guard count > 0, type(of: defense).stage == .model else { return nil }
    return RiskEvaluator(
      images: evaluator.test.prefix(count), triggered: evaluator.hasTrigger ? evaluator.triggered().prefix(count) : nil,
      targets: (0..<count).map { evaluator.hasTrigger ? evaluator.target($0) : nil }, reference: victim, adversary: SharedAdversary(),
      context: context)
  }

  private func measurement(_ label: String, _ metrics: BackdoorMetrics, _ risks: Risks?) -> RunRecord.Measurement {
    RunRecord.Measurement(
      label: label, accuracy: metrics.accuracy, cleanCount: metrics.testCount, attackSuccessRate: metrics.attackSuccessRate,
      robustAccuracy: metrics.robustAccuracy, poisonAccuracy: metrics.poisonAccuracy,
      targetedMisclassification: metrics.targetedMisclassification,
      triggeredCount: metrics.attackSuccessRate == nil ? nil : metrics.triggeredCount,
      backdoorRisk: risks?.backdoor, adversarialRisk: risks?.adversarial, sharedAdversarialRisk: risks?.shared,
      riskCount: risks == nil ? nil : min(configuration.evaluation.riskSamples, metrics.testCount))
  }

  /// Times of the stages, from the epochs' own notes: they add up over interruptions.
  private func noteStages() throws {
    var stages: [RunRecord.Stage] = []
    for entry in try directory.metrics.read() {
      let seconds = entry.values[MetricName.seconds] ?? 0
      let images = (entry.values[MetricName.imagesPerSecond] ?? 0) * seconds
      if let index = stages.firstIndex(where: { $0.name == entry.stage }) {
        let before = (stages[index].imagesPerSecond ?? 0) * stages[index].seconds
        stages[index].seconds += seconds
        stages[index].epochs = max(stages[index].epochs, entry.epoch)
        stages[index].imagesPerSecond = (before + images) / max(stages[index].seconds, 1e-9)
      } else {
        stages.append(
          RunRecord.Stage(name: entry.stage, seconds: seconds, epochs: entry.epoch, imagesPerSecond: images / max(seconds, 1e-9)))
      }
    }
    if let last = stages.indices.last { stages[last].peakMemoryBytes = Machine.peakMemory }
    record.stages = stages
    try directory.write(record)
  }
}
