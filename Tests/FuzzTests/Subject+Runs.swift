@testable import Attacks
@testable import Backdoor
import Evaluation
@testable import Experiments
import Files
import Formats
import Foundation
@testable import Grids
@testable import Reporting
@testable import Support
import Torch
import TorchNN
@testable import Training
@testable import Vision

extension Subject {
  /// All readers.
  /// - Parameter work: a folder for their files.
  static func all(in work: String) throws -> [Subject] {
    try images(in: work) + tensors(in: work) + texts(in: work) + runs(in: work)
  }

  // MARK: Tensor files

  private static let headerWords = [
    "\"__metadata__\":{", "\"dtype\":\"I64\"", "\"dtype\":\"BF16\"", "\"dtype\":\"F8_E4M3\"", "\"shape\":[0]",
    "\"shape\":[]",
    "\"data_offsets\":[0,0]",
    "\"images\":", "\"labels\":", "\"classes\":\"[]\"", ",", "\\u0000", "\\ud83d",
  ]

  private static func tensors(in work: String) throws -> [Subject] {
    func saved(_ tensors: [(key: String, tensor: Tensor)], _ metadata: [String: String] = [:]) throws -> [UInt8] {
      let path = "\(work)/saved.safetensors"
      try Safetensors.save(tensors, metadata: metadata, to: path)
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
    func subject(
      _ name: String, file: String = "input.safetensors", _ seeds: [[UInt8]], read: @escaping (String) throws -> Void
    ) throws
      -> Subject
    {
      try folder(name, in: work, file: file, seeds, words: headerWords, repair: Repair.safetensors) { try read($0) }
    }
    let data = try data()
    let model = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16)).make(
      Generator(seed: 1))
    try model.save("\(work)/model.safetensors")
    let modelFile = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(work)/model.safetensors")))
    try TensorFiles.write(data, to: "\(work)/train.safetensors")
    let setFile = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(work)/train.safetensors")))
    let labels = data.labelArray()
    func poison(_ index: Int) -> BackdoorBenchResult.Split {
      BackdoorBenchResult.Split(
        count: data.count, positions: Array(0..<data.count),
        samples: [
          BackdoorBenchResult.Sample(index: index, label: 1, trueLabel: labels[index], image: .file(""))
        ])
    }
    let result = BackdoorBenchResult(
      modelName: "m", classes: data.classes, dataset: "cifar10", dataPath: "./data/cifar10", imageSize: [16, 16, 3],
      train: poison(1), test: poison(0))
    let weight = TorchTensor(type: .float32, shape: [1]) { [0, 0, 128, 63] }
    try TorchWriter.write(
      result.frame(folder: "./record/run").filled(with: [("weight", weight)]), to: "\(work)/attack_result.pt")
    let attackResult = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(work)/attack_result.pt")))
    let picture = try DecodedImage(data.images[0]).encodePNG()
    let pattern = Tensor.full([3, 16, 16], 0.1)
    let linear = Linear(2, 3, Generator(seed: 1))
    let parameters = linear.stateDict().entries.map { ("model." + $0.key, $0.tensor) }
    let momentum = SGD(linear.parameters(), learningRate: 0.1, momentum: 0.9)
    let checkpoint = parameters + [("optimizer.0.momentum_buffer", Tensor.full([3, 2], 0))]
    return [
      try subject(
        "safetensors",
        [try golden("io.safetensors"), try saved([("a", pattern), ("b", Tensor([true, false]))], ["k": "v"])]
      ) {
        _ = try Safetensors.metadata(of: "\($0)/input.safetensors")
        for (_, tensor) in try Safetensors.load("\($0)/input.safetensors").tensors { _ = tensor.summary }
      },
      try subject("model", [modelFile]) { folder in
        let spec = try ModelSpec.stored(in: "\(folder)/input.safetensors")
        let model = try Classifier.open("\(folder)/input.safetensors")
        guard let shape = spec?.shape, shape.imageSize <= 32 else { return }
        _ = noGrad { model(Tensor.full([1, shape.channels, shape.imageSize, shape.imageSize], 0.5)) }.array(Float.self)
      },
      try folder(
        "torch", in: work, file: "input.pt",
        [
          "types.pt", "types_old.pth", "views.pt", "views_old.pt", "module.pt", "module_old.pth", "checkpoint.tar",
          "networks.pt", "deflated.pt", "big_endian.pt", "script.pt", "protocol5_old.pt",
        ].map { try golden("torch/\($0)") },
        words: [
          "PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}", "PK\u{6}\u{6}", "byteorder", "big", "little", "_modules",
          "ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nFloatStorage\n", "ccollections\nOrderedDict\n",
          "cos\nsystem\n",
          "(", "t", "R", "b", "Q", "}", "u", "s", "h\u{0}", "h\u{1}", "q\u{1}", "o", "i", "2", "0",
        ]
      ) { folder in
        let path = "\(folder)/input.pt"
        let file = try TensorFile.load(path)
        for (_, tensor) in file.contents.tensors { _ = tensor.summary }
        // Most of these hold no network: it has to return or throw.
        if let (entries, network) = try? ModelFileOptions().outline(of: path) {
          _ = network?.normalization(channels: 3)
          _ = try? RecognizedModel(entries, path: path, heads: network?.heads)
        }
      },
      try folder(
        "attack-result", in: work, file: BackdoorBenchResult.fileName, [attackResult],
        ["bd_test_dataset/\(labels[0])/0.png": picture, "bd_train_dataset/\(labels[1])/1.png": picture],
        words: ["h\u{0}", "X\u{4}\u{0}\u{0}\u{0}path", "../", "i8", "f8", "K\u{1}", "J\u{1}\u{0}\u{0}\u{0}"]
      ) { folder in
        let record = try BackdoorBenchRecord(folder)
        _ = try? record.triggered(data)
        _ = try? record.poisoned(data).rate
      },
      try subject("tensors-data-set", file: "train.safetensors", [setFile]) { folder in
        let data = try load("tensors", folder)
        _ = data.prefix(2).pixels(0..<min(2, data.count))
      },
      try subject("attack-trigger", [try saved([("trigger", pattern), ("positions", Tensor([Int64(1)]))])]) { folder in
        let learned = try LearnedAttack.read("\(folder)/input.safetensors")
        let attack = try AttackKind.named("clustered-trigger").make([:]).attack
        for task in try attack.tasks(for: data.shape, seed: 1, learned: learned) {
          _ = task.trigger.stamp(data.images, Generator(seed: 1))
        }
      },
      try subject(
        "attack-images",
        [try saved([("positions", Tensor([Int64(1), 3])), ("images", data.images[0..<2].contiguous())])]
      ) {
        folder in
        let learned = try LearnedAttack.read("\(folder)/input.safetensors")
        _ = try SleeperAgent(SleeperAgent.Configuration()).run(
          AttackContext(train: data, seed: 1, training: TrainingContext()), learned: learned)
      },
      try subject("checkpoint", [try saved(checkpoint, ["epoch": "1"]), try saved(parameters, ["epoch": "0"])]) {
        folder in
        let context = TrainingContext(checkpoints: OneCheckpoint("\(folder)/input.safetensors"))
        try EpochLoop(stage: "train", epochs: 2, imagesPerEpoch: 1, context: context).run(
          model: linear, optimizer: momentum
        ) { _, _ in }
      },
    ]
  }

  /// A file in place of a store; nothing is kept.
  private final class OneCheckpoint: CheckpointStore {
    let path: String
    init(_ path: String) { self.path = path }
    func load(stage: String) throws -> Checkpoint? { try Checkpoint(contentsOf: path) }
    func save(_ checkpoint: Checkpoint, stage: String) {}
  }

  private static func data() throws -> ImageDataset {
    let images = Generator(seed: 1).integers(0..<256, [4, 3, 16, 16]).to(.uint8)
    return ImageDataset(
      name: "tensors", images: images, labels: Tensor((0..<4).map { Int64($0) }), classNames: ["a", "b", "c", "d"])
  }

  // MARK: Texts

  private static func texts(in work: String) throws -> [Subject] {
    let configurations = [
      "seed: 0\ndataset: {name: cifar10, path: path/to/data}\nmodel: {name: preactresnet18, width: 16}\nrecipe: "
        + "{name: fast, epochs: 12}\n"
        + "attack: {name: blended, alpha: 0.2, pattern: cells}\ndefense: {name: sau, epochs: 20, start: random}\n",
      "a: &x {seed: 1}\nclean:\n  <<: *x\n  share: 0.5\nattack: badnets\ndefense:\n  name: dbd\n  pretrain:\n    "
        + "epochs: 3\n",
      try ExperimentConfiguration([:]).resolved().prettyJSON,
    ].map { Array($0.utf8) }
    func text(_ bytes: [UInt8]) throws -> String {
      guard let text = String(validating: bytes, as: UTF8.self) else { throw ParseError("not UTF-8") }
      return text
    }
    func configure(_ tree: JSONValue) throws {
      let configuration = try ExperimentConfiguration(tree)
      _ = try configuration.runID()
      _ = try configuration.resolved().prettyJSON
      _ = try (configuration.makeAttack(), configuration.makeDefense())
    }
    let json = try ExperimentConfiguration(["attack": "badnets", "defense": "sau"]).resolved().prettyJSON
    let published =
      "title: a paper\nunit: percent\nsettings: {dataset.name: cifar10}\nvalues:\n  - {attack: badnets, defense: sau, "
      + "metric: ACC, value: 90.5, deviation: 1, attack.rate: 0.1, source: table 1}\n"
    let samples =
      "index,path,row,label,class,decision,kept,suspicion,rank\n0,a.png,,1,cat,kept,1,0.5,2\n1,b.png,3,0,\"d\",rejected,0,1,1\n"
    return [
      try folder(
        "sample-table", in: work, file: "samples.csv", [Array(samples.utf8)], words: [",", ";", "\"", "\n", "kept"]
      ) {
        let table = try SampleTable("\($0)/samples.csv")
        let rejected = try table.rejected(by: .decision)
        _ = try (table.rejected(by: .mostSuspicious(1)), table.text(without: rejected, in: "/elsewhere"))
      },
      Subject(
        name: "yaml", seeds: [configurations[0]],
        words: ["&a ", "*a", "<<: ", "!!int ", "- ", ": ", "{", "|\n", "\t", "%YAML 1.2\n---\n", "? "]
      ) {
        try configure(try JSONValue(yaml: try text($0), source: "input"))
      },
      Subject(name: "yaml-tree", seeds: configurations, words: ["&a ", "*a", "<<: *x", "- ", "["]) {
        _ = try YAMLDocument(try text($0), source: "input").value.prettyJSON
      },
      Subject(
        name: "json",
        seeds: [Array(json.utf8), Array("[1, -0.5e3, \"\\ud83d\\ude00\", NaN, [[]], {\"a\": null}]".utf8)],
        words: ["[", "{\"", "\\u", "e", "Infinity"]
      ) {
        let value = try JSONValue(json: Data($0), source: "input")
        _ = (value.prettyJSON, value.canonicalJSON, value.kindDescription)
      },
      Subject(name: "configuration", seeds: [Array(json.utf8)], words: ["\"none\"", "null"]) {
        try configure(try JSONValue(json: Data($0), source: "input"))
      },
      Subject(
        name: "published-yaml", seeds: [Array(published.utf8)], words: ["unit: percent", "1e300", "metric: ", "- {"]
      ) {
        let paper = try PublishedResults(try text($0), source: "input", isCSV: false)
        _ = GridComparison(try ResultGrid([]), named: "grid", paper).text
      },
      Subject(
        name: "published-csv",
        seeds: [Array("attack,defense,metric,value,source,unit\nbadnets,sau,poisonKept,3,\"t, 1\",percent\n".utf8)],
        words: ["\"", ",", "\n", "1e300", "nan"]
      ) {
        for value in try PublishedResults(try text($0), source: "input", isCSV: true).values {
          _ = value.metric.text(value.value)
        }
      },
      Subject(
        name: "set-option",
        seeds: ["attack.rate=0.05", "defense={name: sau, epochs: 3}", "recipe.milestones=[1, 2]", "seed=7"].map {
          Array($0.utf8)
        },
        words: [".", "=", "attack.", "[", "name"]
      ) {
        try configure(try SettingsTree.apply([try text($0)], to: ["attack": ["name": "badnets"]]))
      },
    ]
  }

  // MARK: Runs

  private static func runs(in work: String) throws -> [Subject] {
    let record = try record(), metrics = metrics()
    func report(_ folder: String) throws {
      _ = try Report.write(runDirectory: folder)
      guard let record = try RunDirectory.open(folder).readRecord() else { return }
      _ = (Report.terminalTable(record), Report.markdownTable([record]), try record.encoded())
      _ = try Report.writeTensorBoard(runDirectory: folder)
      var run = RunSummary(record, folder: ".")
      _ = try (RunTable([run], columns: nil).text, RunDifference(run, run).text)
      run.status = .finished
      let grid = try ResultGrid([run])
      _ = GridPage(grid, title: "grid", charts: [], maps: [], root: folder, command: nil).html
      _ = (Report.gridMarkdown(grid, title: "grid"), GridComparison(grid, named: "a", grid, named: "b").text)
    }
    let data = try data()
    let manifests = try ["badnets", "blended"].map { name in
      let kind = try AttackKind.named(name)
      let choice = try kind.make(["rate": 0.5])
      let backdoored = try choice.attack.execute(AttackContext(train: data, seed: 1, training: TrainingContext()))
      let configuration = try ExperimentConfiguration(["attack": ["name": .string(name), "rate": 0.5]])
      return Array(
        try JSONValue(
          encoding: try PoisonManifest(backdoored, attack: configuration.attack!, configuration: configuration)
        ).prettyJSON.utf8)
    }
    return [
      try folder("record", in: work, file: "record.json", [record], ["metrics.jsonl": metrics], read: report),
      try folder("metrics", in: work, file: "metrics.jsonl", [metrics], ["record.json": record], read: report),
      try folder("poison", in: work, file: "poison.json", manifests) { folder in
        let path = "\(folder)/poison.json"
        for task in try PoisonManifest(contentsOf: path).makeTasks(for: data, source: path) {
          _ = (task.mapping.description, task.trigger.stamp(data.images, Generator(seed: 1)))
        }
      },
    ]
  }

  private static func metrics() -> [UInt8] {
    let entries = ["train", "sau"].flatMap { stage in
      (1...3).map { epoch in
        "{\"epoch\":\(epoch),\"stage\":\"\(stage)\",\"values\":{\"accuracy\":0.\(epoch),\"attackSuccessRate\":0.5,\"learningRate\":0.01,"
          + "\"trainLoss\":1.5,\"seconds\":2,\"imagesPerSecond\":\"Infinity\"}}\n"
      }
    }
    return Array(entries.joined().utf8)
  }

  private static func record() throws -> [UInt8] {
    let prediction = RunRecord.Prediction(label: 2, confidence: 0.9)
    let measurement = RunRecord.Measurement(
      label: "before", accuracy: 0.932, cleanCount: 10_000, attackSuccessRate: 0.981, robustAccuracy: 0.017,
      triggeredCount: 9_000,
      backdoorRisk: 0.981, adversarialRisk: 0.998, sharedAdversarialRisk: 0.97, riskCount: 1_000)
    var after = measurement
    after.label = "after"
    let record = RunRecord(
      id: "9f2c4a7be1d0", title: "BadNets against SAU", status: .finished, failure: nil,
      created: Date(timeIntervalSince1970: 1.7e9),
      finished: Date(timeIntervalSince1970: 1.7e9 + 60), command: "antidote run --seed 7",
      configuration: try ExperimentConfiguration(["attack": "badnets"]).resolved(),
      environment: .init(
        antidote: "0.1.0", libtorch: "2.9.1", swift: "6.3.1", os: "Debian", cpu: "Xeon", threads: 2, device: "cpu",
        precision: "float32",
        memory: 25_200_000_000),
      dataset: .init(
        name: "generated", trainCount: 50_000, testCount: 10_000, classNames: ["a", "b", "c"], channels: 3, height: 32,
        width: 32),
      poison: .init(
        attack: "BadNets", summary: "A white square.", rate: 0.1, poisonedCount: 5_000,
        mapping: "every class to class 0", targetLabel: 0),
      defense: .init(name: "SAU", summary: "Ten epochs."),
      stages: [
        .init(name: "train", seconds: 5420.5, epochs: 20, imagesPerSecond: 184.6, peakMemoryBytes: 1_900_000_000)
      ],
      measurements: [measurement, after], defenseEffectiveness: 0.9825,
      flags: [RaisedFlag(.fewTestImages, "Measured on 150 test images.")],
      samples: [
        .init(
          index: 3, label: 2, target: 0, clean: "samples/3-clean.png", triggered: "samples/3-triggered.png",
          difference: "samples/3-difference.png", magnification: 4,
          predictions: [.init(model: "before", clean: prediction, triggered: prediction)])
      ],
      perturbations: [
        .init(
          index: 4, label: 5, clean: "samples/4-clean.png", perturbation: "samples/4-perturbation.png",
          magnification: 2,
          perturbed: "samples/4-perturbed.png", predictions: [.init(model: "after", prediction: prediction)])
      ],
      findings: .init(
        detection: DetectionMetrics(rejected: [1], suspicion: [0.1, 0.9, 0.4, 0.2], poisoned: [1], count: 4),
        histograms: [.init(title: "loss", lower: 0, upper: 1, clean: [1, 2, 0], poisoned: [0, 0, 1], threshold: 0.5)],
        maps: [
          .init(title: "features", x: [0, 1, 2], y: [0.5, 1, -1], labels: [0, 1, 2], poisoned: [false, true, false])
        ],
        pictures: [
          .init(index: 5, label: 1, poisoned: true, kept: false, suspicion: 0.9, file: "samples/training-5.png")
        ]),
      lastEpochs: .init(stage: "sau", epochs: 3, accuracy: 0.5, attackSuccessRate: 0.1, robustAccuracy: 0.4))
    return Array(try record.encoded().utf8)
  }
}
