import Backdoor
import Defenses
import Files
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// What every defense promises. A new row in `DefenseKind.all` is tested by this file as it is.
@Suite struct DefenseKindTests {
  static let ids = DefenseKind.all.map(\.id)
  /// Settings under which a defense finishes at once, for those that have no `epochs` and `batch` of their own.
  private static let quick: [String: JSONValue] = {
    let short: JSONValue = ["epochs": 1, "batch": 12, "crop": 0]
    let recipe: JSONValue = ["recipe": short]
    let stage: JSONValue = ["epochs": 1, "batch": 32]
    let filter: JSONValue = ["rounds": 2, "bags": 1, "share": 0.4, "stopAt": 4, "learner": short]
    let trained = [
      "spl", "spl-at", "prl", "prl-at", "bootstrap", "bootstrap-at", "noisy-at", "at", "cat", "dpsgd",
      "shrinkpad-training",
    ]
    return Dictionary(uniqueKeysWithValues: trained.map { ($0, recipe) }).merging([
      "fp": ["share": 0.3, "finetune": short],
      "anp": ["iterations": 3, "batch": 12, "threshold": 0.98, "learningRate": 1],
      "ep": ["deviations": 0.9, "images": 30],
      "nc": ["epochs": 1, "batch": 12, "falseAlarms": 1, "simulations": 100, "unlearning": short],
      "mesa": [
        "epochs": 1, "batch": 12, "works": 0, "falseAlarms": 1, "simulations": 100, "unlearning": short, "noise": 4,
        "width": 4, "thresholds": [0.5],
      ],
      "nad": ["epochs": 1, "teacherEpochs": 1, "batch": 12, "cutout": 5],
      "i-bau": ["rounds": 1, "batch": 12],
      "prl-simclr": ["pretraining": stage, "recipe": short],
      "ispl": filter, "self-expansion": ["filter": filter, "recipe": short],
      "dbd": [
        "pretrain": stage, "tune": stage, "finetune": ["epochs": 1, "iterations": 2, "batch": 6], "embeddings": 5,
      ],
      "dbd-filter": ["pretrain": stage, "tune": stage, "embeddings": 5],
      "spectral": [:], "activation-clustering": ["least": 4], "random-filter": [:], "oracle-filter": [:],
      "ibd-psc": [:],
      "shrinkpad": [:],
      "abl": ["isolationEpochs": 1, "tuningEpochs": 1, "unlearningEpochs": 1, "batch": 12, "isolated": 0.1],
    ]) { $1 }
  }()

  private static func defense(_ id: String) throws -> any Defense {
    try DefenseKind.named(id).make(quick[id] ?? ["epochs": 1, "batch": 12]).defense
  }

