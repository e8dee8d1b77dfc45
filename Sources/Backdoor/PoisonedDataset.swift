public import Support
public import Torch
public import Vision

/// A training set with poisoned samples, and with cover samples where the attack has them. A defense gets `data` alone;
/// the rest is for evaluation.
public struct PoisonedDataset {
  /// What the model is trained on.
  public let data: ImageDataset
  /// Positions of the poisoned samples in `data`, ascending.
  public let indices: [Int]
  /// Which backdoor task each poisoned sample belongs to.
  public let tasks: [Int]
  /// The true label of every sample, int64 N.
  public let trueLabels: Tensor
  /// Positions of the cover samples in `data`, ascending: changed images with their true labels. None is in `indices`.
  public let covers: [Int]
  /// Which backdoor task each cover sample belongs to.
  public let coverTasks: [Int]

  public init(
    data: ImageDataset, indices: [Int], tasks: [Int], trueLabels: Tensor, covers: [Int] = [], coverTasks: [Int] = []
  ) {
    require(
      indices.count == tasks.count && covers.count == coverTasks.count && Set(indices).isDisjoint(with: covers),
      "PoisonedDataset: each poisoned and each cover sample has one task, and none is both")
    self.data = data
    self.indices = indices
    self.tasks = tasks
    self.trueLabels = trueLabels
    self.covers = covers
    self.coverTasks = coverTasks
  }

  /// The samples at these positions, in this order.
  public func subset(_ positions: [Int]) -> PoisonedDataset {
    let number = Dictionary(positions.enumerated().map { ($1, $0) }) { first, _ in first }
    func left(_ indices: [Int], _ tasks: [Int]) -> [(index: Int, task: Int)] {
      zip(indices, tasks).compactMap { index, task in number[index].map { ($0, task) } }.sorted { $0.0 < $1.0 }
    }
    let (poison, cover) = (left(indices, tasks), left(covers, coverTasks))
    return PoisonedDataset(
      data: data.subset(positions), indices: poison.map(\.index), tasks: poison.map(\.task),
      trueLabels: trueLabels[Tensor(positions.map(Int64.init)).to(trueLabels.device)], covers: cover.map(\.index),
      coverTasks: cover.map(\.task))
  }

  /// Share of the whole set that is poisoned.
  public var rate: Double { data.count == 0 ? 0 : Double(indices.count) / Double(data.count) }
}

/// The classes that cover samples are drawn from.
public enum CoverClasses: Sendable, Equatable {
  case all
  case only(Set<Int>)
  case except(Set<Int>)

  func contain(_ label: Int) -> Bool {
    switch self {
    case .all: true
    case .only(let classes): classes.contains(label)
    case .except(let classes): !classes.contains(label)
    }
  }
}

/// How samples are chosen for poisoning.
public struct PoisonSelection: Sendable {
  /// Share of the training set; for source to target: of the target class.
  public var rate: Double
  /// Leave out samples that carry the target label already (dirty-label attacks).
  public var excludeTarget: Bool
  /// Share of the training set that becomes cover samples, where the tasks have cover triggers.
  public var coverRate: Double
  /// The setting that the rate of cover samples comes from, for errors.
  public var coverSetting = "attack.coverRate"
  /// The classes that cover samples are drawn from.
  public var coverClasses: CoverClasses
  /// Source to target: give triggered images the target's label where they are, rather than put copies in place of
  /// images of the target class. The rate is then a share of the whole training set.
  public var inPlace: Bool
  public init(
    rate: Double, excludeTarget: Bool = false, coverRate: Double = 0, coverClasses: CoverClasses = .all,
    inPlace: Bool = false
  ) {
    self.rate = rate
    self.excludeTarget = excludeTarget
    self.coverRate = coverRate
    self.coverClasses = coverClasses
    self.inPlace = inPlace
  }
}

