import Files
import Support
import Testing

struct Schedule: Configurable, Equatable {
  var epochs = 100
  var milestones = [50, 75]
  static let settings = [
    Setting("epochs", "Passes over the data.", unit: "epochs", range: 1...Double.infinity),
    Setting("milestones", "Epochs after which the rate drops.", unit: "epochs", range: 0...10_000),
  ]
}

struct BadNets: Configurable, Equatable {
  enum Corner: String, Codable {
    case bottomRight = "bottom-right"
    case topLeft = "top-left"
  }
  var rate = 0.1
  var target = 0
  var size: Int? = nil
  var corner = Corner.bottomRight
  var clean = false
  var name = "badnets"
  var betas = [0.9, 0.999]
  var schedule = Schedule(epochs: 60)
  var warmup: Schedule? = nil
  static let settings = [
    Setting(
      "rate", "Share of the training set that is poisoned.", unit: "fraction", range: 0...1, source: "Gu et al. 2017"),
    Setting("target", "Label of triggered images.", range: 0...999),
    Setting("size", "Side of the trigger; null for a tenth of the image.", unit: "pixels", range: 1...1024),
    Setting("corner", "Where the trigger stands.", choices: ["bottom-right", "top-left"]),
    Setting("clean", "Whether labels stay."),
    Setting("name", "A name."),
    Setting("betas", "Momenta.", range: 0...1),
    Setting("schedule", "Training.", nested: Schedule.self),
    Setting("warmup", "Warm-up.", nested: Schedule.self),
  ]
}

@Suite struct SettingsTests {
  func problem(_ overrides: JSONValue, at path: String = "attack") -> String {
    do {
      _ = try SettingsTree.resolve(BadNets.self, overrides: overrides, at: path)
      return "resolved"
    } catch {
      return error.description
    }
  }

  @Test func defaultsAndOverrides() throws {
    #expect(try SettingsTree.resolve(BadNets.self) == BadNets())
    let resolved = try SettingsTree.resolve(
      BadNets.self, overrides: ["rate": 1, "target": 3.0, "size": 4, "corner": "top-left", "betas": [0.5, 1]])
    var expected = BadNets()
    expected.rate = 1
    expected.target = 3
    expected.size = 4
    expected.corner = .topLeft
    expected.betas = [0.5, 1]
    #expect(resolved == expected)
    #expect(try SettingsTree.resolve(BadNets.self, overrides: ["size": nil]).size == nil)
  }

  @Test func groupsMergeKeyByKey() throws {
    let resolved = try SettingsTree.resolve(
      BadNets.self, overrides: ["schedule": ["milestones": [5]], "warmup": ["epochs": 3]])
    #expect(resolved.schedule == Schedule(epochs: 60, milestones: [5]))  // 60 is BadNets' default, not Schedule's.
    #expect(resolved.warmup == Schedule(epochs: 3, milestones: [50, 75]))
    #expect(try SettingsTree.resolve(BadNets.self, overrides: ["warmup": nil]).warmup == nil)
  }

  @Test func resolvingAStoredCopyChangesNothing() throws {
    var configuration = BadNets()
    configuration.warmup = Schedule(epochs: 2)
    let tree = try SettingsTree.encode(configuration)
    #expect(try SettingsTree.resolve(BadNets.self, overrides: JSONValue(json: tree.prettyJSON)) == configuration)
    #expect(try SettingsTree.resolve(BadNets.self, overrides: JSONValue(yaml: tree.prettyJSON)) == configuration)
  }

  @Test func encodingShowsEverySetting() throws {
    struct Sparse: Configurable {
      var a: Int? = nil
      init() {}
      init(from decoder: any Decoder) throws {}
      func encode(to encoder: any Encoder) throws { _ = encoder.container(keyedBy: Key.self) }
      enum Key: CodingKey { case a }
      static let settings = [Setting("a", "A.")]
    }
    #expect(try SettingsTree.encode(Sparse()) == ["a": nil])
    #expect(try SettingsTree.encode(BadNets())["size"] == .null)
  }

