import Files
import Backdoor
import Defenses
import Evaluation
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

/// Runs one cell: poison, train, measure, defend, measure again. Everything is kept in a run directory; a run that was
/// interrupted or killed goes on where its last epoch ended, and ends with the same bits.
public final class ExperimentRunner {
  public static let backdooredModelName = "backdoored.safetensors"
  public static let featuresName = "features.safetensors"
  static let retrainStage = "retrain"

  public let configuration: ExperimentConfiguration
  public let directory: RunDirectory
  private let plan: ComputePlan
  private let context: TrainingContext
  private let checkpoints: FolderCheckpoints
  private let claims: (any StageClaims)?
  private let status: StatusFile
  private var record: RunRecord
  /// What the folder held already.
  private let earlier: RunRecord?
  private let start = ContinuousClock.now

  /// - Parameters:
  ///   - folder: the run directory; made where missing. nil chooses `runs/<attack>-<defense>-<data set>-<id>`.
  ///   - command: the command line that repeats the run, for the record.
  ///   - compute: what `auto` stands for where the run is new: the runs of a grid take over models from each other, and
  ///     models of other threads or precision have other bits.
  ///   - claims: where runs beside this one may compute what it needs at the same time; nil where none does.
  /// - Throws: `RunStoreError` if the folder cannot be used, `TorchError` for a device that is missing.
  public init(
    _ configuration: ExperimentConfiguration, folder: String? = nil, progress: any ProgressReporter,
    command: String? = nil, compute: ComputePlan.Earlier? = nil, claims: (any StageClaims)? = nil
  ) throws {
    self.configuration = configuration
    self.claims = claims
    let id = try configuration.runID()
    _ = try Device(named: configuration.general.device)  // Before there is a folder.
    directory = try RunDirectory.create(at: folder ?? "runs/\(configuration.runFolderName())", id: id)
    checkpoints = FolderCheckpoints(directory.path)
    earlier = try directory.readRecord()
    let before = earlier.map { ComputePlan.Earlier($0.environment) } ?? compute
    plan = try ComputePlan(configuration.general, goingOnFrom: before)
    status = StatusFile(in: directory.path)
    context = plan.context(seed: configuration.seed, progress: SharedProgress([progress, status]))
    context.checkpoints = checkpoints
    record = RunRecord(
      id: id, title: Self.title(configuration), created: earlier?.created ?? Date(), command: command,
      configuration: try configuration.resolved(), environment: Machine.environment(plan))
    record.artifacts = earlier?.artifacts ?? [:]
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
      context.progress.message("finished before, so nothing is computed; remove \(directory.path) to run it again")
      // A process that was killed at its very end may have left them.
      checkpoints.removeAll()
      status.remove()
      return earlier
    }
    context.progress.message(plan.description)
    defer { status.remove() }
    try store()
    do {
      try work()
      record.status = .finished
      record.finished = Date()
      record.flags = RunFlags.raised(by: record, metrics: try directory.metrics.read())
      try store()
    } catch {
      record.status = error is Interrupted ? .interrupted : .failed
      record.failure = error is Interrupted ? nil : "\(error)"
      try? store()
      throw error
    }
    checkpoints.removeAll()
    return record
  }

  private func work() throws {
    let data = try Cell.loadData(configuration, on: context.device, progress: context.progress)
    record.dataset = RunRecord.Dataset(configuration.dataset.name, train: data.train, test: data.test)
    let defense = try configuration.makeDefense()
    context.progress.plan(try plannedWork(defense, data.train))
    let cell = try poison(data)
    record.defense = defense.map { RunRecord.Defense(name: type(of: $0).id, summary: type(of: $0).summary) }
    try store()

    let evaluator = BackdoorEvaluator(test: data.test, tasks: cell.attackOutcome?.tasks ?? [], seed: context.seed)
    record.poison?.visibility = evaluator.visibilities
    let measurer = ModelMeasurer(evaluator)
    let backdoored = try trainBackdooredModel(cell, measurer)
    try noteStages()
    let risks = defense.flatMap { riskEvaluator($0, evaluator, backdoored) }
    if let defense, risks != nil {
      let own = defense is any PerturbationSearching ? "as in the defense" : "as published for SAU"
      record.riskSearch = "\(Self.search(of: defense).searchText), \(own)"
    }
    let before = try RunRecord.Measurement(
      RunRecord.Measurement.before, measurer.measure(backdoored, context).metrics,
      risks?.measure(backdoored, context: context))
    record.measurements = [before]
    try store()

    let gallery = SampleGallery(evaluator, count: configuration.evaluation.samples, directory: directory)
    if let poisoned = cell.attackOutcome?.train {
      // Positions are among the images that the attacker has.
      let clean = Cell.attackersImages(configuration, train: data.train, seed: context.seed)
      try gallery.fill(&record, changed: poisoned, from: clean)
    }
    var models = [(label: before.label, model: backdoored)]
    guard let defense else { return try gallery.fill(&record, models: models, context) }
    let (model, exhibits) = try defend(cell, backdoored, defense, ModelMeasurer(evaluator, risks: risks))
    if let model { models.append((RunRecord.Measurement.after, model)) }
    try gallery.fill(&record, models: models, context)
    for exhibit in exhibits { try gallery.add(exhibit, to: &record, models: models, context) }
  }

  /// The stages that are left, as far as they are known.
  private func plannedWork(_ defense: (any Defense)?, _ train: ImageDataset) throws -> [PlannedWork] {
    let c = configuration
    let count = Cell.attackersPositions(c, train: train, seed: context.seed)?.count ?? train.count
    var works: [PlannedWork] = []
    if !FileSystem.exists(directory.file(LearnedAttack.fileName)) { works += try c.attackWork(on: count) }
    let isTrained = try record.artifacts[Self.backdooredModelName] != nil || c.makeAttack() is any TrainingAttack
    if !isTrained { works.append(c.training(Cell.stage, on: count)) }
    guard let defense else { return works }
    let size = DefenseSize(
      train: count, clean: c.clean.positions(in: train, seed: context.seed).count,
      unlabeled: c.clean.unlabeledPositions(in: train, seed: context.seed).count, classes: train.classes)
    works += defense.plannedWork(size)
    if type(of: defense).stage == .data, c.evaluation.retrain { works.append(c.training(Self.retrainStage, on: count)) }
    return works
  }

  /// The data as the attacker and the defender have them.
  private func poison(_ data: (train: ImageDataset, test: ImageDataset)) throws -> Cell {
    observe(nil)
    let learned = LearnedAttack.fileName
    if try !holds(learned), let artifact = try siblings.takeAttack() { try note(artifact, learned) }
    let cell = try Cell(configuration, data: data, context: context, attackFile: directory.file(learned))
    if record.artifacts[learned] == nil, FileSystem.exists(directory.file(learned)) { try note(nil, learned) }
    record.poison = cell.poisonSummary
    try cell.manifest()?.write(to: directory.file(PoisonManifest.fileName))
    return cell
  }

  /// The model that the attacker's data make; taken from the run directory if an earlier process finished it, or from a
  /// sibling.
  private func trainBackdooredModel(_ cell: Cell, _ measurer: ModelMeasurer) throws -> Classifier {
    let path = directory.file(Self.backdooredModelName)
    if try holds(Self.backdooredModelName) {
      context.progress.message("train: finished before, taken from \(path)")
      return try Classifier.open(path).prepared(for: context)
    }
    if cell.attackOutcome?.model == nil, let (model, artifact) = try siblings.takeBackdooredModel(for: cell.trainSet) {
      try note(artifact, Self.backdooredModelName)
      return model.prepared(for: context)
    }
    observe(measurer)
    let model = try cell.trainBackdooredModel(context: context)
    try model.save(path)
    try note(nil, Self.backdooredModelName)
    return model
  }

  /// The features that the defense begins with: as an earlier process kept them, as a sibling has them, or learned now.
  private func learnFeatures(_ stage: String, _ id: String, in model: Classifier, learn: () throws -> Void) throws {
    let path = directory.file(Self.featuresName)
    if try holds(Self.featuresName) {
      context.progress.message("\(stage): finished before, taken from \(path)")
      return try model.load(Classifier.open(path).stateDict(), source: path)
    }
    func take() throws -> Bool {
      guard let artifact = try siblings.takeFeatures(stage, into: model) else { return false }
      try note(artifact, Self.featuresName)
      return true
    }
    if try take() { return }
    let release = try claims?.take(id, progress: context.progress)
    defer { release?() }
    // Whoever had the claim before may have learned them.
    if release != nil, try take() { return }
    try learn()
    try model.save(path)
    try note(nil, Self.featuresName)
  }

  /// Whether a file of this run is there, as its record says that it was made. One that the record does not know was
  /// written by a process that was killed before it could say so; it is made again, from the last checkpoint.
  /// - Throws: `RunStoreError` for a file of other bytes.
  private func holds(_ name: String) throws -> Bool {
    let path = directory.file(name)
    guard FileSystem.exists(path) else {
      record.artifacts[name] = nil
      return false
    }
    guard let artifact = record.artifacts[name] else {
      try FileSystem.remove(path)
      return false
    }
    guard try Digest.sha256Hex(file: path) == artifact.sha256 else { throw RunStoreError.replaced(path: path) }
    return true
  }

  /// Puts into the record what a file is.
  /// - Parameter artifact: of a file that was taken over; nil of one that was made just now.
  private func note(_ artifact: RunRecord.Artifact?, _ name: String) throws {
    record.artifacts[name] = try artifact ?? .init(of: directory.file(name), record.environment)
    try store()
  }

  /// Lets the defense act on the backdoored model or on its data, and measures the model that comes out.
  /// - Returns: no model where a filter's judgement is all that was asked for.
  private func defend(
    _ cell: Cell, _ backdoored: Classifier, _ defense: any Defense, _ measurer: ModelMeasurer
  ) throws -> (model: Classifier?, exhibits: [Exhibit]) {
    let poisoned = cell.attackOutcome?.train.indices ?? []
    observe(measurer, poisoned: Set(poisoned))
    if let id = try configuration.featuresID() {
      context.sharing = { [unowned self] stage, model, learn in
        guard let model = model as? Classifier else { return try learn() }
        try learnFeatures(stage, id, in: model, learn: learn)
      }
    }
    defer { context.sharing = nil }
    let input = try DefenseInput(
      for: type(of: defense), training: context, seed: context.seed.stream("defense"),
      architecture: { try self.configuration.makeModel(for: cell.trainSet, $0) }, poisonedTrain: cell.trainSet,
      model: backdoored,
      cleanSplit: cell.cleanSplit, unlabeled: cell.unlabeled, truth: Set(poisoned))
    let outcome = try defense.run(input)
    let samples = SampleFindings(
      outcome, data: cell.trainSet, poisoned: poisoned, covers: cell.attackOutcome?.train.covers ?? [])
    // The maps come last: a model that took hours is saved before anything else that takes its time.
    if !samples.isEmpty {
      record.findings = try samples.record(pictures: configuration.evaluation.samples, in: directory)
      try AtomicFile.write(Data(samples.table(in: directory.path).utf8), to: directory.file(SampleFindings.tableName))
    }
    if let warning = samples.warning { context.progress.message(warning) }
    if let verdict = outcome.verdict {
      record.verdict = RunRecord.ModelVerdict(verdict)
      try SampleGallery.write(verdict.trigger, to: &record, in: directory)
    }
    try store()

    let model = try outcome.model ?? retrain(cell, outcome)
    try noteStages()
    if let model {
      try model.save(directory.modelPath)
      let (metrics, risks) = try measurer.measure(model, context)
      let after = RunRecord.Measurement(RunRecord.Measurement.after, metrics, risks)
      record.measurements.append(after)
      if type(of: defense).stage == .training { record.lastEpochs = RunRecord.EpochMeans(try directory.metrics.read()) }
      record.defenseEffectiveness = record.before.flatMap { DefenseEffectiveness.rating(before: $0, after: after) }
      try store()
    }
    record.findings?.maps = samples.maps(configuration.evaluation, seed: context.seed, progress: context.progress)
    return (model, outcome.exhibits)
  }

  /// A sample filter's model: trained in the standard way on what the filter kept; nil where none is asked for.
  private func retrain(_ cell: Cell, _ outcome: DefenseOutcome) throws -> Classifier? {
    guard let kept = outcome.filtered?.kept else {
      throw DefenseError.invalid(
        "defense \(configuration.defense?.name ?? "") gave neither a model nor a decision about samples.")
    }
    guard configuration.evaluation.retrain else { return nil }
    return try configuration.train(on: cell.trainSet.subset(kept), stage: Self.retrainStage, context: context)
  }

  private func riskEvaluator(_ defense: any Defense, _ evaluator: BackdoorEvaluator, _ backdoored: Classifier)
    -> RiskEvaluator?
  {
    let count = min(configuration.evaluation.riskSamples, evaluator.test.count)
    guard count > 0, type(of: defense).stage == .model else { return nil }
    let tasks = 0..<evaluator.taskCount
    // The first images may be of one class.
    let positions = evaluator.test.stratifiedSample(count: count, seed: context.seed, stream: "risks/samples")
    return RiskEvaluator(
      images: evaluator.test.subset(positions),
      triggered: tasks.map { evaluator.triggered($0).subset(positions) },
      targets: tasks.map { task in positions.map { evaluator.target($0, task: task) } }, reference: backdoored,
      adversary: Self.search(of: defense), context: context)
  }

  /// The defense's own search of perturbations, or SAU's published one for a defense that searches none.
  private static func search(of defense: any Defense) -> SharedAdversarialUnlearning.Configuration {
    (defense as? any PerturbationSearching)?.search ?? .init()
  }

  private var siblings: SiblingRuns {
    SiblingRuns(
      directory: directory, configuration: configuration, environment: record.environment, progress: context.progress)
  }

  private func observe(_ measurer: ModelMeasurer?, poisoned: Set<Int> = []) {
    let every = configuration.evaluation.every
    EpochObserver(every: every, measurer: measurer, poisoned: poisoned, log: directory.metrics).observe(context)
  }

  /// Puts the stages so far into the record.
  private func noteStages() throws {
    let known = Dictionary((record.stages + (earlier?.stages ?? [])).map { ($0.name, $0.peakMemoryBytes) }) { new, _ in
      new
    }
    record.stages = RunRecord.Stage.all(in: try directory.metrics.read())
    for place in record.stages.indices {
      record.stages[place].peakMemoryBytes = known[record.stages[place].name] ?? nil
    }
    if let last = record.stages.indices.last, record.stages[last].peakMemoryBytes == nil {
      record.stages[last].peakMemoryBytes = Machine.peakMemory
    }
    try store()
  }

  /// Writes the record as it stands.
  private func store() throws {
    record.seconds = (earlier?.seconds ?? 0) + (ContinuousClock.now - start) / .seconds(1)
    try directory.write(record)
  }
}
