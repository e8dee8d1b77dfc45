import Backdoor
import Support
import TestSupport
import Testing
import Torch
import Vision

/// Adds one to every pixel byte: makes visible which images were stamped, and leaves no image as it was.
private struct Mark: Trigger {
  var amount = 1.0
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { images + amount / 255 }
}

/// Which samples are poisoned, and what becomes of their images and labels.
@Suite struct PoisoningTests {
  /// 100 images of 5 classes, 20 each, no two alike; every byte is below 200.
  private let clean: ImageDataset
  init() {
    let bytes: [UInt8] = (0..<1200).map { place in
      let (image, pixel) = (place / 12, place % 12)
      return UInt8((image * 2 + pixel * 16) % 200)
    }
    clean = ImageDataset(
      name: "test", images: Tensor(bytes, shape: [100, 3, 2, 2]), labels: Tensor((0..<100).map { Int64($0 % 5) }),
      classNames: ["a", "b", "c", "d", "e"])
  }

  private func poison(
    _ mappings: [LabelMapping], rate: Double, excludeTarget: Bool = false, seed: Seed = 1
  ) throws -> PoisonedDataset {
    try PoisonedDataset(
      poisoning: clean,
      with: mappings.enumerated().map {
        BackdoorTask(name: "\($0)", trigger: Mark(amount: Double($0 + 1)), mapping: $1)
      },
      selection: PoisonSelection(rate: rate, excludeTarget: excludeTarget), seed: seed)
  }
  /// A clean image with the mark.
  private func marked(_ position: Int, by amount: Int = 1) -> Tensor {
    (clean.images[position].to(.float32) + Double(amount)).to(.uint8)
  }
  /// Positions whose images differ from the clean ones.
  private func changed(_ set: PoisonedDataset) -> [Int] {
    (0..<clean.count).filter { (set.data.images[$0] .!= clean.images[$0]).any().intItem() != 0 }
  }
  private func relabeled(_ set: PoisonedDataset) -> [Int] {
    let (old, new) = (clean.labelArray(), set.data.labelArray())
    return old.indices.filter { old[$0] != new[$0] }
  }

  /// Two tasks that poison with marks 1 and 2, measure with 3 and 4 and cover with 5 and 6.
  private func covered(_ selection: PoisonSelection, seed: Seed = 1) throws -> PoisonedDataset {
    let tasks = [1, 2].map { number in
      BackdoorTask(
        name: "\(number)", trigger: Mark(amount: Double(number + 2)), mapping: .allToOne(target: number),
        trainingTrigger: Mark(amount: Double(number)), cover: Mark(amount: Double(number + 4)))
    }
    return try PoisonedDataset(poisoning: clean, with: tasks, selection: selection, seed: seed)
  }

  @Test func coversKeepTheirLabelsAndShowTheirOwnTrigger() throws {
    let set = try covered(PoisonSelection(rate: 0.2, coverRate: 0.3))
    #expect(set.indices.count == 20 && set.covers.count == 30 && set.covers == set.covers.sorted())
    #expect(Set(set.indices).isDisjoint(with: set.covers))
    #expect(changed(set) == (set.indices + set.covers).sorted())
    #expect(Set(relabeled(set)).isSubset(of: set.indices))
    for (position, task) in zip(set.indices, set.tasks) {
      expectSame(set.data.images[position], marked(position, by: task + 1), "the training trigger")
    }
    for (position, task) in zip(set.covers, set.coverTasks) {
      expectSame(set.data.images[position], marked(position, by: task + 5), "the cover trigger")
    }
    #expect(set.coverTasks.count { $0 == 0 } == 15)
    // Covers do not change who is poisoned, and the seed decides about both.
    let plain = try covered(PoisonSelection(rate: 0.2))
    #expect(plain.indices == set.indices && plain.covers.isEmpty)
    #expect(try covered(PoisonSelection(rate: 0.2, coverRate: 0.3), seed: 2).covers != set.covers)
  }