  @Test func unknownKeys() {
    #expect(
      problem(["rte": 0.1]) == "attack.rte: unknown setting. Did you mean attack.rate? "
        + "Known settings: rate, target, size, corner, clean, name, betas, schedule, warmup.")
    #expect(problem(["rte": 0.1], at: "").hasPrefix("rte: unknown setting. Did you mean rate?"))
    #expect(problem(["quux": 1]).hasPrefix("attack.quux: unknown setting. Known settings: rate"))
    #expect(
      problem(["schedule": ["epoch": 1]])
        == "attack.schedule.epoch: unknown setting. Did you mean attack.schedule.epochs? Known settings: epochs, "
        + "milestones."
    )
    #expect(problem(["warmup": ["epoch": 1]]).hasPrefix("attack.warmup.epoch: unknown setting."))
  }

  @Test(
    arguments: [
      (["target": 0.5], "attack.target: expected a whole number, found the number 0.5."),
      (["target": "x"], "attack.target: expected a whole number, found the text \"x\"."),
      (["size": "x"], "attack.size: expected a whole number, found the text \"x\"."),
      (["size": 2.5], "attack.size: expected a whole number, found the number 2.5."),
      (["rate": "much"], "attack.rate: expected a number, found the text \"much\"."),
      (["rate": nil], "attack.rate: expected a number, found null."),
      (["rate": [0.1]], "attack.rate: expected a number, found a list."),
      (["clean": 1], "attack.clean: expected true or false, found the number 1."),
      (["clean": "yes"], "attack.clean: expected true or false, found the text \"yes\"."),
      (["name": 7], "attack.name: expected text, found the number 7. Write it in quotes to make it text."),
      (["betas": 0.5], "attack.betas: expected a list, found the number 0.5."),
      (["betas": [0.5, "x"]], "attack.betas[1]: expected a number, found the text \"x\"."),
      (
        ["schedule": ["milestones": [1, 2.5]]],
        "attack.schedule.milestones[1]: expected a whole number, found the number 2.5."
      ),
      (
        ["schedule": 5],
        "attack.schedule: expected a group of settings, found the number 5. Known settings: epochs, milestones."
      ),
      (["schedule": nil], "attack.schedule: expected a group of settings, found null."),
      (["corner": 3], "attack.corner: expected text, found the number 3. Write it in quotes to make it text."),
    ] as [(JSONValue, String)])
  func wrongTypes(_ overrides: JSONValue, message: String) {
    #expect(problem(overrides) == message)
  }

  @Test func rangesAndChoices() {
    #expect(problem(["rate": 1.5]) == "attack.rate: 1.5 is out of range; expected 0 to 1 (fraction).")
    #expect(problem(["rate": -1]) == "attack.rate: -1 is out of range; expected 0 to 1 (fraction).")
    #expect(problem(["rate": .double(.nan)]) == "attack.rate: NaN is not a setting.")
    for word in ["NaN", "Infinity", "-Infinity"] {
      #expect(problem(["rate": .string(word)]) == "attack.rate: \(word) is not a setting.")
      #expect(problem(["betas": [0.9, .string(word)]]) == "attack.betas: element 1: \(word) is not a setting.")
    }
    #expect(
      problem(["schedule": ["epochs": 0]]) == "attack.schedule.epochs: 0 is out of range; expected at least 1 (epochs)."
    )
    #expect(problem(["betas": [0.9, 2]]) == "attack.betas: element 1: 2 is out of range; expected 0 to 1.")
    #expect(problem(["size": 0]).contains("out of range"))
    #expect(
      problem(["corner": "topleft"])
        == "attack.corner: \"topleft\" is not one of the choices. Did you mean top-left? Choices: bottom-right, "
        + "top-left."
    )
    #expect(problem(["rate": 0]) == "resolved")
    #expect(problem(["rate": 1]) == "resolved")
  }

  @Test func allProblemsAreReportedTogether() {
    let error = #expect(throws: SettingsError.self) {
      try SettingsTree.resolve(
        BadNets.self, overrides: ["rate": 2, "rte": 1, "target": "x", "schedule": ["epochs": "y"]])
    }
    #expect(error?.issues.map(\.path) == ["rate", "rte", "schedule.epochs", "target"])
  }

  @Test func overridesMustBeAGroup() {
    #expect(problem(3).hasPrefix("attack: expected a group of settings, found the number 3. Known settings: rate"))
  }

  @Test func errorsNameTheLineOfTheFile() throws {
    let document = try YAMLDocument("seed: 1\nattack:\n  target: 1\n  rte: 0.5\n", source: "experiment.yaml")
    do {
      _ = try SettingsTree.resolve(BadNets.self, overrides: #require(document.value["attack"]), at: "attack")
      #expect(Bool(false), "resolved")
    } catch let error as SettingsError {
      #expect(error.located(in: document).description.hasPrefix("experiment.yaml:4: attack.rte: unknown setting."))
    }
  }

  @Test func existentialTypesResolve() throws {
    let types: [any Configurable.Type] = [BadNets.self, Schedule.self]
    for type in types { #expect(try SettingsTree.encode(SettingsTree.resolve(type)).objectValue?.isEmpty == false) }
    #expect(throws: SettingsError.self) { try SettingsTree.resolve(types[1], overrides: ["rate": 1]) }
  }

  @Test func validationInDecodingIsReported() {
    struct Odd: Configurable {
      var n = 1
      init() {}
      init(from decoder: any Decoder) throws {
        n = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .n)
        if n.isMultiple(of: 2) { throw SettingsError("n", "must be odd.") }
      }
      static let settings = [Setting("n", "An odd number.")]
    }
    let error = #expect(throws: SettingsError.self) { try SettingsTree.resolve(Odd.self, overrides: ["n": 2], at: "x") }
    #expect(error?.description == "x.n: must be odd.")
  }

  @Test func listsOfGroups() throws {
    struct Pipeline: Configurable {
      var stages = [Schedule()]
      static let settings = [Setting("stages", "Stages.", nested: Schedule.self)]
    }
    let resolved = try SettingsTree.resolve(Pipeline.self, overrides: ["stages": [["epochs": 1], [:]]])
    #expect(resolved.stages == [Schedule(epochs: 1), Schedule()])
    let error = #expect(throws: SettingsError.self) {
      try SettingsTree.resolve(Pipeline.self, overrides: ["stages": [[:], ["epoch": 1]]], at: "p")
    }
    #expect(error?.issues.first?.path == "p.stages[1].epoch")
  }

  @Test func mergeIsDeep() {
    let merged = SettingsTree.merge(
      ["a": ["x": 1, "y": 2], "b": [1, 2], "c": 1], ["a": ["y": 3], "b": [9], "c": nil, "d": 4])
    #expect(merged == ["a": ["x": 1, "y": 3], "b": [9], "c": nil, "d": 4])
  }
}

