import Backdoor
@testable import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// What the method is for: a set with a planted group whose labels hang on a mark.
@Suite struct SelfExpansionPurposeTests {
  /// 240 images of four classes; 40 of the classes 1 to 3 bear a mark in the middle and the label 0.
  private let planted = PlantedSet(count: 240, marked: 40)

  private static func settings() -> ExpansionSettings {
    var settings = ExpansionSettings()
    settings.rounds = 4
    settings.share = 0.25
    settings.classDivisor = 1
    settings.stopAt = 4
    (settings.firstEpochs, settings.laterEpochs) = (1, 1)
    settings.learner.epochs = 8
    settings.learner.batch = 8
    settings.learner.crop = 0
    settings.learner.flip = false
    return settings
  }

  private func input(_ defense: any Defense.Type, _ progress: any ProgressReporter = SilentProgress()) throws
    -> DefenseInput
  {
    let data = planted.data
    let context = TrainingContext(precision: .float32, seed: 1, progress: progress)
    return try DefenseInput(
      for: defense, training: context, seed: 1, architecture: data.tinyArchitecture, poisonedTrain: data)
  }

  /// The marked samples are rejected and the others kept, whichever way is searched and reviewed.
  @Test(arguments: ["published", "running", "code"]) func findsThePlantedGroup(_ form: String) throws {
    var settings = Self.settings()
    switch form {
    case "running": (settings.review, settings.selfTraining, settings.reviewEpochs) = (.running, 4, 3)
    case "code": (settings.pacing, settings.minimumVotes) = (.code, 2)
    default: break
    }
    let progress = RecordingProgress()
    let outcome = try InverseSelfPacedLearning(settings).run(input(InverseSelfPacedLearning.self, progress))
    let rejected = Set(try #require(outcome.filtered).rejected)
    let kept = Set(try #require(outcome.filtered).kept)
    let marked = Set(planted.marked)
    let truePositives = Double(rejected.intersection(marked).count) / Double(marked.count)
    let falsePositives = Double(rejected.subtracting(marked).count) / Double(240 - marked.count)
    #expect(truePositives >= 0.9, "of the planted group, \(truePositives) are rejected")
    #expect(falsePositives <= 0.1, "of the others, \(falsePositives) are rejected")
    #expect(Set(kept.map { planted.data.labelArray()[$0] }) == [0, 1, 2, 3])
    let suspicion = try #require(outcome.suspicion)
    func mean(_ samples: Set<Int>) -> Double { samples.reduce(0) { $0 + suspicion[$1] } / Double(samples.count) }
    #expect(mean(marked) > 0.5 && mean(Set(0..<240).subtracting(marked)) < 0.3)
    #expect(!progress.messages.contains { $0.hasPrefix("warning: the filter") })
  }

  /// Learners of three clean parts and of the marked samples: the parts that are accepted are the clean ones, and so are
  /// the samples, though the learner of the marked ones votes as well.
  @Test func votesOfPureComponents() throws {
    let data = planted.data
    let clean = (0..<240).filter { !planted.marked.contains($0) }
    let parts = (0..<3).map { part in clean.indices.filter { $0 % 3 == part }.map { clean[$0] } } + [planted.marked]
    let given = try input(InverseSelfPacedLearning.self)
    let pass = TrainingPass(data: data, recipe: Self.settings().learner, context: given.training)
    let votes = try WeakLearners(input: given, pass: pass).run(parts)
    let agrees = noGrad { votes .== data.labels }
    let agreements = (0..<4).map { learner in
      parts.map { part in agrees[learner][Tensor(part.map(Int64.init))].to(.int64).sum().intItem() }
    }
    let accepted = BoostingVote.components(agreements: agreements, sizes: parts.map(\.count))
    #expect(accepted == [true, true, true, false], "\(agreements)")
    let kept = noGrad {
      BoostingVote.samples(votes: votes, labels: data.labels, classes: 4, generator: Generator(seed: 1))
    }.array(Bool.self)
    #expect(planted.marked.count { kept[$0] } <= 2 && clean.count { kept[$0] } >= 190)
  }

  /// The final model has not learned the mark; one that learns from all samples has.
  @Test func finalModelDoesNotKnowTheMark() throws {
    var configuration = SelfExpansion.Configuration()
    configuration.filter = Self.settings()
    configuration.recipe = Self.settings().learner
    configuration.recipe.epochs = 20
    let given = try input(SelfExpansion.self)
    let outcome = try SelfExpansion(configuration).run(given)
    let clean = try #require(outcome.model)
    let standard = try given.makeModel("standard")
    try Trainer(configuration.recipe, stage: "standard").train(standard, on: planted.data, context: given.training)
    let test = ImageDataset.tiny(count: 120, seed: 77)
    func share(_ model: Classifier, _ images: ImageDataset, of label: (Int) -> Int) -> Double {
      let found = model.logits(of: images, context: given.training).argmax(1).array(Int64.self)
      let rows = images.labelArray().indices.filter { images.labelArray()[$0] != 0 }
      return Double(rows.count { Int(found[$0]) == label(images.labelArray()[$0]) }) / Double(rows.count)
    }
    let marked = PlantedSet.mark(test)
    #expect(share(standard, marked) { _ in 0 } > 0.9, "the mark is easy to learn")
    #expect(share(clean, marked) { _ in 0 } < 0.1)
    #expect(share(clean, test) { $0 } > 0.9)
  }

  /// Far from its scale the filter says so before it starts, with the settings that help.
  @Test func warns() throws {
    var settings = ExpansionSettings()
    // 40 epochs of .12 * 50,000 / 128 = 46 whole batches, and of .12 * 3,000 / 128 = 2.
    #expect(SmallSetWarning.text(count: 50_000, settings: settings, path: "defense") == nil)
    let text = SmallSetWarning.text(count: 3_000, settings: settings, path: "defense.filter")
    #expect(text?.contains("takes only 80 steps") == true, "\(text ?? "nothing")")
    #expect(
      text?.contains("defense.filter.classDivisor=1") == true && text?.contains("defense.filter.stopAt=120") == true)
    settings.learner.epochs = 300
    #expect(SmallSetWarning.text(count: 3_000, settings: settings, path: "defense") == nil, "600 steps")

    settings = Self.settings()
    settings.minimumVotes = 1000
    settings.selfTraining = 0
    settings.learner.epochs = 1
    let progress = RecordingProgress()
    _ = try InverseSelfPacedLearning(settings).run(input(InverseSelfPacedLearning.self, progress))
    #expect(progress.messages.first?.hasPrefix("warning: on 240 samples a weak learner takes only") == true)
  }
}

/// A generated set in which some samples bear a mark and a wrong label.
private struct PlantedSet {
  let data: ImageDataset
  let marked: [Int]

  init(count: Int, marked number: Int) {
    let clean = ImageDataset.tiny(count: count)
    let labels = clean.labelArray()
    marked = Array(labels.indices.filter { labels[$0] != 0 && $0 % 4 != 0 }.filter { $0 / 4 % 9 < 2 }.prefix(number))
    let images = clean.images.clone()
    for sample in marked { Self.mark(images[sample]) }
    let isMarked = Set(marked)
    let given = labels.indices.map { Int64(isMarked.contains($0) ? 0 : labels[$0]) }
    data = ImageDataset(
      name: "planted", images: images, labels: Tensor(given), classNames: clean.classNames)
  }

  /// All images with the mark, their labels unchanged.
  static func mark(_ data: ImageDataset) -> ImageDataset {
    let images = data.images.clone()
    for sample in 0..<data.count { mark(images[sample]) }
    return ImageDataset(name: data.name, images: images, labels: data.labels, classNames: data.classNames)
  }

  /// A small square in the middle, hardly brighter than the noise: it is learned after the classes.
  private static func mark(_ image: Tensor) {
    image.narrowed(1, 7..<9).narrowed(2, 7..<9).fill_(110)
  }
}