  @Test func coversComeFromTheirClasses() throws {
    let set = try covered(PoisonSelection(rate: 0.1, coverRate: 0.2, coverClasses: .only([3, 4])))
    let labels = clean.labelArray()
    #expect(set.covers.count == 20 && set.covers.allSatisfy { labels[$0] >= 3 })
    let others = try covered(PoisonSelection(rate: 0.1, coverRate: 0.2, coverClasses: .except([0, 3])))
    #expect(others.covers.allSatisfy { ![0, 3].contains(labels[$0]) })
    let many = #expect(throws: BackdoorError.self) {
      try covered(PoisonSelection(rate: 0.1, coverRate: 0.4, coverClasses: .only([3])))
    }
    #expect(many?.description.contains("attack.coverRate asks for a share of 0.4 of 100 images, more than") == true)
    let few = #expect(throws: BackdoorError.self) { try covered(PoisonSelection(rate: 0.1, coverRate: 0.001)) }
    #expect(few?.description.contains("at least 0.01") == true)
    var named = PoisonSelection(rate: 0.1, coverRate: 0.001)
    named.coverSetting = "attack.crossRate"
    let other = #expect(throws: BackdoorError.self) { try covered(named) }
    #expect(other?.description.hasPrefix("attack.crossRate asks") == true)
  }

  /// Half an image of poison and half an image of covers are one image.
  @Test func coversAndPoisonThatAreAllThereIs() throws {
    let odd = clean.prefix(25)
    let task = BackdoorTask(name: "t", trigger: Mark(), mapping: .allToOne(target: 0), cover: Mark())
    let set = try PoisonedDataset(
      poisoning: odd, with: [task], selection: PoisonSelection(rate: 0.5, coverRate: 0.5), seed: 1)
    #expect(set.indices.count == 13 && set.covers.count == 12)
    #expect(throws: BackdoorError.self) {
      try PoisonedDataset(
        poisoning: odd, with: [task], selection: PoisonSelection(rate: 0.5, coverRate: 0.55), seed: 1)
    }
  }

  @Test func sourceToTargetInPlaceRelabelsTheSource() throws {
    let task = BackdoorTask(name: "t", trigger: Mark(), mapping: .sourceToTarget(source: 3, target: 1))
    let set = try PoisonedDataset(
      poisoning: clean, with: [task], selection: PoisonSelection(rate: 0.15, inPlace: true), seed: 1)
    let labels = clean.labelArray()
    #expect(set.indices.count == 15 && set.indices.allSatisfy { labels[$0] == 3 })
    #expect(relabeled(set) == set.indices && changed(set) == set.indices)
    expectSame(set.trueLabels, clean.labels)
    let error = #expect(throws: BackdoorError.self) {
      try PoisonedDataset(
        poisoning: clean, with: [task], selection: PoisonSelection(rate: 0.25, inPlace: true), seed: 1)
    }
    #expect(error?.description.contains("The largest possible rate is 0.2") == true)
  }

  /// A rate that rounds to no image is an oversight; exactly 0 is a wish.
  @Test func aRateThatPoisonsNothing() throws {
    func refuses(_ mappings: [LabelMapping], rate: Double, _ words: String) {
      let error = #expect(throws: BackdoorError.self) { try poison(mappings, rate: rate) }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
    refuses([.allToOne(target: 0)], rate: 0.004, "poisons no image of 100. The least rate that poisons one is 0.005.")
    refuses([.cleanLabel(target: 0)], rate: 0.001, "The least rate that poisons one is 0.005.")
    refuses(
      [.sourceToTarget(source: 1, target: 0)], rate: 0.01, "no image of 20. The least rate that poisons one is 0.025.")
    refuses(
      [.allToOne(target: 0), .allToOne(target: 1)], rate: 0.009,
      "The least rate that poisons one by each trigger is 0.01.")
    #expect(try poison([.allToOne(target: 0)], rate: 0.005).indices.count == 1)
    #expect(try poison([.sourceToTarget(source: 1, target: 0)], rate: 0.025).indices.count == 1)
    #expect(try poison([.allToOne(target: 0), .allToOne(target: 1)], rate: 0.01).indices.count == 2)
    #expect(try poison([.allToOne(target: 0)], rate: 0).indices.isEmpty)
  }

  @Test(arguments: [0, 0.01, 0.1, 0.5, 1]) func allToOne(_ rate: Double) throws {
    let set = try poison([.allToOne(target: 2)], rate: rate)
    #expect(set.indices.count == Int(rate * 100))
    #expect(set.indices == set.indices.sorted() && Set(set.indices).count == set.indices.count)
    #expect(changed(set) == set.indices)
    #expect(set.rate == rate)
    for position in set.indices { #expect(set.data.labelArray()[position] == 2) }
    for position in relabeled(set) { #expect(set.indices.contains(position)) }
    expectSame(set.trueLabels, clean.labels, "the true labels are kept")
    #expect(set.tasks.allSatisfy { $0 == 0 })
  }

  @Test func stampIsTheTriggers() throws {
    let set = try poison([.allToOne(target: 2)], rate: 0.3)
    for position in set.indices { expectSame(set.data.images[position], marked(position)) }
  }

  @Test func theInputStaysAsItIs() throws {
    let (images, labels) = (clean.images.clone(), clean.labels.clone())
    _ = try poison([.allToOne(target: 2)], rate: 1)
    expectSame(clean.images, images)
    expectSame(clean.labels, labels)
  }

  /// The benchmarks' convention draws from the target class too; the option leaves it out.
  @Test func excludeTarget() throws {
    let labels = clean.labelArray()
    #expect(try poison([.allToOne(target: 2)], rate: 0.5).indices.contains { labels[$0] == 2 })
    let set = try poison([.allToOne(target: 2)], rate: 0.8, excludeTarget: true)
    #expect(set.indices.count == 80 && !set.indices.contains { labels[$0] == 2 })
    let error = #expect(throws: BackdoorError.self) {
      try poison([.allToOne(target: 2)], rate: 0.81, excludeTarget: true)
    }
    #expect(error?.description.contains("The largest possible rate is 0.8.") == true)
  }

  @Test(arguments: [1, -1, 3]) func allToAll(_ shift: Int) throws {
    let set = try poison([.allToAll(shift: shift)], rate: 0.4)
    #expect(set.indices.count == 40 && changed(set) == set.indices && relabeled(set) == set.indices)
    for position in set.indices { #expect(set.data.labelArray()[position] == (position % 5 + shift + 5) % 5) }
    expectSame(set.trueLabels, clean.labels)
  }

  /// The rate is a share of the whole set; the samples are of the target class and keep their label.
  @Test func cleanLabel() throws {
    let set = try poison([.cleanLabel(target: 3)], rate: 0.15)
    #expect(set.indices.count == 15 && changed(set) == set.indices)
    #expect(set.indices.allSatisfy { $0 % 5 == 3 })
    expectSame(set.data.labels, clean.labels)
    #expect(try poison([.cleanLabel(target: 3)], rate: 0.2).indices.count == 20)
    let error = #expect(throws: BackdoorError.self) { try poison([.cleanLabel(target: 3)], rate: 0.25) }
    #expect(
      error?.description
        == "attack.rate 0.25 is more than target class 3 can hold: 20 samples are there. The largest possible rate is "
        + "0.2."
    )
  }

  /// Of several triggers together, as the setting has it.
  @Test func theLargestRateOfSeveralTriggers() throws {
    let mappings = [LabelMapping.cleanLabel(target: 0), .cleanLabel(target: 1)]
    #expect(try poison(mappings, rate: 0.4).indices.count == 40)
    let error = #expect(throws: BackdoorError.self) { try poison(mappings, rate: 0.5) }
    #expect(
      error?.description
        == "attack.rate 0.5 is more than target class 0 can hold: 20 samples are there. The largest possible rate is 0.4."
    )
  }

  /// Images of the source class take the place of samples of the target class; the set keeps its size.
  @Test func sourceToTarget() throws {
    let set = try poison([.sourceToTarget(source: 1, target: 4)], rate: 0.25)
    #expect(set.data.count == 100)
    #expect(set.indices.count == 5, "a share of the target class")
    #expect(set.indices.allSatisfy { $0 % 5 == 4 } && changed(set) == set.indices)
    expectSame(set.data.labels, clean.labels, "the places carry the target label already")
    let truth = set.trueLabels.array(Int64.self)
    var sources = Set<Int>()
    for position in set.indices {
      #expect(truth[position] == 1, "the image is of the source class")
      let source = (0..<100).first { index in
        index % 5 == 1 && (set.data.images[position] .!= marked(index)).any().intItem() == 0
      }
      sources.insert(try #require(source, "a triggered image of the source class"))
    }
    #expect(sources.count == 5, "no image twice")
    for position in 0..<100 where !set.indices.contains(position) { #expect(truth[position] == Int64(position % 5)) }
  }

  /// Several triggers share the samples evenly and never meet in one.
  @Test func severalTriggers() throws {
    let set = try poison([.allToOne(target: 0), .allToOne(target: 1), .allToOne(target: 2)], rate: 0.3)
    #expect(set.indices.count == 30 && Set(set.indices).count == 30 && changed(set) == set.indices)
    for number in 0..<3 { #expect(set.tasks.count { $0 == number } == 10) }
    for (position, number) in zip(set.indices, set.tasks) {
      #expect(set.data.labelArray()[position] == number)
      expectSame(set.data.images[position], marked(position, by: number + 1))
    }
  }

  @Test func seeds() throws {
    let (one, again, other) = (
      try poison([.allToOne(target: 2)], rate: 0.2), try poison([.allToOne(target: 2)], rate: 0.2),
      try poison([.allToOne(target: 2)], rate: 0.2, seed: 2)
    )
    #expect(one.indices == again.indices)
    expectSame(one.data.images, again.data.images)
    #expect(one.indices != other.indices && one.indices.count == other.indices.count)
  }

  /// Over many seeds each sample is drawn about as often as every other.
  @Test func drawsAreEven() throws {
    var counts = [Int](repeating: 0, count: 100)
    for seed in 0..<300 {
      for position in try poison([.allToOne(target: 0)], rate: 0.1, seed: Seed(UInt64(seed))).indices {
        counts[position] += 1
      }
    }
    // 30 expected, standard deviation 5.2.
    #expect(counts.min() ?? 0 >= 9 && counts.max() ?? 0 <= 55)
  }

  @Test func labelsAlone() throws {
    let set = try PoisonedDataset(
      poisoning: clean, with: [BackdoorTask(name: "none", trigger: NoTrigger(), mapping: .allToAll(shift: 1))],
      selection: PoisonSelection(rate: 0.2), seed: 1)
    expectSame(set.data.images, clean.images)
    #expect(relabeled(set) == set.indices && set.indices.count == 20)
  }

  @Test(
    arguments: [
      (LabelMapping.allToOne(target: 5), "class 5 does not exist: the data set has classes 0 to 4."),
      (.allToOne(target: -1), "class -1 does not exist"), (.cleanLabel(target: 9), "class 9 does not exist"),
      (.sourceToTarget(source: 7, target: 1), "class 7 does not exist"),
      (.sourceToTarget(source: 2, target: 2), "are both class 2"),
      (.allToAll(shift: 0), "maps each of 5 classes to itself"),
      (.allToAll(shift: 10), "maps each of 5 classes to itself"),
    ] as [(LabelMapping, String)])
  func impossible(_ mapping: LabelMapping, _ message: String) {
    let error = #expect(throws: BackdoorError.self) { try poison([mapping], rate: 0.1) }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }
}
