// Label flip: wrong labels without a trigger. The control that tells what noisy labels alone do.

public import Backdoor
public import Support
public import Torch
public import Vision

public struct LabelFlip: Attack {
  public static let id = "label-flip"
  public static let summary = "Wrong labels without a trigger: the noisy-label control."
  public static let paper = "control of the noisy-label meta-algorithm paper"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.pairFlip
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public init() {}
    public static let settings: [Setting] = poisoningSettings
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    [BackdoorTask(name: "no trigger", trigger: NoTrigger(), mapping: configuration.labelMapping)]
  }

  public func summary(learned: [String: Tensor]) -> String { "have wrong labels" }
}
