import Backdoor
import Support
import Testing

@Suite struct LabelMappingTests {
  /// Over five classes: the target of each label, and whether its triggered test image counts in the attack success
  /// rate.
  @Test(
    arguments: [
      (LabelMapping.allToOne(target: 2), [2, 2, 2, 2, 2], [true, true, false, true, true]),
      (.allToAll(shift: 1), [1, 2, 3, 4, 0], [true, true, true, true, true]),
      (.allToAll(shift: -1), [4, 0, 1, 2, 3], [true, true, true, true, true]),
      (.allToAll(shift: 7), [2, 3, 4, 0, 1], [true, true, true, true, true]),
      (.sourceToTarget(source: 1, target: 3), [nil, 3, nil, nil, nil], [false, true, false, false, false]),
      (.cleanLabel(target: 0), [0, 0, 0, 0, 0], [false, true, true, true, true]),
    ] as [(LabelMapping, [Int?], [Bool])])
  func table(_ mapping: LabelMapping, _ targets: [Int?], _ counts: [Bool]) {
    #expect((0..<5).map { mapping.target(of: $0, classes: 5) } == targets)
    #expect((0..<5).map { mapping.counts($0, classes: 5) } == counts)
  }

  @Test func singleTarget() {
    #expect(LabelMapping.allToOne(target: 2).singleTarget == 2)
    #expect(LabelMapping.cleanLabel(target: 3).singleTarget == 3)
    #expect(LabelMapping.sourceToTarget(source: 1, target: 4).singleTarget == 4)
    #expect(LabelMapping.allToAll(shift: 1).singleTarget == nil)
  }

  @Test(arguments: MappingKind.allCases) func settingsNameIt(_ kind: MappingKind) {
    struct Settings: PoisoningSettings {
      var rate = 0.25
      var mapping = MappingKind.allToOne
      var target = 3
      var source = 2
      var shift = 4
      var excludeTarget = true
      init() {}
      static var settings: [Setting] { poisoningSettings }
    }
    var settings = Settings()
    settings.mapping = kind
    let expected: LabelMapping =
      switch kind {
      case .allToOne: .allToOne(target: 3)
      case .allToAll: .allToAll(shift: 4)
      case .pairFlip: .allToAll(shift: 1)
      case .sourceToTarget: .sourceToTarget(source: 2, target: 3)
      case .cleanLabel: .cleanLabel(target: 3)
      }
    #expect(settings.labelMapping == expected)
    #expect(settings.poisonSelection.rate == 0.25 && settings.poisonSelection.excludeTarget)
  }

  /// Folders 0, 1, 10, 11, 2 in alphabetical order: position 2 is not the class 2.
  @Test func namesBesideNumbers() {
    let names = ["0", "1", "10", "11", "stop"]
    #expect(LabelMapping.allToOne(target: 2).description(naming: names) == "all classes to 2 (10)")
    #expect(LabelMapping.allToOne(target: 1).description(naming: names) == "all classes to 1")
    #expect(LabelMapping.sourceToTarget(source: 3, target: 4).description(naming: names) == "class 3 (11) to 4 (stop)")
    #expect(LabelMapping.cleanLabel(target: 9).description(naming: names) == "clean-label, target 9")
  }
}
