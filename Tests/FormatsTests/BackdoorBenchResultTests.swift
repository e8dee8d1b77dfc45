import Files
import Foundation
import TestFiles
import Testing

@testable import Formats

/// `attack_result.pt` as `Tests/Goldens/make_peers.py` writes it, and as it is written here.
@Suite struct BackdoorBenchResultTests {
  private static let records = TorchArchiveTests.folder.appendingPathComponent("peers/backdoorbench/record").path

  @Test func filesAndLabels() throws {
    let result = try BackdoorBenchResult(contentsOf: "\(Self.records)/patch/attack_result.pt")
    #expect(result.modelName == "preactresnet18" && result.classes == 3 && result.dataset == "cifar10")
    #expect(result.dataPath == "../data/cifar10" && result.imageSize == [16, 16, 3])
    let train = try #require(result.train)
    #expect(train.count == 24 && train.positions == Array(0..<24) && train.samples.map(\.index) == [0, 1, 5, 6, 9])
    #expect(train.samples.map(\.label) == [1, 1, 1, 0, 1] && train.samples.map(\.trueLabel) == [0, 1, 2, 0, 0])
    #expect(train.samples[2].image == .file("bd_train_dataset/2/5.png"), "seen from the record, not from the attack")
    #expect(result.test.count == 18 && result.test.positions == (0..<18).filter { $0 % 3 != 1 })
    #expect(result.test.samples.map(\.index) == result.test.positions)
    #expect(result.test.samples.allSatisfy { $0.label == 1 && $0.trueLabel == $0.index % 3 })
  }

  @Test func imagesInMemory() throws {
    let result = try BackdoorBenchResult(contentsOf: "\(Self.records)/memory/attack_result.pt")
    #expect(result.train == nil && result.test.samples.count == 18)
    guard case .pixels(16, 16, let bytes) = result.test.samples[0].image else { throw CocoaError(.featureUnsupported) }
    #expect(bytes.count == 768 && bytes.suffix(3) == [255, 255, 255], "the trigger is in the corner")
  }

  /// What is written is read as the same, and lies in the file as NumPy and PyTorch lay it.
  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder(), path = folder.path("attack_result.pt")
    func sample(_ index: Int, _ label: Int, _ trueLabel: Int, _ part: String) -> BackdoorBenchResult.Sample {
      BackdoorBenchResult.Sample(
        index: index, label: label, trueLabel: trueLabel, image: .file("bd_\(part)_dataset/\(trueLabel)/\(index).png"))
    }
    let result = BackdoorBenchResult(
      modelName: "preactresnet18", classes: 4, dataset: "gtsrb", dataPath: "./data/gtsrb", imageSize: [32, 32, 3],
      train: .init(count: 9, positions: Array(0..<9), samples: [sample(2, 1, 3, "train"), sample(7, 1, 1, "train")]),
      test: .init(count: 5, positions: [4, 1], samples: [sample(4, 1, 0, "test"), sample(1, 1, 2, "test")]))
    let weights = TorchTensor(type: .float32, shape: [1], bytes: { [0, 0, 128, 63] })
    try TorchWriter.write(result.frame(folder: "./record/run").filled(with: [("conv1.weight", weights)]), to: path)
    #expect(try BackdoorBenchResult(contentsOf: path) == result)
    let value = try TorchArchive(path).value
    #expect(try TorchArchive(path).state().name == "model")
    let flags = try #require(value["bd_train"]?["poison_indicator"]?.array)
    #expect(flags.dtype == .float64 && flags.floats == [0, 0, 1, 0, 0, 0, 0, 1, 0])
    #expect(value["bd_test"]?["original_index_array"]?.array?.dtype == .int64)
    let entry = value["bd_test"]?["bd_data_container"]?["data_dict"]
    guard case .dict(let images)? = entry else { throw CocoaError(.featureUnsupported) }
    #expect(images.first?.value["path"]?.text == "./record/run/bd_test_dataset/0/4.png")
    try TorchWriter.write(
      BackdoorBenchResult.defenseFrame(modelName: "vgg19", classes: 4).filled(with: [("a", weights)]), to: path)
    guard case .dict(let entries) = try TorchArchive(path).value else { throw CocoaError(.featureUnsupported) }
    #expect(entries.map(\.key.text) == ["model_name", "num_classes", "model"])
  }

  /// A table that leads out of its folder, or lacks what it names.
  @Test(arguments: [
    ("../../x", 1, "lies in no folder of the record"), ("bd_test_dataset/../../secret.png", 1, "lies in no folder"),
    ("bd_test_dataset/0/1.png", 7, "no two labels from 0 to 3"),
  ]) func refused(_ file: String, _ label: Int, _ words: String) throws {
    let folder = try TemporaryFolder(), path = folder.path("attack_result.pt")
    let split = TorchItem.dict([
      (
        .string("bd_data_container"),
        .dict([
          (.string("save_folder_path"), .string("./record/a/bd_test_dataset")),
          (
            .string("data_dict"),
            .dict([
              (
                .int(1),
                .dict([
                  (.string("path"), .string(file)),
                  (.string("other_info"), .list([.int(Int64(label)), .int(0)])),
                ])
              )
            ])
          ),
        ])
      ),
      (.string("original_index_array"), .array(PickleArray([1] as [Int64]))),
      (.string("poison_indicator"), .array(PickleArray([0, 1] as [Double]))),
    ])
    try TorchWriter.write(
      .dict([
        (.string("model_name"), .string("m")), (.string("num_classes"), .int(4)), (.string("clean_data"), .string("a")),
        (.string("data_path"), .string("data")), (.string("img_size"), .list([.int(8), .int(8), .int(3)])),
        (.string("bd_train"), .none), (.string("bd_test"), split),
      ]), to: path)
    let error = #expect(throws: FormatError.self) { try BackdoorBenchResult(contentsOf: path) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(words))
    #expect("\(error.map { "\($0)" } ?? "")".contains("attack_result.pt"))
  }

  @Test func anotherFileIsRefused() throws {
    let folder = try TemporaryFolder(), path = folder.path("model.pt")
    try TorchWriter.write(.dict([(.string("model"), .none)]), to: path)
    let error = #expect(throws: FormatError.self) { try BackdoorBenchResult(contentsOf: path) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("it lacks"))
  }
}
