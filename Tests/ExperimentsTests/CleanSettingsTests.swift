import Files
import Support
import TestData
import TestFiles
import Testing
import Torch
import Vision

@testable import Experiments

/// Which images are the defender's: drawn by the seed from the whole training set, by number before share.
@Suite struct CleanSettingsTests {
  /// 90 images, of class 0 half of them.
  private let data: ImageDataset = {
    let data = ImageDataset.tiny(count: 90, size: 10)
    let labels: [Int64] = (0..<90).map { $0 % 2 == 0 ? 0 : Int64($0 % 3) + 1 }
    return data.relabeled(Tensor(labels))
  }()
  private func settings(_ edit: (inout CleanSettings) -> Void) -> CleanSettings {
    var settings = CleanSettings()
    edit(&settings)
    return settings
  }

  @Test func numberAndShare() {
    let byShare = settings { $0.share = 0.3 }.positions(in: data, seed: 4)
    #expect(byShare.count == 27 && byShare == byShare.sorted() && Set(byShare).count == 27)
    #expect(byShare.contains { $0 < 30 } && byShare.contains { $0 >= 60 }, "of the whole set")
    #expect(byShare != settings { $0.share = 0.3 }.positions(in: data, seed: 5))
    let byNumber = settings { ($0.share, $0.count) = (0.3, 11) }.positions(in: data, seed: 4)
    #expect(byNumber.count == 11 && settings { $0.count = 0 }.positions(in: data, seed: 4).isEmpty)
    #expect(settings { _ in }.positions(in: data, seed: 4).count == 5, "5% of 90, rounded")
    #expect(settings { $0.share = 1 }.positions(in: data, seed: 4) == Array(0..<90))
  }

  @Test func balanced() {
    let labels = data.labelArray()
    func counts(_ positions: [Int]) -> [Int] { (0..<4).map { label in positions.count { labels[$0] == label } } }
    #expect(counts(settings { ($0.count, $0.balanced) = (20, true) }.positions(in: data, seed: 4)) == [5, 5, 5, 5])
    #expect(counts(settings { $0.count = 20 }.positions(in: data, seed: 4)) != [5, 5, 5, 5])
    // No more than asked for where the classes cannot have as many each.
    #expect(counts(settings { ($0.count, $0.balanced) = (18, true) }.positions(in: data, seed: 4)) == [5, 5, 4, 4])
  }

  /// The share of images without labels is of the whole set too; they are others than the clean ones.
  @Test func unlabeled() {
    let settings = settings { ($0.count, $0.unlabeled) = (20, 0.4) }
    let (clean, without) = (settings.positions(in: data, seed: 4), settings.unlabeledPositions(in: data, seed: 4))
    #expect(without.count == 36 && without == without.sorted() && Set(without).count == 36)
    #expect(Set(clean).isDisjoint(with: without) && clean.count == 20)
    #expect(without.contains { $0 < 20 } && without.contains { $0 >= 70 })
    #expect(without != settings.unlabeledPositions(in: data, seed: 5))
    #expect(CleanSettings().unlabeledPositions(in: data, seed: 4).isEmpty)
    let most = self.settings { ($0.count, $0.unlabeled) = (20, 0.9) }
    #expect(most.unlabeledPositions(in: data, seed: 4).count == 70, "no more than are left")
  }

  /// The clean images have to be of the size that the suspicious ones have.
  @Test func cleanImagesOfAnotherSize() throws {
    try withTemporaryFolder { parent in
      let configuration = try TinyRun().configuration(["defense": ["name": "ft", "epochs": 0]])
      let names = try ImageDataset.load(configuration.dataset, .train).classNames
      try TensorFiles.write(
        ImageDataset(
          name: "tensors", images: .zeros([10, 3, 20, 24], dtype: .uint8), labels: Tensor((0..<10).map(Int64.init)),
          classNames: names),
        split: .train, folder: "\(parent)/clean")
      let model = "\(parent)/m.safetensors"
      try ModelSpec(kind: "cnn", shape: ModelShape(classes: 10, width: 4, imageSize: 28)).make(Generator(seed: 1))
        .save(model)
      var clean = DatasetSettings()
      (clean.name, clean.path) = ("tensors", "\(parent)/clean")
      let job = DefenseJob(configuration, model: ModelFile(model), cleanData: clean, output: "\(parent)/out")
      let error = #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
      let text = error.map { "\($0)" } ?? ""
      #expect(
        text.contains("\(parent)/clean: the clean images are 24x20 pixels, those of the data set generated 28x28"))
      #expect(text.contains("--set dataset.size=28"))
      #expect(!FileSystem.exists("\(parent)/out") && !FileSystem.exists("\(parent)/out.work"))
    }
  }
}