extension PoisonedDataset {
  /// Poisons a data set: chooses samples, stamps them, changes their labels.
  ///
  /// Dirty-label mappings draw from the whole set (without the target class if asked). Clean-label attacks draw inside
  /// the target class, and the rate is still a share of the whole set. Source to target (Tran et al. 2018, as the
  /// self-expansion paper uses it) replaces a share `rate` of the target class by triggered images of the source class.
  /// Several tasks share the samples evenly. Cover samples are drawn from what is left.
  /// - Throws: `BackdoorError` if a class does not exist or does not hold as many samples as a rate asks for.
  public init(
    poisoning clean: ImageDataset, with tasks: [BackdoorTask], selection: PoisonSelection, seed: Seed
  ) throws(BackdoorError) {
    let labels = clean.labelArray()
    let chosen = try Self.choose(from: clean, mappings: tasks.map(\.mapping), selection: selection, seed: seed)
    let device = clean.device
    let images = clean.images.clone()
    var newLabels = labels.map(Int64.init)
    var trueLabels = newLabels
    for (number, task) in tasks.enumerated() {
      let mine = chosen.filter { $0.task == number }
      guard !mine.isEmpty else { continue }
      let source = Tensor(mine.map { Int64($0.source) }).to(device)
      let position = Tensor(mine.map { Int64($0.position) }).to(device)
      let generator = Generator(seed: seed("poison/stamp", number), device: device)
      images.put_([position], task.trainingTrigger.stamp(clean.images[source], generator))
      for item in mine {
        newLabels[item.position] = Int64(item.label)
        trueLabels[item.position] = Int64(labels[item.source])
      }
    }
    let covers = try Self.covers(
      in: labels, classes: clean.classes, for: tasks, selection: selection, taken: Set(chosen.map(\.position)),
      seed: seed)
    for (number, task) in tasks.enumerated() {
      let mine = covers.filter { $0.task == number }.map { Int64($0.position) }
      guard let cover = task.cover, !mine.isEmpty else { continue }
      let position = Tensor(mine).to(device)
      let generator = Generator(seed: seed("poison/stamp-cover", number), device: device)
      images.put_([position], cover.stamp(clean.images[position], generator))
    }
    self.init(
      data: ImageDataset(
        name: clean.name, images: images, labels: Tensor(newLabels).to(device), classNames: clean.classNames),
      indices: chosen.map(\.position), tasks: chosen.map(\.task), trueLabels: Tensor(trueLabels).to(device),
      covers: covers.map(\.position), coverTasks: covers.map(\.task))
  }

  /// The samples that become covers, in ascending order.
  private static func covers(
    in labels: [Int], classes: Int, for tasks: [BackdoorTask], selection: PoisonSelection, taken: Set<Int>, seed: Seed
  ) throws(BackdoorError) -> [(position: Int, task: Int)] {
    let covered = tasks.indices.filter { tasks[$0].cover != nil }
    guard !covered.isEmpty, selection.coverRate > 0 else { return [] }
    if case .only(let chosen) = selection.coverClasses, let wrong = chosen.sorted().first(where: { $0 >= classes }) {
      throw .unknownClass(wrong, classes: classes)
    }
    var random = seed.generator("poison/select-covers")
    var pool = labels.indices.filter { position in
      !taken.contains(position) && selection.coverClasses.contain(labels[position])
    }
    let (rate, setting) = (selection.coverRate, selection.coverSetting)
    var each = rounded(rate / Double(covered.count), of: labels.count)
    guard each > 0 else {
      throw .coverRateTooSmall(rate, setting: setting, parts: covered.count, whole: labels.count)
    }
    // Where poison and covers are all there is, both may have been rounded up.
    let room = pool.count / covered.count
    if room > 0, rate * Double(labels.count) <= Double(pool.count) + 0.5 { each = min(each, room) }
    guard each * covered.count <= pool.count else {
      throw .coverRate(asked: rate, setting: setting, left: pool.count, whole: labels.count)
    }
    var chosen: [(position: Int, task: Int)] = []
    for number in covered {
      let mine = Set(random.sample(each, from: pool))
      pool.removeAll(where: mine.contains)
      chosen += mine.map { ($0, number) }
    }
    return chosen.sorted { $0.position < $1.position }
  }

