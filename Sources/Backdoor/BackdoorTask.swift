import Torch

/// A backdoor task: a trigger with the label mapping that a model shall apply where it shows. A backdoored model may
/// have several.
public struct BackdoorTask: Sendable {
  public let name: String
  /// What the attacker puts on images when the model is in use, and what attack success is measured with.
  public let trigger: any Trigger
  public let mapping: LabelMapping
  /// What poisoned training images show; the trigger, for most attacks.
  public let trainingTrigger: any Trigger
  /// What cover samples show: images of the training set that keep their true labels, so that nothing but the trigger
  /// itself leads to the target. Nil where the attack has none; how many there are is `PoisonSelection.coverRate`.
  public let cover: (any Trigger)?

  public init(
    name: String, trigger: any Trigger, mapping: LabelMapping, trainingTrigger: (any Trigger)? = nil,
    cover: (any Trigger)? = nil
  ) {
    self.name = name
    self.trigger = trigger
    self.mapping = mapping
    self.trainingTrigger = trainingTrigger ?? trigger
    self.cover = cover
  }

  /// The same task for classes that are numbered in another way.
  public func mapped(_ mapping: LabelMapping) -> BackdoorTask {
    BackdoorTask(name: name, trigger: trigger, mapping: mapping, trainingTrigger: trainingTrigger, cover: cover)
  }

  /// The same task of gray images, for such images whose one channel stands in all.
  public func onEqualChannels() -> BackdoorTask {
    BackdoorTask(
      name: name, trigger: EqualChannels(trigger), mapping: mapping, trainingTrigger: EqualChannels(trainingTrigger),
      cover: cover.map { EqualChannels($0) })
  }
}

/// A trigger of gray images on images whose channels are all the same.
struct EqualChannels: Trigger {
  private let gray: any Trigger

  init(_ gray: any Trigger) { self.gray = gray }

  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    expanded(gray(first(images), generator), as: images)
  }
  func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    expanded(gray.stamp(first(images), generator), as: images)
  }
  func parts(of images: Tensor) -> [TriggerPart] { gray.parts(of: first(images)) }

  private func first(_ images: Tensor) -> Tensor { images.narrowed(1, 0..<1).contiguous() }
  private func expanded(_ images: Tensor, as original: Tensor) -> Tensor {
    images.expanded(original.shape).contiguous()
  }
}