  /// The stages that a defense plans are those that it does, with about as many images.
  private func expectPlanned(_ id: String, _ given: Resources, _ progress: RecordingProgress) throws {
    let size = DefenseSize(
      train: given.train.count, clean: given.clean.count, unlabeled: given.clean.count, classes: given.train.classes)
    let planned = try Self.defense(id).plannedWork(size)
    let begun = progress.stages
    // What depends on what the method finds.
    let open: Set = ["nc", "mesa", "mesa-levels"]
    #expect(
      begun.map(\.stage).filter { !open.contains($0) } == planned.map(\.stage).filter { !open.contains($0) }, "\(id)")
    let isOpen = ["ispl", "self-expansion"].contains(id)
    for (work, stage) in zip(planned, begun) where !isOpen {
      #expect((0.6...1.5).contains(work.images / max(stage.images, 1)), "\(work) \(stage)")
    }
  }

  /// Everything that a defense could ask for.
  private struct Resources {
    let train: ImageDataset
    let clean: ImageDataset
    let model: Classifier
  }
  private func resources(channels: Int = 3, size: Int = 32) throws -> Resources {
    let data = ImageDataset.tiny(channels: channels, size: size)
    let model = try Classifier.tiny(for: data, kind: "preactresnet18")
    return Resources(train: data, clean: data.prefix(24), model: model)
  }
  private func run(
    _ id: String, _ given: Resources, seed: Seed = 5, progress: any ProgressReporter = SilentProgress()
  ) throws -> DefenseOutcome {
    let defense = try Self.defense(id)
    let context = TrainingContext(precision: .float32, seed: seed, progress: progress)
    let input = try DefenseInput(
      for: type(of: defense), training: context, seed: seed, architecture: given.train.tinyArchitecture,
      poisonedTrain: given.train,
      model: given.model, cleanSplit: given.clean, unlabeled: given.clean, truth: [2, 5])
    return try defense.run(input)
  }

  @Test(arguments: ids) func isDocumented(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    #expect(SettingsTree.checkSettings(kind.configuration) == [])
    #expect(!kind.summary.isEmpty && kind.summary.hasSuffix(".") && !kind.paper.isEmpty && !kind.requires.isEmpty)
    #expect(Self.ids.count { $0 == id } == 1)
  }

  @Test(arguments: ids) func settingsResolveToThemselves(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    let once = try kind.make([:]).settings
    #expect(try kind.make(once).settings == once)
    #expect(throws: SettingsError.self) { try kind.make(["no-such-setting": 1]) }
    #expect(throws: SettingsError.self) { try kind.make(["epochs": "many"]) }
  }

  /// A preset is its settings over the defaults and under what is set besides; every one of its settings is another than
  /// the default.
  @Test(arguments: ids) func presets(_ id: String) throws {
    let kind = try DefenseKind.named(id)
    let defaults = try kind.make([:]).settings
    for preset in kind.presets {
      let named: JSONValue = [SettingsPreset.key: .string(preset.name)]
      var settings = try kind.make(named).settings
      #expect(try kind.make(settings).settings == settings && settings[SettingsPreset.key] == .string(preset.name))
      settings[SettingsPreset.key] = nil
      #expect(try settings == kind.make(preset.settings).settings && !preset.source.isEmpty)
      for (key, value) in preset.leaves {
        let path = key.split(separator: ".").map(String.init)
        let (own, usual) = (settings[path: path], defaults[path: path])
        #expect(own != usual, "\(key)")
        // What the user says counts more.
        let back = try kind.make(SettingsTree.apply(["\(key)=\(try #require(usual).compactJSON)"], to: named)).settings
        #expect(back[path: path] == usual, "\(key) = \(value)")
      }
    }
    let error = #expect(throws: SettingsError.self) { try kind.make(["preset": "backdorbench"]) }
    #expect(error?.issues.first?.path == "defense.preset")
    let names = kind.presets.map(\.name)
    let expected = names.isEmpty ? "has no presets" : "Known: \(names.joined(separator: ", "))."
    #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    #expect(throws: SettingsError.self) { try kind.make(["preset": 3]) }
    #expect(try kind.make(["preset": .null]).settings == defaults)
  }

  @Test func presetOfTheLibrary() throws {
    let c = try NeuralCleanse.configuration(preset: "backdoorbench")
    #expect(c.rule == .published && c.unlearning.epochs == 100 && c.unlearning.batch == 256 && c.epochs == 80)
    #expect(throws: SettingsError.self) { try FineTuning.configuration(preset: "backdoorbench") }
  }

  @Test(arguments: ids, [(3, 32), (1, 28)]) func runs(_ id: String, _ form: (channels: Int, size: Int)) throws {
    let given = try resources(channels: form.channels, size: form.size)
    let before = given.model.snapshot()
    let (images, labels) = (given.clean.images.clone(), given.clean.labels.clone())
    let progress = RecordingProgress()
    let outcome = try run(id, given, progress: progress)
    try expectPlanned(id, given, progress)
    expectSame(given.model.snapshot(), before, "the suspect model")
    #expect(given.model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil }, "the suspect model")
    expectSame(given.clean.images, images, "the clean split")
    expectSame(given.clean.labels, labels, "the clean split")

    if try DefenseKind.named(id).stage == .model {
      let model = try #require(outcome.model)
      #expect(model !== given.model && !model.isTraining)
      #expect(model.classes == given.model.classes && model.spec == given.model.spec)
      let after = model.snapshot()
      #expect(after.map(\.key) == before.map(\.key) && after.map(\.tensor.shape) == before.map(\.tensor.shape))
      #expect(after.map(\.tensor.dtype) == before.map(\.tensor.dtype))
      #expect(after.allSatisfy { $0.tensor.to(.float32).isFinite().all().intItem() == 1 })
      #expect(zip(after, before).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 }, "it did something")
      #expect(model.parameters().allSatisfy { $0.requiresGrad })
    }
    if try DefenseKind.named(id).stage == .training {
      let model = try #require(outcome.model)
      #expect(!model.isTraining && model.spec != nil && model.parameters().allSatisfy { $0.requiresGrad })
      #expect(model.snapshot().allSatisfy { $0.tensor.to(.float32).isFinite().all().intItem() == 1 })
    }
    if try DefenseKind.named(id).stage == .data { #expect(outcome.filtered != nil) }
    for scores in outcome.scores { #expect(scores.values.count == given.train.count && !scores.title.isEmpty) }
    for embedding in outcome.embeddings { #expect(embedding.features.dimension(0) == embedding.indices.count) }
    if let (kept, rejected) = outcome.filtered {
      #expect((kept + rejected).sorted() == Array(0..<given.train.count))
    }
    if let suspicion = outcome.suspicion {
      #expect(suspicion.count == given.train.count && suspicion.allSatisfy { $0.isFinite })
    }
    for exhibit in outcome.exhibits {
      #expect(exhibit.images.dtype == .uint8 && exhibit.images.shape == exhibit.perturbations.shape)
      #expect(exhibit.perturbations.isFinite().all().intItem() == 1 && !exhibit.perturbations.requiresGrad)
      #expect(exhibit.labels.count == exhibit.images.dimension(0) && !exhibit.title.isEmpty)
    }
  }

  /// Whoever purifies a model may go on with the one that he gave: layout, modes, device and what trains in it stay.
  @Test(
    arguments: DefenseKind.all.filter { $0.stage == .model && $0.requires == [.model, .cleanSplit] }.map(\.id),
    [MemoryFormat.contiguous, .channelsLast])
  func purifyingLeavesTheModelAsItWas(_ id: String, _ format: MemoryFormat) throws {
    let (defense, _) = try DefenseKind.named(id).make(Self.quick[id] ?? ["epochs": 1, "batch": 12])
    for training in [true, false] {
      let given = try resources(size: 16)
      given.model.to(format).train(training)
      let inner = try #require(given.model.modules().first { $0.module is BatchNorm2d }?.module)
      inner.train(!training)
      given.model.parameters()[0].requiresGrad_(false)
      func state() -> [String] {
        given.model.modules().map { "\($0.path) \($0.module.isTraining)" }
          + given.model.stateDict().entries.map { key, tensor in
            "\(key) \(tensor.device) \(tensor.isContiguous(.contiguous)) \(tensor.isContiguous(.channelsLast))"
          } + given.model.namedParameters().map { "\($0.key) \($0.tensor.requiresGrad) \($0.tensor.grad == nil)" }
      }
      let (before, values) = (state(), given.model.snapshot())
      let purified = try defense.purify(
        given.model, clean: given.clean, context: TrainingContext(precision: .float32, seed: 4))
      #expect(state() == before)
      expectSame(given.model.snapshot(), values, "the suspect model")
      // Nor does it share its weights with the other one.
      noGrad { for (_, tensor) in purified.stateDict().entries where tensor.dtype.isFloatingPoint { tensor.fill_(9) } }
      expectSame(given.model.snapshot(), values, "the suspect model after a change of the purified one")
    }
  }

  @Test(arguments: ids) func isDeterministic(_ id: String) throws {
    let given = try resources(size: 16)
    let one = try run(id, given)
    let again = try run(id, given)
    let other = try run(id, given, seed: 6)
    if let model = one.model, let same = again.model, let different = other.model {
      expectSame(model.snapshot(), same.snapshot())
      // A guard leaves the weights as they are.
      if try DefenseKind.named(id).stage == .input { return }
      #expect(
        zip(model.snapshot(), different.snapshot()).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 },
        "the seed matters")
    }
    for (a, b) in zip(one.exhibits, again.exhibits) { expectSame(a.perturbations, b.perturbations) }
  }

  /// The input holds what the threat model grants and nothing else, whatever the caller has.
  @Test(arguments: ids) func getsWhatItRequires(_ id: String) throws {
    let given = try resources()
    let kind = try DefenseKind.named(id)
    let type = type(of: try kind.make([:]).defense)
    let context = TrainingContext()
    let input = try DefenseInput(
      for: type, training: context, seed: 1, poisonedTrain: given.train, model: given.model, cleanSplit: given.clean,
      unlabeled: given.clean, truth: [2]
    )
    let granted: [(Resource, () throws -> Any)] = [
      (.poisonedTrain, { try input.poisonedTrain() }), (.model, { try input.model() }),
      (.cleanSplit, { try input.cleanSplit() }),
      (.unlabeled, { try input.unlabeled() }), (.truth, { try input.truth() }),
    ]
    for (resource, get) in granted {
      if kind.requires.contains(resource) {
        _ = try get()
      } else {
        #expect(throws: DefenseError.self) { _ = try get() }
      }
    }
    for missing in kind.requires {
      let error = #expect(throws: DefenseError.self) {
        try DefenseInput(
          for: type, training: context, seed: 1, poisonedTrain: missing == .poisonedTrain ? nil : given.train,
          model: missing == .model ? nil : given.model,
          cleanSplit: missing == .cleanSplit ? given.clean.prefix(0) : given.clean,
          unlabeled: missing == .unlabeled ? nil : given.clean, truth: missing == .truth ? nil : [2])
      }
      #expect(error?.description.contains(missing.rawValue) == true && error?.description.contains(id) == true)
    }
  }

  @Test func unknownName() {
    let error = #expect(throws: SettingsError.self) { try DefenseKind.named("sao") }
    #expect(error?.description.contains("sau") == true)
  }
}
