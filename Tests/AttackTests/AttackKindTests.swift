import Attacks
import Backdoor
import Files
import Foundation
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import Training
import Vision

/// What every attack promises. A new row in `AttackKind.all` is tested by this file as it is.
@Suite struct AttackKindTests {
  static let ids = AttackKind.all.map(\.id)

  /// What makes an attack that learns quick.
  private static let quick: [String: JSONValue] = [
    "sleeper-agent": ["steps": 2, "retrain": 1, "size": 4, "surrogate": ["epochs": 1, "batch": 16]],
    "clustered-trigger": ["epochs": 1, "pretrain": ["epochs": 1, "batch": 16], "excludeTarget": false],
    "label-consistent": ["surrogate": ["epochs": 1, "batch": 16], "linf": ["steps": 2]],
    "lf": [
      "passes": 1, "images": 4, "steps": 40, "aim": "nearest", "surrogate": ["epochs": 1, "batch": 16],
    ],
    "trojannn": ["steps": 2, "surrogate": ["epochs": 1, "batch": 16]],
    "ssba": ["epochs": 1, "secretEpochs": 0, "width": 2, "bits": 4],
    "wanet": ["coverRate": 0.125], "bpp": ["coverRate": 0.125], "adaptive-blend": ["coverRate": 0.125],
    "wanet-training": ["crossRatio": 0.5], "input-aware": ["crossRate": 0.125, "maskEpochs": 1, "width": 2],
    "lira": ["jointEpochs": 1, "width": 2],
    "adaptive-patch": ["coverRate": 0.125], "tact": ["coverRate": 0.125], "refool": ["reflections": 4],
  ]
  /// Attacks with cover samples.
  private static let covered: Set = [
    "wanet", "bpp", "adaptive-blend", "adaptive-patch", "tact", "wanet-training", "input-aware",
  ]
  /// How attacks that control training train.
  private static let recipe = Recipe.constant(epochs: 1, batch: 32, learningRate: 0.01)

  private func execute(_ attack: some Attack, _ data: ImageDataset, seed: Seed) throws -> AttackOutcome {
    try attack.execute(
      AttackContext(
        train: data, seed: seed, training: TrainingContext(precision: .float32, seed: seed),
        architecture: data.tinyArchitecture, recipe: Self.recipe))
  }
  private func run(_ id: String, _ data: ImageDataset, _ overrides: JSONValue = ["rate": 0.25], seed: Seed = 3) throws
    -> AttackOutcome
  {
    let settings = Self.quick[id].map { SettingsTree.merge($0, overrides) } ?? overrides
    return try execute(AttackKind.named(id).make(settings).attack, data, seed: seed)
  }

  /// What attacks that learn cannot begin with, and words of what they say.
  private static let refused: [(String, JSONValue, String)] = [
    ("label-consistent", ["rate": 0.5], "attack.rate 0.5 is more than target class 0"),
    ("label-consistent", ["target": 9], "class 9 does not exist"),
    ("sleeper-agent", ["rate": 0.5], "attack.rate 0.5 is more than target class 0"),
    ("sleeper-agent", ["source": 9], "class 9 does not exist"),
    ("sleeper-agent", ["source": 2, "target": 2], "both class 2"),
    ("sleeper-agent", ["size": 99], "99"),
    ("trojannn", ["area": 1, "margin": 3], "attack.area"),
    ("trojannn", ["rate": 1, "excludeTarget": true], "attack.rate"),
    ("input-aware", ["mapping": "clean-label"], "attack.mapping"),
  ]

