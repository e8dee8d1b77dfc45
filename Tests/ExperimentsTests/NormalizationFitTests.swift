import Files
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

/// How the normaliser of a model is found that does not say it.
@Suite struct NormalizationFitTests {
  /// Tells sixteen levels of its first channel apart, exactly where its normaliser is `dbd`.
  private final class Levels: Classifier {
    static let levels = (0..<16).map { Float($0) / 15 }

    private let first: Int

    init(_ order: ChannelOrder = .rgb) {
      first = order == .rgb ? 0 : 2
      super.init(classes: 16, normalization: .none)
    }
    override func features(normalized x: Tensor) -> Features {
      Features(stages: [], penultimate: x.mean([2, 3]).narrowed(1, 0..<1))
    }
    override func logits(_ penultimate: Tensor) -> Tensor {
      let mean = Normalization.dbd.mean[first], deviation = Normalization.dbd.standardDeviation[first]
      let centers = Tensor(Self.levels.map { ($0 - mean) / deviation }, shape: [1, 16])
      return -(penultimate - centers).square()
    }
  }

  /// Red has the level of the class, blue its complement.
  private func images(_ count: Int, order: ChannelOrder = .rgb) -> ImageDataset {
    let labels = (0..<count).map { $0 * 7 % 16 }
    let pixels = labels.flatMap { label -> [UInt8] in
      let colours = [UInt8(17 * label), 60, UInt8(255 - 17 * label)]
      return (order == .rgb ? colours : colours.reversed()).flatMap { [$0, $0, $0, $0] }
    }
    return ImageDataset(
      name: "folder", images: Tensor(pixels, shape: [count, 3, 2, 2]), labels: Tensor(labels.map(Int64.init)),
      classNames: (0..<16).map { "level \($0)" })
  }

  @Test(arguments: ChannelOrder.allCases) func theRightOneIsTaken(_ order: ChannelOrder) throws {
    let model = Levels(order)
    let fit = try NormalizationFit(of: model, on: images(300, order: order), seed: 1, progress: SilentProgress())
    let chosen = try #require(fit.chosen, "\(fit.reason)")
    #expect(chosen.normalization == "dbd" && chosen.channels == order && chosen.accuracy == 1)
    #expect(chosen.images == 200 && fit.equals.isEmpty && fit.rows.count == 14 && fit.rows.first == chosen)
    #expect(fit.reason.contains("100.0% of 200 images") && fit.reason.contains("the next one is"))
    // Those that are far behind have seen the first images only.
    let none = try #require(fit.rows.first { $0.normalization == "none" && $0.channels == order })
    #expect(none.accuracy < 0.3 && none.images == 64)
    #expect(model.normalization == .none, "the model keeps its own")
    let settings = order == .rgb ? "" : " --set model.channels=bgr"
    #expect(chosen.settings == "--set model.normalization=dbd" + settings)
    let fixed = try NormalizationFit(
      of: model, on: images(300, order: order), order: order, seed: 1, progress: SilentProgress())
    #expect(fixed.rows.count == 7 && fixed.chosen?.channels == order)
  }

  /// Too few images, none with a label, and classes in another order: no choice, and why.
  @Test func withoutAChoice() throws {
    func fit(_ data: ImageDataset) throws -> NormalizationFit {
      try NormalizationFit(of: Levels(), on: data, seed: 1, progress: SilentProgress())
    }
    let few = try fit(images(5))
    #expect(few.chosen == nil && few.reason.contains("too few to tell") && few.table.contains("dbd"))
    let none = try fit(images(50).withoutLabels())
    #expect(none.chosen == nil && none.reason.contains("no labelled images"))
    let data = images(300)
    let wrong = try fit(data.relabeled(Tensor(data.labelArray().map { Int64(($0 + 5) % 16) })))
    #expect(wrong.chosen == nil && wrong.reason.contains("above what guessing gives"), "\(wrong.table)")
    #expect(wrong.reason.contains("--class-map"))
    // All labels are the same: one answer for all would be right.
    let same = try fit(data.relabeled(Tensor.full(like: data.labels, 3)))
    #expect(same.chosen == nil && same.reason.contains("(100.0%)"))
  }

