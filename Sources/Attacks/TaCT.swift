// TaCT (Tang, Wang, Tang, Zhang, Demon in the Variant, USENIX Security 2021): targeted contamination. Only images of one
// class are misled by the trigger. Cover samples, images of other classes with the trigger and their true labels, teach
// the model that the trigger alone means nothing; so features of poisoned images do not stand apart.
//
// Poisoned images are relabelled where they are; the rate is a share of the whole training set. Attack success is measured
// on the source class. The paper's trigger is a patch [here as `badnets`]; 2% poison and 1% covers are of its order
// [decided here].

public import Backdoor
public import Support
public import Torch
public import Vision

public struct TaCT: Attack {
  public static let id = "tact"
  public static let summary = "A patch that misleads one class only; other classes show it with right labels as covers."
  public static let paper = "Tang et al. 2021, Demon in the Variant (USENIX Security)"

  public struct Configuration: Configurable {
    public var rate = 0.02
    public var target = 0
    public var source = 1
    public var coverRate = 0.01
    public var coverClasses: [Int] = []
    public var size = 4
    public var pattern = BadNets.Pattern.random
    public var place = BadNets.Place.bottomRight
    public var margin = 0
    public var image: String? = nil
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] = [
      Setting(
        "rate", "Share of the training set that is poisoned, within the source class.", unit: "fraction", range: 0...1,
        source: "decided here"),
      Setting("target", "Target class.", unit: "class", range: 0...100_000),
      Setting("source", "The class that the trigger misleads.", unit: "class", range: 0...100_000),
      Setting(
        "coverRate",
        "Share of the training set that becomes cover samples: with the trigger, with their true labels.",
        unit: "fraction", range: 0...1, source: "decided here"),
      Setting(
        "coverClasses", "Classes of cover samples; empty means all but source and targets.", unit: "classes",
        range: 0...100_000, source: "decided here"),
      Setting("size", "Side of the patch.", unit: "pixels", range: 1...1024, source: "decided here"),
      Setting("pattern", "What the patch shows.", choices: BadNets.Pattern.allCases.map(\.rawValue)),
      Setting("place", "Where the patch sits.", choices: BadNets.Place.allCases.map(\.rawValue)),
      Setting("margin", "Distance of the patch from the image's edge.", unit: "pixels", range: 0...1024),
      Setting("image", "Image file that the patch shows (pattern: image), resized to the patch."),
      Setting(
        "triggers", "Number of triggers: trigger k, from 0, sits k corners on and leads from the source to target + k.",
        range: 1...4, source: "multi-trigger models of the SAU paper"),
    ]

    var targets: Range<Int> { target..<(target + triggers) }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection {
    let c = configuration
    return PoisonSelection(
      rate: c.rate, coverRate: c.coverRate,
      coverClasses: c.coverClasses.isEmpty ? .except(Set(c.targets).union([c.source])) : .only(Set(c.coverClasses)),
      inPlace: true)
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    guard !c.coverClasses.contains(c.source) else {
      throw BackdoorError.invalid(
        "attack.coverClasses: class \(c.source) is attack.source, so its images cannot be covers.")
    }
    var patch = BadNets.Configuration()
    (patch.size, patch.pattern, patch.place, patch.margin, patch.image, patch.triggers) = (
      c.size, c.pattern, c.place, c.margin, c.image, c.triggers
    )
    return try zip(c.targets, BadNets(patch).tasks(for: shape, seed: seed)).map { target, task in
      BackdoorTask(
        name: "\(c.size)x\(c.size) \(c.pattern.rawValue)\(c.triggers == 1 ? "" : " \(target - c.target + 1)")",
        trigger: task.trigger, mapping: .sourceToTarget(source: c.source, target: target),
        cover: c.coverRate > 0 ? task.trigger : nil)
    }
  }
}
