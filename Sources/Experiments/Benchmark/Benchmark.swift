import Attacks
import Backdoor
import Defenses
import Files
import Foundation
public import Support
public import Torch
import TorchNN
public import Training
import Vision

/// How fast this program trains, evaluates, purifies and poisons on this machine: PreAct-ResNet18 on 32x32 images.
///
/// Each row runs what users run: `Trainer`, `Classifier.logits(of:)`, `AdversarialUnlearning.losses`, `Trigger.stamp`,
/// after one step that does not count. Images come from the folder given, or are random. All but stamping runs on the
/// device of the settings.
public final class Benchmark {
  /// What is measured, and how long.
  public struct Settings: Sendable {
    /// Channels of the first stage; 64 is the published network.
    public var width = 64
    /// Images in one training step.
    public var batch = 128
    /// Images in one evaluation batch.
    public var evaluationBatch = Batches.evaluationSize
    /// Images in one batch of Shared Adversarial Unlearning.
    public var unlearningBatch = 64
    /// Steps of training and evaluation in one measurement.
    public var steps = 6
    /// Images in the training set of which an epoch is measured.
    public var epochImages = 1024
    /// The arithmetic of all rows that do not name theirs; not `auto`.
    public var precision = Precision.float32
    public var device = Device.cpu
    /// A folder with CIFAR-10; nil draws random images.
    public var data: String? = nil
    public init() {}
  }

  /// A row of the table.
  public struct Row: Sendable {
    /// `train/auto` (the precision of the settings), `train/float32`.
    public let id: String
    public let summary: String
    /// The arithmetic, where the row names it.
    var precision: Precision? = nil
    /// Images per second of one measurement.
    let measure: @Sendable (Benchmark, _ warmUp: Bool) throws -> Double

    /// What comes before the slash: `--rows` chooses by it.
    public var group: String { String(id.prefix { $0 != "/" }) }
  }

  public static let rows: [Row] =
    inEachPrecision("train", "training from uint8 images: crop, flip, SGD with momentum") {
      try $0.train($1, warmUp: $2)
    }
    + inEachPrecision("eval", "logits of a data set") { try $0.evaluate($1, warmUp: $2) }
    + inEachPrecision("sau", "one batch of SAU, inner and outer problem") { try $0.unlearn($1, warmUp: $2) }
    + inEachPrecision("audit", "the searches of an audit, a few steps for each class") {
      try $0.audit($1, warmUp: $2)
    }
    + [
      Row(id: "train/crop-flip", summary: "the augmentation of a training step alone") { try $0.cropFlip(warmUp: $1) }
    ]
    + ["badnets", "blended", "wanet", "sig", "lf", "bpp"].map { attack in
      Row(id: "poison/\(attack)", summary: "stamping uint8 images") { try $0.poison(attack, warmUp: $1) }
    }
    + ["ssba", "input-aware", "lira"].map { attack in
      Row(id: "poison/\(attack)", summary: "the same, by the attack's networks") {
        try $0.poison(attack, images: $0.settings.evaluationBatch, warmUp: $1)
      }
    }
    + long

  /// Those that are measured only where they are named.
  private static let long: [Row] = DefenseWork.all.map(\.row) + EpochCost.all.map(\.row)

  private static func inEachPrecision(
    _ group: String, _ summary: String,
    _ measure: @escaping @Sendable (Benchmark, _ precision: Precision, _ warmUp: Bool) throws -> Double
  ) -> [Row] {
    [Row(id: "\(group)/auto", summary: summary) { try measure($0, $0.settings.precision, $1) }]
      + [Precision.float32, .bfloat16].map { precision in
        Row(id: "\(group)/\(precision.rawValue)", summary: "the same in \(precision.rawValue)", precision: precision) {
          try measure($0, precision, $1)
        }
      }
  }

  /// Groups that are quick enough to measure unasked: all but the epochs of every system and the baselines' work.
  public static var usualGroups: [String] { groups.filter { $0 != EpochCost.group && $0 != DefenseWork.group } }

  public static var groups: [String] {
    rows.map(\.group).reduce(into: []) { groups, group in if !groups.contains(group) { groups.append(group) } }
  }

  /// The rows that a list such as `train,poison/badnets` names.
  ///
  /// The name of a group leaves out rows whose arithmetic another row has already, and bfloat16 on a CPU without
  /// instructions for it.
  /// - Parameter precision: the arithmetic of the settings.
  /// - Throws: `SettingsError` that lists the known names.
  public static func rows(
    named list: String, precision: Precision, hasBFloat16: Bool = Runtime.cpuHasFastBFloat16
  ) throws(SettingsError) -> [Row] {
    let names = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    for name in names where !groups.contains(name) && !rows.contains(where: { $0.id == name }) {
      throw SettingsError.unknownName(what: "row", name: name, known: groups + rows.map(\.id))
    }
    return rows.filter { row in
      let isUsual = row.precision != precision && (row.precision != .bfloat16 || hasBFloat16)
      return names.contains(row.id) || names.contains(row.group) && isUsual
    }
  }

  public let settings: Settings
  /// On the device.
  let data: ImageDataset
  private var warm: Set<String> = []
  private var madeInputs: DefenseInputs?

  var device: Device { settings.device }

  /// - Throws: `DataError` if the folder does not hold CIFAR-10.
  public init(_ settings: Settings) throws {
    self.settings = settings
    data = try Self.images(settings).to(settings.device)
  }

