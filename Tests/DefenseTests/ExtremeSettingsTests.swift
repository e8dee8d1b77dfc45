import Backdoor
import Defenses
import Files
import Foundation
import Support
import TestData
import Testing
import Torch
import Training
import Vision

/// Every defense with settings at the ends of their ranges and beyond, on data sets of a few images: a result or an
/// error that says what is wrong, never a trap. A new row in `DefenseKind.all` is tested by this file as it is.
///
/// `ANTIDOTE_EXTREMES=all` tries every setting on every data set (minutes); each case is written to the file that
/// `ANTIDOTE_EXTREMES_LOG` names before it runs.
@Suite struct ExtremeSettingsTests {
  static let ids = DefenseKind.all.map(\.id)
  private static let environment = ProcessInfo.processInfo.environment
  private static let triesAll = environment["ANTIDOTE_EXTREMES"] == "all"

  /// What makes a defense quick, by the last part of a setting's name.
  private static let quick: [String: JSONValue] = [
    "epochs": 1, "batch": 2, "crop": 0, "steps": 1, "rounds": 1, "bags": 1, "share": 0.5, "stopAt": 1, "iterations": 2,
    "embeddings": 3, "hidden": 4, "projection": 4, "queue": 4, "searchIterations": 1,
    "isolationEpochs": 1, "tuningEpochs": 1, "unlearningEpochs": 1, "starts": 1, "isolated": 0.5,
  ]
  /// Settings that say how often something is done: at their upper end they only cost time and memory.
  private static let counts: Set<String> = [
    "epochs", "steps", "rounds", "bags", "iterations", "views", "firstEpochs", "laterEpochs", "selfTraining", "hidden",
    "projection", "queue", "viewSize", "searchIterations", "bisections",
    "isolationEpochs", "tuningEpochs", "unlearningEpochs", "starts", "components",
  ]

  /// Settings by their full name, with the groups that lead to them.
  private static func settings(_ type: any Configurable.Type, at path: String = "") -> [(
    path: String, setting: Setting
  )] {
    type.settings.flatMap { setting -> [(path: String, setting: Setting)] in
      let here = path.isEmpty ? setting.key : "\(path).\(setting.key)"
      return setting.nested.map { settings($0, at: here) } ?? [(here, setting)]
    }
  }

  private static func tree(_ path: String, _ value: JSONValue) -> JSONValue {
    path.split(separator: ".").reversed().reduce(value) { .object([String($1): $0]) }
  }

  private static func quickSettings(_ kind: DefenseKind) -> JSONValue {
    settings(kind.configuration).reduce([:]) { tree, entry in
      guard let value = quick[entry.setting.key] else { return tree }
      return SettingsTree.merge(tree, self.tree(entry.path, value))
    }
  }

  @Test(arguments: ids) func valuesThatCannotBe(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    let wrong: [JSONValue] = [
      .double(.nan), .double(1e300), .double(-1e300), .double(.infinity), .int(.max), .int(.min), "", "x", [], [:],
      .bool(true), .null, -1, 0.5, [-1], [.int(.max)],
    ]
    for (path, setting) in Self.settings(kind.configuration) {
      for value in wrong {
        do {
          // What is allowed resolves to itself.
          let settings = try kind.make(Self.tree(path, value)).settings
          #expect(try kind.make(settings).settings == settings)
        } catch let error as SettingsError {
          #expect(error.issues.count == 1 && error.issues[0].path.hasPrefix("defense.\(path)"), "\(error)")
        }
      }
      guard let range = setting.range else { continue }
      #expect(range.lowerBound.isFinite && range.upperBound.isFinite, "\(id) \(path): a range has two ends")
    }
  }

  /// No number of a defense may be anything: what it means there has ends.
  @Test(arguments: ids) func numbersHaveRanges(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    for (path, setting) in Self.settings(kind.configuration) where setting.range == nil && setting.choices == nil {
      for value: JSONValue in [.int(.max), .int(.min), .double(1e300), .double(-1e300), [.int(.min)]] {
        #expect(throws: SettingsError.self, "\(id) \(path) = \(value.compactJSON)") {
          _ = try kind.make(Self.tree(path, value))
        }
      }
    }
  }

  /// Sizes of data sets: images, channels, side, classes.
  private static let shapes = [(1, 3, 8, 2), (2, 1, 8, 2), (3, 3, 9, 1), (5, 3, 8, 2)]

  private static func data(_ shape: (count: Int, channels: Int, size: Int, classes: Int)) -> ImageDataset {
    let pixels = Generator(seed: 1).integers(0..<256, [shape.count, shape.channels, shape.size, shape.size]).to(.uint8)
    return ImageDataset(
      name: "generated", images: pixels, labels: Tensor((0..<shape.count).map { Int64($0 % shape.classes) }),
      classNames: (0..<shape.classes).map { "class \($0)" })
  }

  private func run(_ kind: DefenseKind, _ settings: JSONValue, _ data: ImageDataset) throws {
    if let log = Self.environment["ANTIDOTE_EXTREMES_LOG"] {
      let line = "\(kind.id) \(settings.compactJSON) \(data.images.shape)\n"
      try Data(line.utf8).write(to: URL(fileURLWithPath: log))
    }
    let defense = try kind.make(settings).defense
    let context = TrainingContext(precision: .float32, seed: 5)
    let input = try DefenseInput(
      for: type(of: defense), training: context, seed: 5, architecture: data.tinyArchitecture, poisonedTrain: data,
      model: Classifier.tiny(for: data), cleanSplit: data, unlabeled: data, truth: [0])
    do {
      try Interruption.simulated(afterChecks: 12) { _ = try defense.run(input) }
    } catch is Interrupted {
    } catch is TrainingError {
    } catch is DefenseError {
    }
  }

  @Test(arguments: ids) func fewImages(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    let quick = Self.quickSettings(kind)
    for shape in Self.shapes {
      for batch in [1, 2, 64] {
        let settings = Self.settings(kind.configuration).filter { $0.setting.key == "batch" }.reduce(quick) {
          SettingsTree.merge($0, Self.tree($1.path, .int(max(batch, Int($1.setting.range?.lowerBound ?? 1)))))
        }
        try run(kind, settings, Self.data(shape))
      }
    }
  }

  @Test(.enabled(if: triesAll), arguments: ids) func endsOfRanges(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    let quick = Self.quickSettings(kind)
    for (path, setting) in Self.settings(kind.configuration) {
      var values: [JSONValue] = (setting.choices ?? []).map(JSONValue.string)
      if let range = setting.range {
        let ends = Self.counts.contains(setting.key) ? [range.lowerBound] : [range.lowerBound, range.upperBound]
        values += ends.map { Int(exactly: $0).map(JSONValue.int) ?? .double($0) }
      }
      values += [.bool(true), .bool(false), .null]
      for value in values {
        let settings = SettingsTree.merge(quick, Self.tree(path, value))
        guard (try? kind.make(settings)) != nil else { continue }
        for shape in Self.shapes { try run(kind, settings, Self.data(shape)) }
      }
    }
  }
}
