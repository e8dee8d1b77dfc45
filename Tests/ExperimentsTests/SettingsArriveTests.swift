import Attacks
import Backdoor
import Defenses
import Files
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Each setting of each attack, defense and recipe, off its default, changes what a tiny run makes. A setting that is
/// declared and then dropped on its way fails here; what each one does is for the methods' own tests.
///
/// Values are found by the setting's kind and range. `SettingsArriveCases` has what a setting needs to matter, values
/// that cannot be guessed, and the few exceptions.
@Suite struct SettingsArriveTests {
  static let methods =
    AttackKind.all.map { "attack \($0.id)" } + DefenseKind.all.map { "defense \($0.id)" } + ["recipe"]

  /// 41 images of 8x8 pixels in four classes, which differ in brightness: batches of nine leave five over.
  private static var data: ImageDataset {
    let labels = Tensor((0..<41).map { Int64($0 % 4) })
    let noise = Generator(seed: 11).integers(0..<120, [41, 3, 8, 8])
    let images = (noise + (labels * 40).reshaped([41, 1, 1, 1])).to(.uint8)
    return ImageDataset(name: "tensors", images: images, labels: labels, classNames: ["a", "b", "c", "d"])
  }
  private static func architecture(_ generator: Generator) throws -> Classifier {
    try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 2, imageSize: 8, normalization: .half)).make(
      generator)
  }

  @Test(arguments: methods) func eachSettingChangesTheResult(_ method: String) throws {
    let kind = try Kind(method)
    var results: [String: Data] = [:]
    func result(_ settings: JSONValue) throws -> Data {
      let name = try kind.resolve(settings).canonicalJSON
      if let known = results[name] { return known }
      let result = try kind.run(settings)
      results[name] = result
      return result
    }
    let keys = kind.keys
    for line in keys {
      let exception = SettingsArriveCases.exceptions.first { $0.matches(method, line.key) }
      if exception?.value == nil, exception != nil { continue }
      let path = line.key.split(separator: ".").map(String.init)
      let siblings = Set(keys.filter { $0.key.hasPrefix(path.dropLast().map { $0 + "." }.joined()) }.map(\.key))
      let base = SettingsArriveCases.base(for: method, path, siblings: siblings)
      let resolved = try kind.resolve(base)
      let candidates = SettingsArriveCases.values(for: method, line, now: resolved[path: path] ?? .null)
      #expect(!candidates.isEmpty, "\(method) \(line.key): give SettingsArriveCases a value")
      for value in candidates where value != exception?.value {
        let settings = SettingsTree.merge(base, SettingsArriveCases.tree(path, value))
        do {
          #expect(
            try result(settings) != result(base),
            "\(method) \(line.key): \((resolved[path: path] ?? .null).compactJSON) -> \(value.compactJSON) changes nothing"
          )
        } catch {
          Issue.record("\(method) \(line.key) = \(value.compactJSON): \(error)")
        }
      }
    }
  }

  /// A row that no setting makes use of is left from something that is gone, or hides behind another one.
  @Test func everyCaseMatters() throws {
    let unused = SettingsArriveCases.unused(try Self.methods.map { ($0, try Kind($0).keys) })
    #expect(unused.isEmpty, "\(unused.joined(separator: "\n"))")
  }

  /// A method by name, as bytes of what it makes.
  private struct Kind {
    let configuration: any Configurable.Type
    let resolve: (JSONValue) throws -> JSONValue
    let run: (JSONValue) throws -> Data

    /// Its settings and those of its groups.
    var keys: [SettingDescription] {
      let lines = SettingsTree.describe(configuration)
      return lines.filter { line in !lines.contains { $0.key.hasPrefix(line.key + ".") } }
    }

    init(_ method: String) throws {
      let words = method.split(separator: " ").map(String.init)
      let context = { TrainingContext(device: .cpu, precision: .float32, seed: 3) }
      switch words[0] {
      case "attack":
        let kind = try AttackKind.named(words[1])
        configuration = kind.configuration
        resolve = { try kind.make($0).settings }
        run = { settings in
          func run(_ attack: some Attack) throws -> Data {
            let outcome = try attack.execute(
              AttackContext(
                train: data, seed: 5, training: context(), architecture: architecture,
                recipe: .constant(epochs: 2, batch: 9, learningRate: 0.05)))
            var bytes = Bytes()
            bytes.add(outcome.model?.snapshot().map(\.tensor) ?? [])
            bytes.add([outcome.train.data.images, outcome.train.data.labels])
            bytes.add(outcome.train.indices.map(Double.init))
            for task in outcome.tasks {
              bytes.add([task.trigger.stamp(data.images, Generator(seed: 1))])
              bytes.add((0..<4).map { task.mapping.target(of: $0, classes: 4).map(Double.init) ?? -1 })
            }
            return bytes.data
          }
          return try run(kind.make(settings).attack)
        }
      case "defense":
        let kind = try DefenseKind.named(words[1])
        configuration = kind.configuration
        resolve = { try kind.make($0).settings }
        run = { settings in
          let defense = try kind.make(settings).defense
          let input = try DefenseInput(
            for: type(of: defense), training: context(), seed: 5, architecture: architecture, poisonedTrain: data,
            model: architecture(Generator(seed: 2)), cleanSplit: data.prefix(23),
            unlabeled: data.subset([3, 7, 8, 20]),
            truth: [1, 6])
          let outcome = try defense.run(input)
          var bytes = Bytes()
          bytes.add(outcome.model?.snapshot().map(\.tensor) ?? [])
          bytes.add(outcome.filtered?.kept.map(Double.init) ?? [])
          bytes.add(outcome.suspicion ?? [])
          for score in outcome.scores { bytes.add(score.values + [score.threshold ?? -1]) }
          for embedding in outcome.embeddings { bytes.add([embedding.features]) }
          if let verdict = outcome.verdict { bytes.add([verdict.value, verdict.threshold, verdict.pValue]) }
          for exhibit in outcome.exhibits { bytes.add([exhibit.images, exhibit.perturbations]) }
          return bytes.data
        }
      default:
        configuration = Recipe.self
        resolve = { try SettingsTree.encode(SettingsTree.resolve(Recipe.self, overrides: $0)) }
        run = { settings in
          let model = try architecture(Generator(seed: 2))
          let recipe = try SettingsTree.resolve(Recipe.self, overrides: settings)
          try Trainer(recipe).train(model, on: data, context: context())
          var bytes = Bytes()
          bytes.add(model.snapshot().map(\.tensor))
          return bytes.data
        }
      }
    }
  }

  private struct Bytes {
    var data = Data()
    mutating func add(_ tensors: [Tensor]) {
      for tensor in tensors { tensor.withBytes { data.append(contentsOf: $0) } }
    }
    mutating func add(_ values: [Double]) {
      for value in values { withUnsafeBytes(of: value) { data.append(contentsOf: $0) } }
    }
  }
}
