/// A backdoor task: a trigger with the label mapping that a model shall apply where it shows. A backdoored model may
/// have several.
public struct BackdoorTask: Sendable {
  public let name: String
  public let trigger: any Trigger
  public let mapping: LabelMapping

  public init(name: String, trigger: any Trigger, mapping: LabelMapping) {
    self.name = name
    self.trigger = trigger
    self.mapping = mapping
  }
}
