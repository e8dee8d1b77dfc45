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
}
