/// One trigger with what it is meant to do. A victim may carry several.
public struct Implant: Sendable {
  public let name: String
  public let trigger: any Trigger
  public let mapping: LabelMapping

  public init(name: String, trigger: any Trigger, mapping: LabelMapping) {
    self.name = name
    self.trigger = trigger
    self.mapping = mapping
  }
}