  /// Finds out whether a data set holds the samples that poisoning it asks for, without making any.
  /// - Throws: `BackdoorError` as `init(poisoning:with:selection:seed:)` does.
  public static func check(
    poisoning clean: ImageDataset, with tasks: [BackdoorTask], selection: PoisonSelection, seed: Seed
  ) throws(BackdoorError) {
    let chosen = try choose(from: clean, mappings: tasks.map(\.mapping), selection: selection, seed: seed)
    _ = try covers(
      in: clean.labelArray(), classes: clean.classes, for: tasks, selection: selection,
      taken: Set(chosen.map(\.position)), seed: seed)
  }

  /// The images that poisoning with one task of this mapping will stamp, as positions in `clean`, for attacks that make
  /// their trigger in view of them.
  /// - Throws: `BackdoorError` as `init(poisoning:with:selection:seed:)` does.
  public static func sources(
    in clean: ImageDataset, mapping: LabelMapping, selection: PoisonSelection, seed: Seed
  ) throws(BackdoorError) -> [Int] {
    try choose(from: clean, mappings: [mapping], selection: selection, seed: seed).map(\.source)
  }

  /// Who is poisoned, for which backdoor task, in ascending order of the positions.
  private static func choose(
    from clean: ImageDataset, mappings: [LabelMapping], selection: PoisonSelection, seed: Seed
  ) throws(BackdoorError) -> [(position: Int, source: Int, label: Int, task: Int)] {
    let labels = clean.labelArray()
    for mapping in mappings { try mapping.check(classes: clean.classes) }
    var random = seed.generator("poison/select")
    var chosen: [(position: Int, source: Int, label: Int, task: Int)] = []
    var taken = Set<Int>()
    for (number, mapping) in mappings.enumerated() {
      let plan = try plan(
        mapping, parts: mappings.count, labels: labels, classes: clean.classes, selection: selection, taken: taken,
        &random)
      // A rate of exactly 0 is a wish, one that rounds to no image is an oversight.
      if plan.isEmpty, selection.rate > 0 {
        var whole = labels.count
        if case .sourceToTarget(_, let target) = mapping, !selection.inPlace {
          whole = labels.count { $0 == target }
        }
        throw .rateTooSmall(asked: selection.rate, parts: mappings.count, whole: whole)
      }
      for item in plan {
        taken.insert(item.position)
        chosen.append((item.position, item.source, item.label, number))
      }
    }
    return chosen.sorted { $0.position < $1.position }
  }

  /// Where poisoned samples go (`position`), which images they are made of (`source`), and their labels.
  private static func plan(
    _ mapping: LabelMapping, parts: Int, labels: [Int], classes: Int, selection: PoisonSelection, taken: Set<Int>,
    _ random: inout Xoshiro256StarStar
  ) throws(BackdoorError) -> [(position: Int, source: Int, label: Int)] {
    let rate = selection.rate / Double(parts)
    func positions(_ keep: (Int) -> Bool) -> [Int] { labels.indices.filter { keep(labels[$0]) && !taken.contains($0) } }
    func draw(_ count: Int, from pool: [Int], of whole: Int, _ what: String) throws(BackdoorError) -> [Int] {
      guard count <= pool.count else {
        // As the setting has it, of all parts together: each has a class of its own, or all draw from the same samples.
        let largest = Double(pool.count * parts) / Double(whole)
        throw .rate(asked: selection.rate, largest: min(1, largest), what: what, held: pool.count)
      }
      return random.sample(count, from: pool)
    }
    switch mapping {
    case .allToOne, .allToAll:
      let pool = positions { label in !selection.excludeTarget || mapping.counts(label, classes: classes) }
      let picked = try draw(rounded(rate, of: labels.count), from: pool, of: labels.count, "the samples to draw from")
      return picked.map { ($0, $0, mapping.target(of: labels[$0], classes: classes) ?? labels[$0]) }
    case .cleanLabel(let target):
      let picked = try draw(
        rounded(rate, of: labels.count), from: positions { $0 == target }, of: labels.count, "target class \(target)")
      return picked.map { ($0, $0, target) }
    case .sourceToTarget(let source, let target) where selection.inPlace:
      let picked = try draw(
        rounded(rate, of: labels.count), from: positions { $0 == source }, of: labels.count, "source class \(source)")
      return picked.map { ($0, $0, target) }
    case .sourceToTarget(let source, let target):
      let candidates = positions { $0 == target }
      let whole = labels.count { $0 == target }
      let count = rounded(rate, of: whole)
      let places = try draw(count, from: candidates, of: whole, "target class \(target)")
      let images = try draw(count, from: positions { $0 == source }, of: whole, "source class \(source)")
      return zip(places, images).map { ($0, $1, target) }
    }
  }