  private static func images(_ settings: Settings) throws -> ImageDataset {
    let count = 4096
    if let path = settings.data {
      var source = DatasetSettings()
      source.name = "cifar10"
      source.path = path
      source.train = count
      return try ImageDataset.load(source, .train)
    }
    let random = Generator(seed: 0)
    return ImageDataset(
      name: "random", images: random.integers(0..<256, [count, 3, 32, 32]).to(.uint8),
      labels: random.integers(0..<10, [count]),
      classNames: (0..<10).map(String.init))
  }

  /// What the rows of the group `defenses` compute from, made at the first use.
  func inputs() throws -> DefenseInputs {
    if let madeInputs { return madeInputs }
    let made = try DefenseInputs(self)
    madeInputs = made
    return made
  }

  /// Writes what the rows of a group compute from, for the peer.
  /// - Returns: whether the group has such a file.
  /// - Throws: `FileError`.
  public func saveInputs(of group: String, to path: String) throws -> Bool {
    guard group == DefenseWork.group else { return false }
    try inputs().save(to: path)
    return true
  }

  /// A number that comes out of a row's first step, in float32, which the peer has to get too; nil of a row that has none.
  public func value(of row: Row) throws -> Double? {
    guard let work = DefenseWork.all.first(where: { $0.row.id == row.id }) else { return nil }
    return try work.value(try inputs(), TrainingContext(device: device, precision: .float32))
  }

  /// Images per second. The first measurement of a row is preceded by a short one that does not count.
  public func measure(_ row: Row) throws -> Double {
    if warm.insert(row.id).inserted { _ = try row.measure(self, true) }
    return try row.measure(self, false)
  }

  func model() -> Classifier {
    PreActResNet18(classes: 10, width: settings.width, normalization: .cifar10, Generator(seed: 0)).to(device)
  }

  /// Images per second of a body that handles `images`.
  func rate(_ images: Int, _ body: () throws -> Void) rethrows -> Double {
    if device.isCUDA { Runtime.synchronize() }
    let seconds =
      try ContinuousClock().measure {
        try body()
        if device.isCUDA { Runtime.synchronize() }
      } / .seconds(1)
    return Double(images) / max(seconds, 1e-9)
  }

  private func train(_ precision: Precision, warmUp: Bool) throws -> Double {
    var recipe = Recipe()
    recipe.epochs = 1
    recipe.batch = settings.batch
    recipe.learningRate = 0.01
    recipe.nesterov = false
    recipe.schedule = .constant
    let context = TrainingContext(device: device, precision: precision)
    let model = model()
    let images = data.prefix(settings.batch * (warmUp ? 1 : settings.steps))
    return try rate(images.count) { try Trainer(recipe).train(model, on: images, context: context) }
  }

  private func cropFlip(warmUp: Bool) throws -> Double {
    let augmentation = CropFlip()
    let generator = Generator(seed: 0, device: device)
    let order = generator.permutation(data.count)
    let batches = Batches(count: data.count, size: settings.batch, dropLast: true)
    return rate(batches.images) {
      for range in batches.ranges { _ = augmentation.gather(images: data.images, indices: order[range], generator) }
    }
  }

  private func evaluate(_ precision: Precision, warmUp: Bool) throws -> Double {
    let context = TrainingContext(device: device, precision: precision)
    let model = model()
    model.to(.channelsLast).eval()
    let images = data.prefix(settings.evaluationBatch * (warmUp ? 1 : settings.steps))
    return rate(images.count) { _ = model.logits(of: images, context: context, batch: settings.evaluationBatch) }
  }

  private func unlearn(_ precision: Precision, warmUp: Bool) throws -> Double {
    let context = TrainingContext(device: device, precision: precision)
    let configuration = SharedAdversarialUnlearning.Configuration()
    let (student, reference) = (model(), model())
    for model in [student, reference] { model.to(.channelsLast).eval() }
    let batch = data.prefix(settings.unlearningBatch)
    // Known before the first batch: the reference never changes.
    let classes = noGrad { reference.logits(of: batch, context: context).argmax(1) }
    let method = AdversarialUnlearning(configuration, stage: SharedAdversarialUnlearning.id)
    let optimizer = configuration.makeOptimizer(for: student)
    let step = AdversarialUnlearning<SharedAdversarialUnlearning>.Step(
      images: batch.pixels(0..<batch.count).contiguous(.channelsLast), labels: batch.labels, referenceClasses: classes)
    return rate(batch.count) {
      let losses = method.losses(
        step, student: student, reference: reference, context: context, generator: Generator(seed: 0, device: device))
      optimizer.step(minimizing: losses.total)
    }
  }

  /// Stamping some of the images four times, or all of them. A learned trigger has random weights.
  private func poison(_ attack: String, images limit: Int? = nil, warmUp: Bool) throws -> Double {
    let attack = try AttackKind.named(attack).make([:]).attack
    let trigger: any Trigger
    if let learning = attack as? any AttackWithUntrainedTrigger {
      trigger = learning.untrainedTrigger(for: data.shape, Generator(seed: 0))
    } else if let task = try attack.tasks(for: data.shape, seed: Seed(0), learned: [:]).first {
      trigger = task.trigger
    } else {
      throw BackdoorError.invalid("attack \(type(of: attack).id) has no trigger to measure.")
    }
    let generator = Generator(seed: 0)
    let images = data.images[0..<min(limit ?? data.count, data.count)].to(.cpu)
    let order = generator.permutation(images.dimension(0))
    let rounds = warmUp ? 1 : 4
    return rate(rounds * order.count) {
      for _ in 0..<rounds { _ = trigger.stamp(images[order], generator) }
    }
  }
}
