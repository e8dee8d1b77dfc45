import Files
import Foundation
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

/// What a model says of images, as a table and as tensors.
@Suite struct PredictionJobTests {
  private let hand = ByHand()
  private let names = ["ant", "bee, big", "cat", "dog", "eel"]

  private func lines(_ path: String) throws -> [[String]] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
      $0.replacing("\"bee, big\"", with: "bee big").replacing("\"logit bee, big\"", with: "logit bee big")
        .split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
  }

  @Test func tableAndTensors() throws {
    try withTemporaryFolder { parent in
      let made = ImageDataset.tiny(count: 47, size: 12, classes: 5, seed: 2, name: "tensors")
      let test = ImageDataset(
        name: "tensors", images: made.images, labels: made.labels, classNames: names)
      for split in [DataSplit.train, .test] {
        try FileSystem.createFolder("\(parent)/data")
        try TensorFiles.write(
          split == .test ? test : test.subset([0, 1, 2, 3, 4]), split: split, folder: "\(parent)/data")
      }
      let model = try hand.makeModel(3).eval()
      model.classNames = names
      try model.save("\(parent)/m.pth")
      let c = try hand.configuration("\(parent)/data", ["precision": "auto"])
      func predict(_ output: String, _ split: DataSplit? = nil) throws -> PredictionJob.Result {
        try PredictionJob(c, model: ModelFile("\(parent)/m.pth"), split: split, output: output).run(
          progress: SilentProgress())
      }
      let logits = noGrad { model(test.pixels(0..<47)) }
      let (classes, labels) = (logits.argmax(1).array(Int64.self).map(Int.init), test.labelArray())
      let result = try predict("\(parent)/p.csv")
      #expect(result.images == 47 && result.labelled == 47 && result.split == .test && result.normalization == nil)
      #expect(result.accuracy == Double(zip(classes, labels).count { $0 == $1 }) / 47)
      #expect(result.predicted.map(\.images) == (0..<5).map { place in classes.count { $0 == place } })
      let rows = try lines("\(parent)/p.csv")
      let plain = names.map { $0.replacing(",", with: "") }
      #expect(
        rows[0] == ["index", "label", "predicted", "probability"] + plain.map { "logit \($0)" })
      #expect(rows.count == 48)
      let probabilities = F.softmax(logits, 1).array(Float.self), values = logits.array(Float.self)
      for (index, row) in rows.dropFirst().enumerated() {
        #expect(row[0] == "\(index)")
        #expect(row[1] == plain[labels[index]] && row[2] == plain[classes[index]])
        #expect(abs((Float(row[3]) ?? -1) - probabilities[5 * index + classes[index]]) < 1e-5)
        for place in 0..<5 { #expect(abs((Float(row[4 + place]) ?? .nan) - values[5 * index + place]) < 1e-5) }
      }
      _ = try predict("\(parent)/p.safetensors")
      let file = try Safetensors.load("\(parent)/p.safetensors")
      expectClose(try #require(file["logits"]), logits, "logits")
      #expect(file["predicted"]?.array(Int64.self).map(Int.init) == classes && file["labels"]?.count == 47)
      #expect(file.metadata["classes"] == #"["ant","bee, big","cat","dog","eel"]"#)
      #expect(try predict("\(parent)/train.csv", .train).images == 5)
      // What is there stays.
      let error = #expect(throws: JobError.self) { _ = try predict("\(parent)/p.csv") }
      #expect(error == .outputExists(path: "\(parent)/p.csv"))
      // Without a test split all images are wanted: nothing is trained on the others.
      for split in ["train", "test"] { try FileSystem.remove("\(parent)/data/\(split).safetensors") }
      try TensorFiles.write(test, split: .train, folder: "\(parent)/data")
      let whole = try predict("\(parent)/w.csv")
      #expect(whole.images == 47 && whole.split == .train)
    }
  }

  /// Images that lie in one folder have no labels; a file from elsewhere then needs its normaliser.
  @Test func aFolderWithoutClasses() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/images"
      try FileSystem.createFolder(folder)
      let data = ImageDataset.tiny(count: 3, size: 16, classes: 5, name: "folder")
      for index in 0..<3 {
        try AtomicFile.write(DecodedImage(data.images[index]).encodePNG(), to: "\(folder)/\(2 - index).png")
      }
      let model = try hand.makeModel(3).eval()
      try Safetensors.save(model.stateDict().entries.map { ($0.key, $0.tensor) }, to: "\(parent)/foreign.safetensors")
      let c = try hand.configuration(folder, ["dataset": ["name": "folder"]])
      func predict(_ file: ModelFile, _ output: String) throws -> PredictionJob.Result {
        try PredictionJob(c, model: file, output: "\(parent)/\(output)").run(progress: SilentProgress())
      }
      let error = #expect(throws: JobError.self) {
        _ = try predict(ModelFile("\(parent)/foreign.safetensors"), "a.csv")
      }
      #expect(error.map { "\($0)" }?.contains("there are no labelled images to try them on") == true)
      #expect(!FileSystem.exists("\(parent)/a.csv"))
      let result = try predict(ModelFile("\(parent)/foreign.safetensors", normalization: .named("half")), "b.csv")
      #expect(result.images == 3 && result.accuracy == nil && result.labelled == 0 && result.split == .unlabeled)
      let rows = try lines("\(parent)/b.csv")
      #expect(rows[0].prefix(4) == ["index", "path", "predicted", "probability"])
      #expect(rows.dropFirst().map { $0[1] } == ["0.png", "1.png", "2.png"].map { "\(folder)/\($0)" })
      let logits = noGrad { model(data.pixels(0..<3)) }.array(Float.self)
      #expect(abs((Float(rows[3][4]) ?? .nan) - logits[0]) < 1e-5)
      // A class map names the outputs.
      try AtomicFile.write("owl: 1\nyak: 3\n", to: "\(parent)/map.yaml")
      let map = try ClassMap(contentsOf: "\(parent)/map.yaml")
      let named = try predict(
        ModelFile("\(parent)/foreign.safetensors", normalization: .named("half"), classMap: map), "c.csv")
      #expect(named.predicted.map(\.name) == ["class 0", "owl", "class 2", "yak", "class 4"])
    }
  }
}