  private static func rounded(_ rate: Double, of count: Int) -> Int { Int((rate * Double(count)).rounded()) }
}

extension LabelMapping {
  /// - Throws: `BackdoorError` where it names a class that is not there, or maps each class to itself.
  public func check(classes: Int) throws(BackdoorError) {
    let named: [Int] =
      switch self {
      case .allToOne(let target), .cleanLabel(let target): [target]
      case .sourceToTarget(let source, let target): [source, target]
      case .allToAll: []
      }
    for number in named where !(0..<classes).contains(number) { throw .unknownClass(number, classes: classes) }
    if case .sourceToTarget(let source, let target) = self, source == target { throw .sameClass(source) }
    if case .allToAll(let shift) = self, shift % classes == 0 { throw .noShift(shift, classes: classes) }
  }
}

/// What an attack cannot do on a data set.
public enum BackdoorError: Error, CustomStringConvertible, Sendable {
  case unknownClass(Int, classes: Int)
  case sameClass(Int)
  case noShift(Int, classes: Int)
  case rate(asked: Double, largest: Double, what: String, held: Int)
  /// The rate rounds to no image of the `whole` images that it is a share of, shared by `parts` triggers.
  case rateTooSmall(asked: Double, parts: Int, whole: Int)
  /// Cover samples: more than there are images left, and none at all.
  case coverRate(asked: Double, setting: String, left: Int, whole: Int)
  case coverRateTooSmall(Double, setting: String, parts: Int, whole: Int)
  /// The tensors that an attack learned are not at hand.
  case notLearned(attack: String, key: String)
  case invalid(String)

  public var description: String {
    switch self {
    case .unknownClass(let number, let classes):
      "class \(number) does not exist: the data set has classes 0 to \(classes - 1)."
    case .sameClass(let number):
      "source and target are both class \(number). Choose two classes (attack.source, attack.target)."
    case .noShift(let shift, let classes):
      "a shift of \(shift) maps each of \(classes) classes to itself. Choose 1 to \(classes - 1) (attack.shift)."
    case .rate(let asked, let largest, let what, let held):
      "attack.rate \(asked) is more than \(what) can hold: \(held) samples are there. The largest possible rate is "
        + "\((largest * 10_000).rounded(.down) / 10_000)."
    case .rateTooSmall(let asked, let parts, let whole):
      whole == 0
        ? "attack.rate \(asked): there is no image to poison. Choose another class (attack.target)."
        : "attack.rate \(asked) poisons no image of \(whole). The least rate that poisons "
          + "one\(parts > 1 ? " by each trigger" : "") is "
          + "\((Double(parts) / Double(2 * whole) * 1e9).rounded(.up) / 1e9)."
    case .coverRate(let asked, let setting, let left, let whole):
      "\(setting) asks for a share of \(asked) of \(whole) images, more than the \(left) that are left to draw cover samples "
        + "from. The largest possible share is \((Double(left) / Double(max(whole, 1)) * 10_000).rounded(.down) / 10_000)."
    case .coverRateTooSmall(let asked, let setting, let parts, let whole):
      "\(setting) asks for a share of \(asked), which is no cover sample of \(whole) images. Set 0 for none, or raise the "
        + "share to at least \((Double(parts) / Double(2 * max(whole, 1)) * 1e9).rounded(.up) / 1e9)."
    case .notLearned(let attack, let key):
      "\(attack) is learned from the training set, and its \(key) is not at hand. Name the poison.json of the run or "
        + "of antidote attack."
    case .invalid(let text): text
    }
  }
}