@Suite struct SettingsDescriptionTests {
  @Test func describesEverySetting() throws {
    let lines = SettingsTree.describe(BadNets.self)
    #expect(
      lines.map(\.key) == [
        "rate", "target", "size", "corner", "clean", "name", "betas", "schedule", "schedule.epochs",
        "schedule.milestones", "warmup",
        "warmup.epochs", "warmup.milestones",
      ])
    #expect(
      lines.map(\.defaultText) == [
        "0.1", "0", "null", "bottom-right", "false", "badnets", "[0.9, 0.999]", "", "60", "[50, 75]", "null", "100",
        "[50, 75]",
      ])
    #expect(
      lines.map(\.kind) == [
        "number", "whole number", "whole number", "text", "true/false", "text", "list", "group", "whole number", "list",
        "group",
        "whole number", "list",
      ])
    #expect(lines[0].range == "0 to 1")
    #expect(lines[8].range == "at least 1")
    #expect(lines[0].unit == "fraction")
    #expect(lines[0].source == "Gu et al. 2017")
    #expect(lines[3].choices == ["bottom-right", "top-left"])
  }

  @Test func soundConfigurationsPassTheCheck() {
    #expect(SettingsTree.checkSettings(BadNets.self) == [])
    #expect(SettingsTree.checkSettings(Schedule.self) == [])
  }

  @Test func theCheckFindsEveryMistake() {
    struct Inner: Configurable {
      var a = 1
      static let settings: [Setting] = []
    }
    struct Sloppy: Configurable {
      var rate = 2.0
      var weightDecay: Double? = nil
      var name = "x"
      var mode = "c"
      var inner = Inner()
      var plain = 1
      static let settings = [
        Setting("rate", "Rate.", range: 0...1), Setting("rate", "Again."), Setting("gone", "Not there."),
        Setting("weight_decay", "Misspelt."), Setting("name", "", range: 0...1),
        Setting("mode", "Mode.", choices: ["a", "b"]),
        Setting("inner", "Inner.", nested: Inner.self), Setting("plain", "Plain.", nested: Inner.self),
      ]
    }
    let problems = SettingsTree.checkSettings(Sloppy.self)
    for expected in [
      "Sloppy.rate: described twice.", "Sloppy.gone: described, but there is no such stored property.",
      "Sloppy.weightDecay: a stored property without a description. Did you mean weight_decay?",
      "Sloppy.weight_decay: described, but there is no such stored property.", "Sloppy.name: the summary is empty.",
      "Sloppy.name: a range on a setting that is text.",
      "Sloppy.rate: the default is not allowed: 2.0 is out of range; expected 0 to 1.",
      "Sloppy.inner.a: a stored property without a description. ",
      "Sloppy.plain: described as a group, but its default is the number 1.",
    ] {
      #expect(problems.contains(expected), "\(expected) is not among \(problems)")
    }
    #expect(
      problems.contains { $0.hasPrefix("Sloppy.mode: the default is not allowed: \"c\" is not one of the choices.") })
  }
}

