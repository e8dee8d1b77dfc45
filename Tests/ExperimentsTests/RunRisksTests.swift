import Backdoor
import Defenses
import Evaluation
import Files
import Support
import TestFiles
import Testing
import Vision

@testable import Experiments

/// The risks of a run: on which images, and in which ball.
@Suite struct RunRisksTests {
  private let tiny = TinyRun()

  /// In a ball without extent every search finds the plain errors, and in the defense's own they are more; a defense
  /// that searches nothing is measured in SAU's published ball.
  @Test func risksAreSearchedInTheDefensesOwnBall() throws {
    try withTemporaryFolder { parent in
      func record(_ name: String, _ settings: JSONValue) throws -> RunRecord {
        try tiny.run("\(parent)/\(name)/run", ["defense": SettingsTree.merge(["epochs": 0, "batch": 10], settings)])
      }
      let sau = try record("sau", ["name": "sau", "radius": 0, "steps": 2, "stepSize": 0.3])
      let vanilla = try record(
        "vanilla", ["name": "vanilla-at", "norm": "l2", "radius": 0, "start": "zero", "target": 3])
      let own = try record("own", ["name": "vanilla-at", "radius": 0.4, "clamp": true, "start": "uniform"])
      let ft = try record("ft", ["name": "ft"])
      let published = try record("published", ["name": "sau"])
      for record in [sau, vanilla] {
        let before = try #require(record.before)
        #expect(before.adversarialRisk == before.universalRisk)
        #expect(try #require(before.adversarialRisk) < #require(own.before?.adversarialRisk))
      }
      #expect(ft.before == published.before && own.before != published.before)
      #expect(sau.riskSearch == "linf radius 0.0, 2 steps of 0.3 from max, as in the defense")
      #expect(vanilla.riskSearch == "l2 radius 0.0, 5 steps of 0.2 from zero, as in the defense")
      #expect(own.riskSearch == "linf radius 0.4, inside [0,1], 5 steps of 0.2 from uniform, as in the defense")
      #expect(ft.riskSearch == "linf radius 0.2, 5 steps of 0.2 from max, as published for SAU")
      #expect(try RunDirectory.open("\(parent)/own/run").readRecord()?.riskSearch == own.riskSearch)
      let filtered = try tiny.run("\(parent)/none/run", ["defense": "none"])
      #expect(filtered.riskSearch == nil && filtered.before?.universalRisk == nil)
    }
  }

  /// The images of the risks are drawn by class and by the run's seed.
  @Test func theRisksAreThoseOfADrawBySeed() throws {
    try withTemporaryFolder { parent in
      var differs = false
      for seed in [3, 4] {
        let changes: JSONValue = [
          "seed": .int(seed), "evaluation": ["riskSamples": 10], "defense": ["name": "ft", "epochs": 0],
        ]
        let folder = "\(parent)/\(seed)", configuration = try tiny.configuration(changes)
        let measured = try #require(try tiny.run(folder, changes).before)
        let test = try ImageDataset.load(configuration.dataset, .test)
        let tasks = try #require(try configuration.makeAttack()).tasks(
          for: test.shape, seed: configuration.seed.stream("attack"))
        let evaluator = BackdoorEvaluator(test: test, tasks: tasks, seed: configuration.seed)
        let model = try Classifier.open("\(folder)/\(ExperimentRunner.backdooredModelName)")
        let context = try configuration.makeContext(progress: SilentProgress())
        func risks(_ positions: [Int]) throws -> Risks {
          try RiskEvaluator(
            images: test.subset(positions), triggered: [evaluator.triggered().subset(positions)],
            targets: [positions.map { evaluator.target($0) }], reference: model.prepared(for: context),
            adversary: .init(), context: context
          ).measure(model.prepared(for: context), context: context)
        }
        let drawn = test.stratifiedSample(count: 10, seed: configuration.seed, stream: "risks/samples")
        #expect(Set(drawn.map { test.labelArray()[$0] }).count == 10, "one of each class")
        let found = try risks(drawn)
        #expect(measured.adversarialRisk == found.adversarial && measured.backdoorRisk == found.backdoor)
        #expect(measured.riskCount == 10)
        let first = try risks(Array(0..<10))
        differs = differs || first.adversarial != found.adversarial || first.backdoor != found.backdoor
      }
      #expect(differs, "other images have other risks")
    }
  }
}
