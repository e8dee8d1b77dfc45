import Files
public import Support

/// Images that a defense has to do with.
public struct DefenseSize: Sendable, Hashable {
  public var train: Int
  public var clean: Int
  public var unlabeled: Int
  public var classes: Int

  public init(train: Int, clean: Int = 0, unlabeled: Int = 0, classes: Int) {
    self.train = train
    self.clean = clean
    self.unlabeled = unlabeled
    self.classes = classes
  }
}

extension Defense {
  public static var epochCost: Double { 1 }

  /// One stage of the method's name, with the epochs of its settings over the training set or the clean images; none
  /// for a method without epochs.
  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    guard let settings = try? JSONValue(encoding: configuration),
      let epochs = settings["epochs"]?.doubleValue ?? settings["recipe"]?["epochs"]?.doubleValue
    else { return [] }
    let count = Self.requires.contains(.poisonedTrain) ? size.train : size.clean
    return [PlannedWork(Self.id, images: epochs * Double(count), cost: Self.epochCost)]
  }
}