@Suite struct AssignmentTests {
  @Test(
    arguments: [
      ("attack.rate=0.05", ["attack", "rate"], 0.05), ("seed=1e-3", ["seed"], 0.001), ("a=true", ["a"], true),
      ("a=null", ["a"], nil),
      ("a=[1,2]", ["a"], [1, 2]), ("a=[1e-3, x]", ["a"], [0.001, "x"]), ("a={b: 1}", ["a"], ["b": 1]),
      ("a=\"1\"", ["a"], "1"),
      ("a=''", ["a"], ""), ("a=text with spaces", ["a"], "text with spaces"), ("a=x=y", ["a"], "x=y"),
      (" a = 3 ", ["a"], 3),
      ("a=C: drive", ["a"], "C: drive"), ("a=@x", ["a"], "@x"), ("a=#1", ["a"], "#1"),
      ("a=/data/cifar # 10", ["a"], "/data/cifar # 10"),
    ] as [(String, [String], JSONValue)])
  func values(_ text: String, path: [String], value: JSONValue) throws {
    let parsed = try SettingsTree.parseAssignment(text)
    #expect(parsed.path == path)
    #expect(parsed.value == value)
  }

  @Test(arguments: [
    ("attack.rate", "has no \"=\". Write name=value"), ("attack.rate 0.5", "has no \"=\""), ("=3", "empty name"),
    ("a..b=3", "empty name"),
    ("a=", "there is no value after \"=\""), ("a=[1, 2", "cannot be read"), ("a=[1] x", "cannot be read"),
  ])
  func mistakes(_ text: String, message: String) {
    let error = #expect(throws: SettingsError.self) { try SettingsTree.parseAssignment(text) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test func appliedInOrder() throws {
    let tree: JSONValue = ["attack": ["rate": 0.1], "list": [["a": 1], ["a": 2]]]
    let result = try SettingsTree.apply(
      ["attack.rate=0.2", "attack.rate=0.3", "new.deep.key=x", "list.1.a=5"], to: tree)
    #expect(
      result == ["attack": ["rate": 0.3], "new": ["deep": ["key": "x"]], "list": [["a": 1], ["a": 5]]])
  }

  @Test func pathsThroughValuesAreErrors() {
    let scalar = #expect(throws: SettingsError.self) {
      try SettingsTree.apply(["attack.rate=1"], to: ["attack": "badnets"])
    }
    #expect(scalar?.description == "attack.rate: attack is the text \"badnets\", not a group of settings.")
    let list = #expect(throws: SettingsError.self) { try SettingsTree.apply(["list.7=1"], to: ["list": [1]]) }
    #expect(list?.description == "list.7: list is a list of 1; name a position from 0.")
  }
}

extension SettingsTests {
  @Test func aFileOfUnknownKeysIsRefusedQuicklyAndBriefly() throws {
    let keys = (0..<100_000).map { "setting\($0)" }
    let overrides = JSONValue.object(Dictionary(uniqueKeysWithValues: keys.map { ($0, .int(1)) }))
    let clock = ContinuousClock()
    let start = clock.now
    do {
      _ = try SettingsTree.resolve(BadNets.self, overrides: overrides)
      Issue.record("unknown keys passed")
    } catch {
      #expect(error.issues.count == 100_000)
      #expect(error.description.split(separator: "\n").count == 21 && error.description.hasSuffix("... and 99980 more"))
    }
    #expect(clock.now - start < .seconds(3))
  }

  /// A key from a file that is no configuration may be anything.
  @Test func longNamesAreShortened() {
    let long = String(repeating: "k", count: 6_000)
    for error in [
      SettingsError(long, "unknown setting."), SettingsError("attack", "\"\(long)\" is not one of the choices."),
      SettingsError.unknownName(what: "attack", name: long, known: ["badnets"]),
    ] {
      #expect(error.description.count < 2_200 && error.description.contains("kkk..."), "\(error.description.count)")
    }
    #expect(SettingsError(long, "unknown setting.").description.hasSuffix("kkk...: unknown setting."))
  }
}