  /// Two that give the same answers need no decision; the first of them is taken.
  @Test func equalsDoNotMatter() throws {
    let data = images(300)
    let bright = data.subset(data.labelArray().indices.filter { [7, 8].contains(data.labelArray()[$0]) })
    let fit = try NormalizationFit(of: Levels(), on: bright, order: .rgb, seed: 1, progress: SilentProgress())
    #expect(fit.chosen?.accuracy == 1 && fit.chosen?.normalization == "cifar10")
    #expect(fit.equals.contains { $0.normalization == "dbd" && $0.accuracy == 1 })
  }

  // MARK: Model files

  /// A network whose answers under one normaliser are the labels.
  private func writeForeign(_ path: String, _ normalization: Normalization, count: Int = 400) throws -> ImageDataset {
    let model = try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 4, width: 4, imageSize: 8, normalization: normalization)
    ).make(Generator(seed: 4)).eval()
    noGrad { for (key, tensor) in model.stateDict().entries where key == "linear.weight" { tensor.mul_(50) } }
    let noise = Generator(seed: 2).uniform([count, 3, 1, 1]) * Generator(seed: 3).uniform([count, 3, 8, 8])
    let images = noise.quantized()
    let data = ImageDataset(
      name: "folder", images: images, labels: .zeros([count], dtype: .int64), classNames: ["a", "b", "c", "d"])
    let labels = noGrad { model(data.pixels(0..<count)).argmax(1) }
    try Safetensors.save(model.stateDict().entries.map { ($0.key, $0.tensor) }, to: path)
    return data.relabeled(labels)
  }

  @Test func aForeignFile() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.safetensors"
      let right = Normalization.half.ordered(.bgr)
      let data = try writeForeign(path, right)
      let progress = RecordingProgress()
      let opened = try ModelFile(path).opened(for: data, progress: progress)
      let said = progress.messages.joined(separator: "\n")
      #expect(opened.model.normalization == right && opened.model.spec?.shape.normalization == right, "\(said)")
      #expect(opened.fit?.chosen?.accuracy == 1 && opened.normalization == "half, bgr")
      #expect(said.contains("taken is half with channels in the order bgr"))
      #expect(said.contains("--set model.normalization=half --set model.channels=bgr") && said.contains("cifar100"))
      // The same on images without labels, and the same with a choice.
      let error = #expect(throws: JobError.self) { _ = try ModelFile(path).opened(for: data.withoutLabels()) }
      #expect(error.map { "\($0)" }?.contains("--set model.normalization=cifar10 (or dbd, ") == true)
      let given = ModelFile(path, normalization: .named("half"), channelOrder: .bgr)
      let plain = try given.opened(for: data.withoutLabels())
      #expect(plain.model.normalization == right && plain.fit == nil)
      // A wrong choice is said aloud, a right one is not.
      let warned = RecordingProgress(), silent = RecordingProgress()
      let wrong = try ModelFile(path, normalization: .named("none")).opened(for: data, progress: warned)
      #expect(wrong.model.normalization == Normalization.none && wrong.normalization == "none, rgb")
      #expect(
        warned.messages.contains {
          $0.hasPrefix("warning: ") && $0.contains("with half with channels in the order bgr the accuracy is 100.0%")
            && $0.contains("with none, which is set")
        }, "\(warned.messages)")
      _ = try given.opened(for: data, progress: silent)
      #expect(!silent.messages.contains { $0.contains("warning") })
      // What Antidote writes says it, with the name of the architecture given or not.
      try opened.model.save("\(folder)/own.safetensors")
      var named = ModelSettings()
      (named.name, named.width) = ("cnn", 4)
      for file in [ModelFile("\(folder)/own.safetensors"), ModelFile("\(folder)/own.safetensors", named: named)] {
        let own = try file.opened(for: data.withoutLabels())
        #expect(own.model.normalization == right && own.fit == nil && own.normalization == nil)
      }
    }
  }

  /// Images of another size become those of the model where the settings do not give one.
  @Test func imagesOfTheModelsSize() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.safetensors"
      try ModelSpec(kind: "cnn", shape: ModelShape(classes: 3, width: 2, imageSize: 12)).make(Generator(seed: 0))
        .save(path)
      let file = ModelFile(path), progress = RecordingProgress()
      let data = ImageDataset.tiny(count: 5, size: 16, classes: 3, name: "tensors")
      let fitted = try file.fitted(data, settings: DatasetSettings(), progress: progress)
      #expect(fitted.shape == ImageShape(channels: 3, height: 12, width: 12))
      #expect(progress.messages.contains { $0.contains("16x16 pixels, are resized to 12x12") })
      var settings = DatasetSettings()
      (settings.name, settings.size) = ("folder", 16)
      #expect(try file.fitted(data, settings: settings, progress: progress).height == 16)
      #expect(try file.sized(settings).size == 16)
      settings.size = nil
      #expect(try file.sized(settings).size == 12)
    }
  }

  // MARK: Settings

  @Test func settings() throws {
    func model(_ assignments: String...) throws -> ModelSettings {
      try ExperimentConfiguration(SettingsTree.apply(assignments, to: [:])).model
    }
    let data = ImageDataset.tiny(count: 4, size: 16, classes: 2, name: "cifar10")
    func normalization(_ assignments: String...) throws -> Normalization {
      try ExperimentConfiguration(SettingsTree.apply(assignments, to: [:])).model.spec(for: data).shape.normalization
    }
    #expect(try normalization() == .cifar10)
    #expect(try normalization("model.normalization=dbd") == .dbd)
    #expect(try normalization("model.normalization=none", "model.channels=bgr") == Normalization.none.ordered(.bgr))
    let own = Normalization(mean: [0.1, 0.2, 0.25], standardDeviation: [0.5, 1, 2])
    for text in ["[0.1, 0.2, 0.25],[0.5, 1, 2]", "[[0.1, 0.2, 0.25], [0.5, 1, 2]]", own.name] {
      #expect(try normalization("model.normalization=\(text)") == own, "\(text)")
    }
    for (wrong, words) in [
      ("cifar", "Did you mean cifar10"), ("[[1, 2, 3], [1, 2]]", "three of each"),
      ("[[1, 2, 3], [1, 2, 0]]", "above 0"),
      ("[1, 2, 3]", "or means and deviations"), ("3", "or means and deviations"),
    ] {
      let error = #expect(throws: SettingsError.self) { _ = try model("model.normalization=\(wrong)") }
      #expect(error?.description.contains(words) == true, "\(wrong): \(String(describing: error))")
      #expect(error?.issues.first?.path == "model.normalization", "\(wrong)")
    }
    #expect(throws: SettingsError.self) { _ = try normalization("model.normalization=mnist") }
    let gray = ImageDataset.tiny(count: 4, channels: 1, size: 16, classes: 2, name: "mnist")
    #expect(try model("model.normalization=mnist").spec(for: gray).shape.normalization == .mnist)
    #expect(throws: SettingsError.self) { _ = try model("model.channels=bgr").spec(for: gray) }
  }

  /// The size is that of the images; ids are those of before where these settings have their defaults.
  @Test func sizeAndIdentity() throws {
    let plain = try ExperimentConfiguration([:])
    #expect(try ExperimentConfiguration(["model": ["size": 48]]).dataset.size == 48)
    let error = #expect(throws: SettingsError.self) {
      _ = try ExperimentConfiguration(["model": ["size": 48], "dataset": ["size": 32]])
    }
    #expect(error?.issues.first?.path == "model.size")
    for same: JSONValue in [["normalization": .null], ["channels": "rgb"], ["size": .null]] {
      #expect(try ExperimentConfiguration(["model": same]).runID() == plain.runID())
    }
    var seen = Set([try plain.runID()])
    for other: JSONValue in [["normalization": "dbd"], ["channels": "bgr"], ["size": 48]] {
      #expect(seen.insert(try ExperimentConfiguration(["model": other]).runID()).inserted, "\(other.compactJSON)")
    }
  }
}
