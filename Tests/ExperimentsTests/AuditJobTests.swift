import Audit
import Files
import Foundation
import Support
import Synchronization
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Experiments

/// The whole of an audit on models of a few hundred weights.
@Suite struct AuditJobTests {
  private static let quickly: AuditSettings = {
    var settings = AuditSettings()
    (settings.images, settings.starts, settings.marginSteps) = (24, 2, 2)
    (settings.patchSteps, settings.perturbationSteps, settings.batch) = (2, 2, 8)
    return settings
  }()

  /// A folder with four models in `clean` and another one, all with random weights.
  private func withModels(_ body: (_ folder: String, ExperimentConfiguration) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let tree: JSONValue = [
        "dataset": ["name": "generated", "size": 28, "train": 40, "test": 30], "threads": 1, "precision": "float32",
        "model": ["name": "cnn", "width": 2], "recipe": ["name": "fast", "epochs": 1, "batch": 20],
      ]
      let configuration = try ExperimentConfiguration(tree)
      let data = try ImageDataset.load(configuration.dataset, .test)
      try FileSystem.createFolder("\(folder)/clean")
      for seed in 0..<5 {
        let model = try configuration.model.spec(for: data).make(Generator(seed: UInt64(seed)))
        model.classNames = data.classNames
        // Weights that nobody trained answer with one class; without their mean answer they differ.
        let context = TrainingContext(precision: .float32, seed: 0)
        let bias = try #require(model.stateDict().entries.last { $0.key.hasSuffix("bias") }).tensor
        noGrad { bias.copy_(bias - model.eval().logits(of: data, context: context).mean([0])) }
        try model.save("\(folder)/" + (seed == 4 ? "suspect" : "clean/\(seed)") + ".safetensors")
      }
      try body(folder, configuration)
    }
  }

  private func job(_ folder: String, _ configuration: ExperimentConfiguration) -> AuditJob {
    var job = AuditJob(configuration, model: ModelFile("\(folder)/suspect.safetensors"))
    job.settings = Self.quickly
    return job
  }

  @Test func aFolderOfCleanModelsIsABank() throws {
    try withModels { folder, configuration in
      var job = job(folder, configuration)
      (job.reference, job.output) = ("\(folder)/clean", "\(folder)/audit")
      job.clean = "\(folder)/cleaned.safetensors"
      let sums = StageSums()
      let result = try job.run(progress: sums)
      check(sums, ["measure", "reference", "reference", "reference", "reference", "fst", "cleaned"])
      let bank = try #require(result.bank)
      #expect(bank.models == 4 && result.smallestPValue == 0.2 && result.pValue >= 0.2)
      #expect(result.verdict == .noEvidence && result.searchImages == 12 && result.heldOutImages == 12)
      #expect(bank.score.standardized.keys.sorted() == ["margin", "patch", "perturbation"])
      #expect(result.label == bank.score.label && result.score == bank.score.score)
      #expect(bank.score.cleanSums.count == 4 && bank.score.labels == Array(0..<10))
      // What was written is what was returned, and enough to do it again.
      let read = try AuditResult(folder: "\(folder)/audit")
      #expect(read.bank?.score == bank.score && read.statistics == result.statistics)
      let names = try FileSystem.list("\(folder)/audit")
      #expect(names.contains("bank.json") && names.contains(AuditResult.patchPicture))
      #expect(names.contains(AuditResult.perturbationPicture))
      #expect(result.pictures.allSatisfy { names.contains($0.file) && names.contains($0.patched) })
      #expect(!FileSystem.exists("\(folder)/audit.work"))
      let confirmation = try #require(result.confirmation)
      #expect(confirmation.file == job.clean && confirmation.pValue != nil)
      #expect(try Classifier.open("\(folder)/cleaned.safetensors").classes == 10)

      // The bank's file gives the same answer, with its settings.
      var again = AuditJob(configuration, model: job.model)
      again.reference = "\(folder)/audit/bank.json"
      let second = try again.run(progress: SilentProgress())
      #expect(second.bank?.score == bank.score && second.settings == Self.quickly)
      #expect(second.confirmation == nil)
      again.settings.starts = 3
      #expect(throws: JobError.self) { try again.run(progress: SilentProgress()) }
      again.settings = AuditSettings()
      again.quick = true
      let quick = try again.run(progress: SilentProgress())
      #expect(quick.bank?.score.standardized.keys.sorted() == ["margin", "patch"])
      #expect(quick.statistics.perturbation == nil && quick.notTested.count == 1)
    }
  }

  /// Audits of clean models serve as their files do, and a model that is one of the clean ones is left out of them.
  @Test func auditsOfCleanModelsAreABank() throws {
    try withModels { folder, configuration in
      for seed in 0..<4 {
        var job = AuditJob(configuration, model: ModelFile("\(folder)/clean/\(seed).safetensors"))
        (job.settings, job.output) = (Self.quickly, "\(folder)/audits/\(seed)")
        _ = try job.run(progress: SilentProgress())
      }
      var job = job(folder, configuration)
      job.reference = "\(folder)/clean"
      let files = try job.run(progress: SilentProgress())
      (job.reference, job.time) = ("\(folder)/audits", 3600)
      let audits = try job.run(progress: SilentProgress())
      #expect(audits.bank?.models == 4 && audits.bank?.score == files.bank?.score)

      job.time = nil
      job.model = ModelFile("\(folder)/clean/0.safetensors")
      let one = try job.run(progress: SilentProgress())
      job.reference = "\(folder)/clean"
      let other = try job.run(progress: SilentProgress())
      #expect(one.bank?.models == 3 && one.bank?.score == other.bank?.score && one.smallestPValue == 0.25)
    }
  }

  /// Adds up what stages say.
  private final class StageSums: ProgressReporter {
    private let state = Mutex<(planned: [PlannedWork], begun: [PlannedWork], advanced: [Double], open: [Int])>(
      ([], [], [], []))
    var planned: [PlannedWork] { state.withLock { $0.planned } }
    /// Each stage that began, with the images by which it went on and what was done before.
    var stages: [(work: PlannedWork, images: Double)] { state.withLock { Array(zip($0.begun, $0.advanced)) } }

    func begin(_ title: String, total: Int, unit: String) {}
    func update(done: Int, note: @autoclosure () -> String) {}
    func end(summary: String) {}
    func message(_ text: String) {}
    func plan(_ works: [PlannedWork]) { state.withLock { $0.planned = works } }
    func beginStage(_ name: String, images: Double, done: Double) {
      state.withLock {
        $0.open.append($0.begun.count)
        $0.begun.append(PlannedWork(name, images: images))
        $0.advanced.append(done)
      }
    }
    func advanceStage(images: Double) {
      state.withLock { state in if let last = state.open.last { state.advanced[last] += images } }
    }
    func endStage() { state.withLock { _ = $0.open.popLast() } }
  }

  /// The time left over all stages rests on their sizes: what is planned is what is done.
  private func check(_ sums: StageSums, _ names: [String]) {
    #expect(sums.planned.map(\.stage) == names && sums.stages.map(\.work.stage) == names)
    for (planned, (work, images)) in zip(sums.planned, sums.stages) where !planned.stage.hasPrefix("train") {
      #expect(abs(work.images - planned.images) < 1e-6 && planned.images > 0, "\(planned)")
      #expect(abs(images - planned.images) < 1e-6 * planned.images, "\(planned) \(images)")
    }
  }

  /// An interrupted audit goes on and says the same; measured clean models are not measured again.
  @Test func anAuditGoesOn() throws {
    try withModels { folder, configuration in
      var job = job(folder, configuration)
      (job.reference, job.output) = ("\(folder)/clean", "\(folder)/audit")
      let progress = RecordingProgress()
      // Eight steps a model: the second clean one is interrupted.
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 20) { _ = try job.run(progress: progress) }
      }
      #expect(!FileSystem.exists("\(folder)/audit") && FileSystem.exists("\(folder)/audit.work"))
      let sums = StageSums()
      let result = try job.run(progress: SharedProgress([progress, sums]))
      // The suspect is as before, one clean model is finished: it does not begin again.
      #expect(sums.planned.count == 4 && sums.stages.count == 4)
      for (work, images) in sums.stages { #expect(abs(images - work.images) < 1e-6 * work.images) }
      let begun = progress.events.count {
        if case .begin(let title, _, _) = $0 { title == "largest margins" } else { false }
      }
      job.output = nil
      let whole = try job.run(progress: SilentProgress())
      #expect(result.bank?.score == whole.bank?.score)
      // Five models, one of them twice.
      #expect(begun == 6)
    }
  }

  /// What cannot be, before anything is measured; a cleaned model comes last, into a folder that is made for it.
  @Test func outputsAndReferencesAreChecked() throws {
    try withModels { folder, configuration in
      var job = job(folder, configuration)
      (job.reference, job.output, job.quick) = ("\(folder)/clean", "\(folder)/clean/audit", true)
      func message() -> String {
        do {
          _ = try job.run(progress: SilentProgress())
          return "nothing was wrong"
        } catch { return "\(error)" }
      }
      #expect(message().contains("would be one of the clean models"))
      job.output = "\(folder)/clean/../clean/audit"
      #expect(message().contains("would be one of the clean models"))
      job.output = "\(folder)/audit"
      job.clean = "\(folder)/suspect.safetensors"
      #expect(message().contains("Choose another file with --clean"))
      job.clean = "\(folder)/new/cleaned.safetensors"
      // The copy is measured again; nothing of it is written before the end.
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 150) { _ = try job.run(progress: SilentProgress()) }
      }
      #expect(!FileSystem.exists("\(folder)/new"))
      // Another clean model of the same name is another job.
      let kept = try FileSystem.read("\(folder)/clean/3.safetensors", limit: 1 << 20)
      let other = try FileSystem.read("\(folder)/clean/2.safetensors", limit: 1 << 20)
      try AtomicFile.write(other, to: "\(folder)/clean/3.safetensors")
      #expect(message().contains("reference"))
      try AtomicFile.write(kept, to: "\(folder)/clean/3.safetensors")
      let result = try job.run(progress: SilentProgress())
      #expect(result.confirmation?.file == job.clean && FileSystem.exists("\(folder)/new/cleaned.safetensors"))
    }
  }

  /// Without clean models the success of the patch is compared, and the verdict is at most suspicious.
  @Test func withoutABankTheVerdictIsWeaker() throws {
    try withModels { folder, configuration in
      var job = job(folder, configuration)
      job.quick = true
      let result = try job.run(progress: SilentProgress())
      #expect(result.bank == nil && result.score == result.statistics.patchSuccess.max())
      // The known clean models were measured with more steps.
      #expect(result.pValue == 1 && result.smallestPValue == 1 && result.sentence.hasPrefix("Cannot be judged"))
      #expect(result.notTested.contains { $0.contains("audit.patchSteps") })
      #expect(result.notTested.contains { $0.contains("--reference") })
    }
  }

  /// Much time changes nothing; too little leaves classes out, which is said, and goes on as it began.
  @Test func timeIsShared() throws {
    try withModels { folder, configuration in
      var job = job(folder, configuration)
      (job.reference, job.output) = ("\(folder)/clean", "\(folder)/audit")
      job.time = 1
      #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
      job.time = nil
      let whole = try job.run(progress: SilentProgress())
      (job.reference, job.output, job.settings) = (
        "\(folder)/audit/bank.json", nil, AuditSettings()
      )
      job.time = 3600
      let much = try job.run(progress: SilentProgress())
      #expect(much.bank?.score == whole.bank?.score && much.statistics == whole.statistics)
      #expect(
        much.time?.leftOut == [] && much.time?.rounds.isEmpty == true && much.notTested.isEmpty)

      (job.time, job.output) = (1e-6, "\(folder)/short")
      let progress = RecordingProgress()
      // Five steps for ten classes, then the margins of one; within its patch.
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 9) { _ = try job.run(progress: progress) }
      }
      let short = try job.run(progress: progress)
      let time = try #require(short.time)
      #expect(
        time.rounds == [ClassHalving.Round(classes: 10, divisor: 8)] && time.leftOut.count == 9)
      let label = try #require(short.statistics.labels?.first)
      #expect(
        !time.leftOut.contains(label) && short.label == label && short.statistics.margin.count == 1)
      let full = try #require(whole.bank?.score)
      let part = try #require(short.bank?.score)
      expectClose(part.sums[0], full.sums[label], tolerance: 1e-3, floor: 1)
      #expect(
        part.score <= full.score + 1e-6
          && short.notTested.contains { $0.contains("9 of 10 classes") })
      #expect(progress.messages.count { $0.contains("of the steps") } == 1)
      #expect(progress.messages.contains { $0.contains("are over") })
      #expect(FileSystem.exists("\(folder)/short/\(AuditResult.patchPicture)"))
      #expect(try AuditResult(folder: "\(folder)/short").time?.leftOut == time.leftOut)
    }
  }

  /// Where the model gives all images the same answer, nothing can be sent to that class, and others are audited.
  @Test func aClassThatAllImagesHaveIsNotTested() throws {
    try withModels { folder, configuration in
      let model = try Classifier.open("\(folder)/suspect.safetensors")
      let bias = try #require(model.stateDict().entries.last { $0.key.hasSuffix("bias") }).tensor
      noGrad { bias[3].fill_(1000) }
      try model.save("\(folder)/constant.safetensors")
      var job = job(folder, configuration)
      (job.model, job.quick) = (ModelFile("\(folder)/constant.safetensors"), true)
      let result = try job.run(progress: SilentProgress())
      #expect(result.statistics.measured == [0, 1, 2, 4, 5, 6, 7, 8, 9] && result.label != 3)
      #expect(result.notTested.contains { $0.hasPrefix("\(result.classNames[3]): the model takes all") })
      // As one of the clean models it is refused.
      try model.save("\(folder)/clean/constant.safetensors")
      job = self.job(folder, configuration)
      (job.quick, job.reference) = (true, "\(folder)/clean")
      let error = #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
      #expect(error.map { "\($0)".contains("constant.safetensors") && "\($0)".contains(result.classNames[3]) } == true)
    }
  }

  @Test func imagesWithoutLabelsServe() throws {
    try withModels { folder, configuration in
      let data = try ImageDataset.load(configuration.dataset, .test)
      try FileSystem.createFolder("\(folder)/images")
      for number in 0..<22 {
        try AtomicFile.write(DecodedImage(data.images[number]).encodePNG(), to: "\(folder)/images/\(number).png")
      }
      var own = configuration
      (own.dataset, own.dataset.path) = (DatasetSettings(), "\(folder)/images")
      own.dataset.name = "folder"
      var job = job(folder, own)
      let result = try job.run(progress: SilentProgress())
      #expect(!result.hasLabels && result.accuracy == nil && result.heldOutImages == 11)
      #expect(result.classNames == data.classNames)
      job.clean = "\(folder)/cleaned.safetensors"
      #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
    }
  }

  /// Each image of a folder gets a p-value by clean images of the audit, and the table leads back to the files.
  @Test func imagesAreJudged() throws {
    try withModels { folder, configuration in
      let data = try ImageDataset.load(configuration.dataset, .test)
      try FileSystem.createFolder("\(folder)/mine")
      for number in 0..<6 {
        try AtomicFile.write(DecodedImage(data.images[number]).encodePNG(), to: "\(folder)/mine/\(number).png")
      }
      var job = job(folder, configuration)
      (job.quick, job.suspects, job.output) = (true, "\(folder)/mine", "\(folder)/audit")
      let result = try job.run(progress: SilentProgress())
      let images = try #require(result.images)
      // Of 24 clean images 12 choose the layers; with p of 1/13 at least, six images cannot stand out at 5%.
      #expect(images.count == 6 && images.cleanImages == 12 && images.flagged.isEmpty)
      let table = try CSVTable(contentsOf: "\(folder)/audit/\(AuditResult.imagesTable)")
      let column = try #require(table.column("p-value"))
      let pValues = table.rows.compactMap { Double($0.fields[column]) }
      #expect(pValues.count == 6 && pValues.allSatisfy { abs($0 * 13 - ($0 * 13).rounded()) < 1e-3 && $0 > 0.07 })
      let samples = try SampleTable("\(folder)/audit/\(AuditResult.imagesTable)").samples
      #expect(samples.compactMap(\.file).filter(FileSystem.exists).count == 6)
      #expect(samples.allSatisfy { $0.isRejected == false })
      // The model's answer is not their class: they have none, and are copied without.
      #expect(table.column("label") == nil && table.column("class") == nil)
      let answers = try #require(table.column("answer"))
      #expect(table.rows.allSatisfy { data.classNames.contains($0.fields[answers]) })
      let filter = FilterJob(
        table: "\(folder)/audit/\(AuditResult.imagesTable)", rule: .decision, kept: "\(folder)/kept")
      #expect(try filter.run(progress: SilentProgress()).kept == 6)
      #expect(try FileSystem.list("\(folder)/kept") == (0..<6).map { "\($0).png" })
      // Those in folders by class keep theirs, whatever the model says.
      for number in 0..<6 {
        let place = "\(folder)/classes/\(data.classNames[number % 2])"
        try FileSystem.createFolder(place)
        try AtomicFile.write(DecodedImage(data.images[number]).encodePNG(), to: "\(place)/\(number).png")
      }
      (job.suspects, job.output) = ("\(folder)/classes", "\(folder)/second")
      _ = try job.run(progress: SilentProgress())
      let second = try CSVTable(contentsOf: "\(folder)/second/\(AuditResult.imagesTable)")
      let columns = try (#require(second.column("path")), #require(second.column("class")))
      #expect(second.rows.count == 6)
      #expect(second.rows.allSatisfy { Path.name(Path.parent($0.fields[columns.0])) == $0.fields[columns.1] })
      (job.suspects, job.output) = ("\(folder)/none", nil)
      #expect(throws: (any Error).self) { try job.run(progress: SilentProgress()) }
    }
  }

  @Test func calibrationTrainsDifferentModels() throws {
    try withModels { folder, configuration in
      var job = CalibrationJob(configuration, output: "\(folder)/bank.json")
      (job.settings, job.models, job.share) = (Self.quickly, 3, 0.5)
      (job.configuration.recipe.epochs, job.configuration.recipe.batch) = (4, 5)
      // Four steps an epoch, and the statistics' steps: within the second model.
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 30) { _ = try job.run(progress: SilentProgress()) }
      }
      #expect(!FileSystem.exists("\(folder)/bank.json"))
      #expect(try FileSystem.list("\(folder)/bank.json.parts").first == "model-0.json")
      // What is there belongs to these settings; any process may measure any of the models.
      job.share = 0.6
      let other = #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
      #expect(other.map { "\($0)".contains("bank.json.parts") && "\($0)".contains("model-0.json") } == true)
      job.share = 0.5
      try job.run(part: 2, progress: SilentProgress())
      #expect(FileSystem.exists("\(folder)/bank.json.parts/model-2.json"))
      let bank = try job.run(progress: SilentProgress())
      var undisturbed = job
      undisturbed.output = "\(folder)/other.json"
      let sums = StageSums()
      #expect(try undisturbed.run(progress: sums) == bank)
      check(sums, (0..<3).flatMap { ["train-\($0)", "reference"] })
      #expect(!FileSystem.exists("\(folder)/bank.json.parts"))
      #expect(try ReferenceBank(contentsOf: "\(folder)/bank.json") == bank)
      #expect(bank.members.count == 3 && Set(bank.members.map(\.statistics)).count == 3)
      #expect(Set(bank.members.compactMap(\.recipe)).count == 3)
      let recipe = configuration.recipe
      let plain = (0..<12).filter { job.varied($0).recipe.crop == 0 && !job.varied($0).recipe.flip }
      #expect(plain == [3, 7, 11] && job.varied(0).recipe == job.configuration.recipe)
      #expect(Set((0..<12).map { job.varied($0).recipe }).count == 9)
      let second = job.varied(1).recipe
      #expect(second.learningRate == recipe.learningRate * 0.6 && second.weightDecay == recipe.weightDecay * 0.2)
      // An audit with it.
      var audit = AuditJob(configuration, model: ModelFile("\(folder)/suspect.safetensors"))
      audit.reference = "\(folder)/bank.json"
      #expect(try audit.run(progress: SilentProgress()).bank?.models == 3)
    }
  }
}