  /// It is refused before anything starts, in the same words as when it starts.
  @Test(arguments: refused) func learningIsCheckedFirst(_ id: String, _ settings: JSONValue, words: String) throws {
    let data = ImageDataset.tiny(count: 40, classes: 4)
    let attack = try AttackKind.named(id).make(settings).attack
    let error = #expect(throws: BackdoorError.self) { try attack.checkPoisoning(of: data, seed: 3) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    let context = AttackContext(
      train: data, seed: 3, training: TrainingContext(precision: .float32, seed: 3),
      architecture: { _ in
        Issue.record("a network was made")
        throw CancellationError()
      })
    let later = #expect(throws: BackdoorError.self) { try attack.execute(context) }
    #expect(later?.description == error?.description)
    // With its defaults it can.
    try AttackKind.named(id).make(["rate": 0.1]).attack.checkPoisoning(of: data, seed: 3)
  }

  @Test func triggersThatDoNotFit() throws {
    let small = ImageDataset(
      name: "test", images: Tensor.full([40, 3, 4, 4], 99, dtype: .uint8),
      labels: Tensor((0..<40).map { Int64($0 % 4) }), classNames: ["a", "b", "c", "d"])
    let attack = try AttackKind.named("label-consistent").make(["rate": 0.1]).attack
    let error = #expect(throws: BackdoorError.self) { try attack.checkPoisoning(of: small, seed: 3) }
    #expect(error?.description.contains("do not fit images of 4x4") == true)
  }

  /// Images smaller than a trigger, classes that are not there, settings at the ends of their ranges: an outcome or an
  /// error, never a trap.
  @Test(arguments: ids) func extremeSettings(_ id: String) throws {
    let shapes = [(1, 1, 1), (3, 1, 1), (1, 2, 2), (3, 2, 2), (3, 4, 7), (1, 8, 8)]
    let kind = try AttackKind.named(id)
    let settings = kind.configuration.settings.filter {
      !["steps", "epochs", "retrain", "batch", "sources"].contains($0.key)
    }
    for (channels, height, width) in shapes {
      let images = Tensor.full([12, channels, height, width], 99, dtype: .uint8)
      let data = ImageDataset(
        name: "test", images: images, labels: Tensor((0..<12).map { Int64($0 % 3) }), classNames: ["a", "b", "c"])
      var overrides: [JSONValue] = [["target": 99], ["mapping": "all-to-all", "shift": 3]]
      for setting in settings {
        for end in setting.range.map({ [$0.lowerBound, $0.upperBound] }) ?? [] {
          overrides.append(.object([setting.key: Int(exactly: end).map(JSONValue.int) ?? .double(end)]))
        }
        for choice in setting.choices ?? [] { overrides.append(.object([setting.key: .string(choice)])) }
      }
      for override in overrides {
        guard let attack = try? kind.make(SettingsTree.merge(["rate": 0.25], override)).attack else { continue }
        if type(of: attack).learns {
          _ = try? attack.tasks(for: data.shape, seed: 3, learned: [:])
        } else {
          _ = try? execute(attack, data, seed: 3)
        }
      }
    }
  }

  @Test(arguments: ids) func isDocumented(_ id: String) throws {
    let kind = try AttackKind.named(id)
    #expect(SettingsTree.checkSettings(kind.configuration) == [])
    #expect(!kind.summary.isEmpty && kind.summary.hasSuffix(".") && !kind.paper.isEmpty)
    #expect(Self.ids.count { $0 == id } == 1)
  }

  @Test(arguments: ids) func settingsResolveToThemselves(_ id: String) throws {
    let kind = try AttackKind.named(id)
    let once = try kind.make([:]).settings
    #expect(try kind.make(once).settings == once)
    #expect(once.objectValue?.isEmpty == false)
    #expect(throws: SettingsError.self) { try kind.make(["no-such-setting": 1]) }
    #expect(throws: SettingsError.self) { try kind.make(["rate": 1.5]) }
    #expect(throws: SettingsError.self) { try kind.make(["rate": "much"]) }
  }

  @Test(arguments: ids, [(3, 32), (1, 28)]) func poisons(_ id: String, _ form: (channels: Int, size: Int)) throws {
    let data = ImageDataset.tiny(channels: form.channels, size: form.size)
    let (images, labels) = (data.images.clone(), data.labels.clone())
    let outcome = try run(id, data)
    expectSame(data.images, images, "the attacker's own copy")
    expectSame(data.labels, labels, "the attacker's own copy")
    let poisoned = outcome.train
    #expect(poisoned.data.images.shape == images.shape && poisoned.data.images.dtype == .uint8)
    #expect(poisoned.data.classNames == data.classNames)
    #expect(poisoned.indices.count == 16 && poisoned.tasks.count == 16)
    #expect(poisoned.covers.count == (Self.covered.contains(id) ? 8 : 0))
    #expect(Set(poisoned.covers).isDisjoint(with: poisoned.indices))
    for position in poisoned.covers { expectSame(poisoned.data.labels[position], labels[position], "a right label") }
    let touched = Set(poisoned.indices + poisoned.covers)
    #expect(poisoned.data.labelArray().allSatisfy { (0..<data.classes).contains($0) })
    for position in 0..<data.count where !touched.contains(position) {
      expectSame(poisoned.data.images[position], images[position])
      expectSame(poisoned.data.labels[position], labels[position])
    }
    #expect(!outcome.tasks.isEmpty)
    for task in outcome.tasks {
      let stamped = task.trigger.stamp(images, Generator(seed: 1))
      #expect(stamped.shape == images.shape && stamped.dtype == .uint8)
      expectSame(stamped, task.trigger.stamp(images, Generator(seed: 1)), "the same draw gives the same images")
      let floats = task.trigger(images.unitPixels(), Generator(seed: 1))
      #expect(floats.shape == images.shape && floats.dtype == .float32 && floats.isFinite().all().intItem() == 1)
      #expect(floats.min().item() >= 0 && floats.max().item() <= 1)
      #expect((stamped.to(.float32) - floats * 255).abs().max().item() <= 0.51, "both ways to stamp agree")
    }
    expectSame(data.images, images, "the attacker's own copy after stamping")
  }

  /// The record of a run holds configuration and seed: they have to give the same triggers again.
  @Test(arguments: ids) func isDeterministic(_ id: String) throws {
    let data = ImageDataset.tiny(size: 32)
    let overrides: JSONValue = ["rate": 0.125]
    let (one, again, other) = (
      try run(id, data, overrides), try run(id, data, overrides), try run(id, data, overrides, seed: 4)
    )
    #expect(one.train.indices == again.train.indices)
    expectSame(one.train.data.images, again.train.data.images)
    expectSame(one.train.data.labels, again.train.data.labels)
    #expect(one.train.indices != other.train.indices)
    let attack = try AttackKind.named(id).make(Self.quick[id] ?? [:]).attack
    let tasks = type(of: attack).learns ? again.tasks : try attack.tasks(for: data.shape, seed: 3)
    for (a, b) in zip(one.tasks, tasks) {
      #expect(a.mapping == b.mapping)
      expectSame(a.trigger.stamp(data.images, Generator(seed: 1)), b.trigger.stamp(data.images, Generator(seed: 1)))
    }
  }

  @Test(arguments: ids) func refusesWhatCannotBe(_ id: String) throws {
    let none = ImageDataset.tiny().prefix(0)
    #expect(throws: BackdoorError.self) { try run(id, none) }
    let attack = try AttackKind.named(id).make([:])
    let mapping: JSONValue = attack.settings["mapping"] == nil ? [:] : ["mapping": "all-to-one"]
    #expect(throws: BackdoorError.self) { try run(id, .tiny(), SettingsTree.merge(mapping, ["target": 4])) }
    if type(of: attack.attack).learns {
      #expect(throws: BackdoorError.self, "there is nothing to learn from") { try run(id, .tiny(), ["rate": 0]) }
    } else {
      #expect(try run(id, .tiny(), ["rate": 0]).train.indices.isEmpty)
    }
  }

  private static let withImages = AttackKind.all.filter { $0.configuration.settings.contains { $0.key == "image" } }

  /// A file's picture takes the place of the pattern, another one another's.
  @Test(arguments: withImages.map(\.id)) func imageFromAFile(_ id: String) throws {
    let kind = try AttackKind.named(id)
    let isChoice = kind.configuration.settings.contains { $0.key == "pattern" && $0.choices?.contains("image") == true }
    let shape = ImageShape(channels: 3, height: 16, width: 16)
    let images = storedImages(6, height: 16, width: 16)
    func stamped(_ settings: JSONValue) throws -> [Tensor] {
      try kind.make(settings).attack.tasks(for: shape, seed: 3).flatMap { task in
        [task.trigger, task.trainingTrigger].map { $0.stamp(images, Generator(seed: 1)) }
      }
    }
    try withTemporaryFolder { folder in
      let pictures = try [1, 2].map { number in
        let file = "\(folder)/\(number).png"
        let bytes = Generator(seed: UInt64(number)).integers(0..<256, [16 * 16 * 3]).to(.uint8).array(UInt8.self)
        try Data(DecodedImage(width: 16, height: 16, channels: 3, pixels: bytes).encodePNG()).write(
          to: URL(fileURLWithPath: file))
        let settings: JSONValue = ["image": .string(file)]
        return try stamped(isChoice ? SettingsTree.merge(settings, ["pattern": "image"]) : settings)
      }
      for (pattern, (one, other)) in zip(try stamped([:]), zip(pictures[0], pictures[1])) {
        #expect((one .!= pattern).any().intItem() == 1 && (one .!= other).any().intItem() == 1)
        #expect((one .!= images).any().intItem() == 1)
      }
    }
    if isChoice {
      let error = #expect(throws: BackdoorError.self) { _ = try stamped(["pattern": "image"]) }
      #expect(error?.description.contains("attack.image") == true)
    }
  }

  @Test func unknownName() {
    let error = #expect(throws: SettingsError.self) { try AttackKind.named("badnet") }
    #expect(error?.description.contains("badnets") == true)
  }

  /// A direct user may build a configuration that no file can hold.
  @Test func ratesAreChecked() {
    var configuration = BadNets.Configuration()
    for rate in [-0.1, 1.1, .nan] {
      configuration.rate = rate
      #expect(throws: BackdoorError.self) { try execute(BadNets(configuration), .tiny(), seed: 1) }
    }
  }
}
