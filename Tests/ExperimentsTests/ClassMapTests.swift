import Files
import Support
import TestFiles
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

/// Which class of a model each class of a data set is.
@Suite struct ClassMapTests {
  private let data = ImageDataset(
    name: "folder", images: .zeros([4, 3, 8, 8], dtype: .uint8), labels: Tensor([0, 1, -1, 2] as [Int64]),
    classNames: ["cat", "dog", "ox"])

  private func map(_ text: String, _ folder: String) throws -> ClassMap {
    try AtomicFile.write(text, to: "\(folder)/map.yaml")
    return try ClassMap(contentsOf: "\(folder)/map.yaml")
  }

  /// A foreign file has numbers, one of Antidote's has names; classes may be absent.
  @Test func numbersAndNames() throws {
    try withTemporaryFolder { folder in
      let model = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 5, width: 2, imageSize: 8)).make(
        Generator(seed: 0))
      try Safetensors.save(
        model.stateDict().entries.map { ($0.key, $0.tensor) }, to: "\(folder)/foreign.safetensors")
      model.classNames = ["beagle", "ox", "tabby", "yak", "zebu"]
      try model.save("\(folder)/own.safetensors")
      for (file, text) in [("foreign", "cat: 2\ndog: 0\nox: 1\n"), ("own", "cat: tabby\ndog: beagle\nmouse: 4\n")] {
        let progress = RecordingProgress()
        let file = ModelFile("\(folder)/\(file).safetensors", classMap: try map(text, folder))
        let fitted = try file.fitted(data, settings: DatasetSettings(), progress: progress)
        #expect(fitted.labelArray() == [2, 0, -1, 1], "\(file.path)")
        #expect([fitted.classNames[0], fitted.classNames[1], fitted.classNames[2]] == ["dog", "ox", "cat"])
        #expect(fitted.classes == 5 && fitted.classNames[4] == (text.contains("mouse") ? "zebu" : "class 4"))
        let said = progress.messages.joined(separator: "\n")
        #expect(said.contains("2 of the model's are absent") && said.contains("mouse") == text.contains("mouse"))
        #expect(try file.opened(for: fitted.withoutLabels(), normalizing: .none).model.classes == 5)
      }
      // Without a map the classes of both are listed.
      let error = #expect(throws: JobError.self) {
        _ = try ModelFile("\(folder)/foreign.safetensors").opened(for: data)
      }
      #expect(error.map { "\($0)" }?.contains("5 classes, the data set folder 3 (cat, dog, ox)") == true)
      #expect(error.map { "\($0)" }?.contains("--class-map") == true)
    }
  }

  @Test func whatCannotBe() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/own.safetensors"
      let model = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 2, imageSize: 8)).make(
        Generator(seed: 0))
      model.classNames = ["beagle", "ox", "tabby", "yak"]
      try model.save(path)
      for (text, words) in [
        ("cat: 2\nox: 1\n", "which class of the model \(path) dog is"), ("cat: 4\ndog: 1\n", "numbered from 0 to 3"),
        ("cat: taby\ndog: beagle\n", "Did you mean tabby?"), ("cat: 0\ndog: 0\n", "cat and dog are both class 0"),
        ("- cat\n", "no list of classes"), ("cat: [1]\n", "expected the number or name"),
      ] {
        let error = #expect(throws: JobError.self) {
          _ = try ModelFile(path, classMap: map(text, folder)).fitted(
            data, settings: DatasetSettings(), progress: SilentProgress())
        }
        #expect(error.map { "\($0)" }?.contains(words) == true, "\(text): \(String(describing: error))")
      }
    }
  }
}

extension ModelFile {
  /// Opened with a normaliser that is given.
  fileprivate func opened(for data: ImageDataset, normalizing: Normalization) throws -> Opened {
    var file = self
    file.normalization = .named(normalizing.name)
    return try file.opened(for: data)
  }
}
