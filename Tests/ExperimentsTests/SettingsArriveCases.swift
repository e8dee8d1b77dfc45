import Files
import Support

/// What `SettingsArriveTests` has to know of settings beyond their kind and range.
enum SettingsArriveCases {
  /// Settings of methods; one `*` in a name or key stands for anything.
  struct Case {
    let method: String
    let key: String
    let value: JSONValue?

    init(_ method: String, _ key: String, _ value: JSONValue? = nil) {
      (self.method, self.key, self.value) = (method, key, value)
    }
    func matches(_ method: String, _ key: String) -> Bool {
      Self.matches(self.method, method) && Self.matches(self.key, key)
    }
    private static func matches(_ pattern: String, _ text: String) -> Bool {
      guard let star = pattern.firstIndex(of: "*") else { return pattern == text }
      let (start, end) = (pattern[..<star], pattern[pattern.index(after: star)...])
      return text.count >= start.count + end.count && text.hasPrefix(start) && text.hasSuffix(end)
    }
  }

  // MARK: The tables

  private static let recipe: JSONValue = ["epochs": 2, "batch": 9, "learningRate": 0.05, "crop": 1]
  private static let stage: JSONValue = ["epochs": 2, "batch": 9]
  private static let filter: JSONValue = [
    "rounds": 2, "bags": 1, "share": 0.35, "stopAt": 4,
    "learner": ["epochs": 3, "batch": 5, "learningRate": 0.05, "crop": 1],
  ]
  private static let running: JSONValue = [
    "review": "running", "selfTraining": 5, "learner": ["learningRate": 0.2],
  ]
  private static let threats: JSONValue = [
    "linf": ["steps": 3], "l2": ["steps": 3], "l1": ["steps": 3], "spatial": ["steps": 3], "perceptual": ["steps": 3],
    "recipe": recipe,
  ]

  /// Settings under which a method ends at once.
  private static let quick: [Case] = [
    Case("attack *", "", ["rate": 0.25, "target": 2]), Case("attack label-flip", "", ["shift": 2]),
    Case(
      "attack sleeper-agent", "",
      ["size": 3, "steps": 8, "batch": 4, "sources": 7, "retrain": 1, "surrogate": recipe, "rate": 0.2]),
    Case("attack adaptive-*", "", ["coverRate": 0.1]), Case("attack tact", "", ["coverRate": 0.1, "target": 3]),
    Case("attack refool", "", ["reflections": 9]),
    Case(
      "attack label-consistent", "",
      ["surrogate": recipe, "rate": 0.2, "autoencoder": ["epochs": 1, "batch": 9, "code": 4, "width": 2]]),
    Case(
      "attack lf", "", ["surrogate": SettingsTree.merge(recipe, ["epochs": 9]), "images": 15, "passes": 1, "steps": 50]),
    Case("attack clustered-trigger", "", ["epochs": 2, "batch": 9, "pretrain": stage]),
    Case("attack wanet-training", "", ["rate": 0.3]),
    Case("attack input-aware", "", ["rate": 0.3, "crossRate": 0.3, "maskEpochs": 2, "width": 2, "levels": 2]),
    Case(
      "attack lira", "", ["share": 0.5, "jointEpochs": 2, "width": 2, "epsilon": 0.1, "generatorLearningRate": 0.01]),
    Case("attack blind", "", ["share": 0.5, "column": 2]),
    Case("attack adversarial-embedding", "", ["rate": 0.3, "widths": [3], "lambda": 0.5, "discriminatorRate": 0.05]),
    Case(
      "attack ssba", "",
      ["epochs": 2, "secretEpochs": 1, "ramp": 0.5, "batch": 9, "width": 2, "bits": 3, "learningRate": 0.01]),
    Case("attack trojannn", "", ["steps": 3, "step": 0.05, "opacity": 0.8, "surrogate": recipe]),
    Case("defense ft", "", ["epochs": 2, "batch": 9, "crop": 1, "learningRate": 0.1]),
    Case("defense fst", "", ["epochs": 2, "batch": 9, "crop": 1, "learningRate": 0.1]),
    Case("defense sau", "", ["epochs": 2, "batch": 9, "radius": 0.1, "stepSize": 0.04, "learningRate": 0.01]),
    Case("defense vanilla-at", "", ["epochs": 2, "batch": 9, "radius": 0.1, "stepSize": 0.04, "learningRate": 0.01]),
    Case("defense fp", "", ["finetune": ["epochs": 2, "batch": 9, "crop": 1, "learningRate": 0.1]]),
    Case("defense anp", "", ["iterations": 6, "batch": 9, "crop": 1, "threshold": 0.8, "learningRate": 1]),
    Case("defense ep", "", ["deviations": 0.8, "images": 20]),
    Case(
      "defense nc", "",
      [
        "epochs": 9, "batch": 9, "falseAlarms": 1, "simulations": 200, "patience": 1, "success": 0.4,
        "unlearning": ["epochs": 2, "batch": 9, "crop": 1],
      ]),
    Case(
      "defense mesa", "",
      [
        "thresholds": [0.4, 0.8], "epochs": 2, "batch": 9, "works": 0, "falseAlarms": 1, "simulations": 200, "noise": 3,
        "width": 4, "learningRate": 0.05, "unlearning": ["epochs": 2, "batch": 9, "crop": 1],
      ]),
    Case(
      "defense nad", "", ["teacherEpochs": 1, "epochs": 3, "batch": 9, "crop": 1, "cutout": 3, "milestones": [1, 2]]),
    Case("defense i-bau", "", ["rounds": 2, "batch": 9, "portion": 0.5]),
    Case("defense spl*", "", ["recipe": recipe]), Case("defense prl*", "", ["recipe": recipe]),
    Case("defense bootstrap*", "", ["recipe": recipe]), Case("defense noisy-at", "", ["recipe": recipe]),
    Case("defense prl-simclr", "", ["pretraining": stage, "labeled": 0.7, "recipe": ["crop": 0]]),
    Case("defense at", "", threats), Case("defense cat", "", threats),
    Case("defense self-expansion", "", ["filter": filter, "recipe": recipe]), Case("defense ispl", "", filter),
    Case("defense dbd", "", ["finetune": ["epochs": 2, "iterations": 3, "batch": 6], "supervised": recipe]),
    Case("defense spectral", "", ["eps": 0.1]),
    Case("defense activation-clustering", "", ["components": 2, "least": 4, "rule": "smaller"]),
    Case(
      "defense abl", "",
      [
        "isolationEpochs": 2, "tuningEpochs": 2, "unlearningEpochs": 2, "batch": 9, "isolated": 0.2, "gamma": 1.4,
        "unlearningRate": 0.05, "crop": 1, "tuningMilestone": 1,
      ]),
    Case("defense shrinkpad-training", "", ["transform": ["share": 0.5], "recipe": recipe]),
    Case("defense dpsgd", "", ["recipe": recipe, "groups": 1]),
    Case("defense dbd*", "", ["pretrain": stage, "tune": stage, "embeddings": 5]), Case("recipe", "", recipe),
  ]

  /// What a setting needs to matter.
  private static let needs: [Case] = [
    Case("attack badnets", "varies", ["pattern": "random"]),
    Case("attack sig", "excludeTarget", ["mapping": "all-to-one"]),
    Case("attack refool", "excludeTarget", ["mapping": "all-to-one"]),
    Case("attack label-consistent", "tau", ["form": "latent"]),
    Case("attack label-consistent", "autoencoder.*", ["form": "latent"]),
    Case("attack label-consistent", "l2.*", ["norm": "l2"]),
    Case("attack label-consistent", "training.*", ["adversarial": true]),
    Case("attack lf", "passes", ["misled": 1, "deviation": 0.7, "amplitude": 0.1]),
    Case("attack lf", "misled", ["passes": 3, "misled": 0.01]),
    Case("attack label-flip", "target", ["mapping": "all-to-one"]),
    Case("attack label-flip", "excludeTarget", ["mapping": "all-to-one"]),
    Case("attack sleeper-agent", "linf.*", ["adversarial": true]),
    Case("attack blind", "weight", ["balance": "fixed"]), Case("attack tact", "triggers", ["target": 2]),
    Case("defense nc", "null", ["index": "norms"]),
    Case("defense sau", "stepRule", ["norm": "l2", "radius": 2, "stepSize": 0.7]),
    Case("defense sau", "l1Projection", ["norm": "l1", "radius": 2, "stepSize": 0.7]),
    Case("defense vanilla-at", "l1Projection", ["norm": "l1", "radius": 2, "stepSize": 0.7]),
    Case("defense vanilla-at", "innerSamples", ["inner": "shared", "radius": 0.6, "stepSize": 0.3]),
    Case("defense vanilla-at", "mask", ["outer": "shared"]),
    Case("defense sau", "lambda2", ["radius": 0.6, "stepSize": 0.3]),
    Case("defense vanilla-at", "stepRule", ["norm": "l2", "radius": 2, "stepSize": 0.7]),
    Case("defense vanilla-at", "lambda3", ["inner": "shared"]),
    Case("defense vanilla-at", "lambda4", ["inner": "shared"]),
    Case("defense vanilla-at", "adversarialWeight", ["outer": "shared"]),
    Case("defense at", "l2.*", ["threat": "l2"]), Case("defense at", "l1.*", ["threat": "l1"]),
    Case("defense at", "spatial.*", ["threat": "spatial"]),
    Case("defense at", "perceptual.*", ["threat": "perceptual"]),
    Case("defense at", "gaussianNoise.*", ["threat": "gaussian-noise"]),
    Case("defense at", "randomSpatial.*", ["threat": "random-spatial"]),
    Case("defense at", "composite.*", ["threat": "composite"]),
    Case("defense cat", "l2.*", ["composite": ["second": "l2"]]),
    Case("defense cat", "l1.*", ["composite": ["second": "l1"]]),
    Case("defense cat", "perceptual.*", ["composite": ["first": "perceptual"]]),
    Case("defense cat", "gaussianNoise.*", ["composite": ["second": "gaussian-noise"]]),
    Case("defense cat", "randomSpatial.*", ["composite": ["second": "random-spatial"]]),
    Case("defense *", "composite.jointLoss", ["composite": ["joint": true]]),
    Case("defense ispl", "pacing", ["share": 0.7]),
    Case("defense self-expansion", "filter.pacing", ["filter": ["share": 0.7]]),
    Case("defense ispl", "review*", running),
    Case("defense self-expansion", "filter.review*", ["filter": running]),
    Case("defense ispl", "classDivisor", ["rounds": 1]),
    Case("defense ispl", "learner.period", ["learner": ["learningRate": 0.3]]),
    Case("defense self-expansion", "filter.classDivisor", ["filter": ["rounds": 1]]),
    Case("defense dbd", "supervised.*", ["variant": "no-ssl"]),
    Case("defense dbd*", "tune.gceQ", ["tune": ["loss": "gce"]]),
    Case("defense anp", "project", ["steps": 2]),
    Case("defense nc", "threshold", ["rule": "published"]),
    Case("defense spectral", "percentile", ["rule": "percentile"]),
    Case("defense spectral", "classLimit", ["eps": 0.6]),
    Case("defense activation-clustering", "relativeSize", ["rule": "relative-size"]),
    Case("defense ibd-psc", "error", ["models": 1]), Case("defense ibd-psc", "level", ["rule": "conformal"]),
    Case("defense activation-clustering", "silhouette", ["rule": "silhouette"]),
  ]

  /// The same for groups of settings that many methods have: a setting by which the group is known, the setting in
  /// question, and what stands beside it.
  private static let groupNeeds: [(marker: String, key: String, value: JSONValue)] = [
    ("mapping", "source", ["mapping": "source-to-target", "target": 3]),
    ("mapping", "shift", ["mapping": "all-to-all"]),
    ("labelSmoothing", "nesterov", ["optimizer": "sgd"]),
    ("labelSmoothing", "schedule", ["milestones": [1]]),
    ("labelSmoothing", "milestones", ["schedule": "multi-step"]),
    ("labelSmoothing", "gamma", ["schedule": "multi-step", "milestones": [1]]),
    ("labelSmoothing", "period", ["schedule": "cosine"]),
    ("labelSmoothing", "warmup", ["schedule": "one-cycle"]),
    ("targetMomentum", "queue", ["method": "moco"]), ("targetMomentum", "targetMomentum", ["method": "byol"]),
    ("targetMomentum", "groups", ["method": "moco", "groups": 2]),
  ]

  /// Values that cannot be guessed, or whose neighbours do the same.
  private static let given: [Case] = [
    Case("defense ibd-psc", "error", 1), Case("defense ibd-psc", "level", 1),
    Case("defense nad", "milestones", [1, 3]), Case("*", "*milestones", [1]), Case("*", "*clipNorm", 0.01),
    Case("*", "*finetune.ramp", 0.5), Case("*", "*.images", 20), Case("*", "*.temperature", 0.2),
    Case("*", "*.hidden", 5), Case("*", "*.projection", 6), Case("*", "*.viewSize", 10),
    Case("*", "pretrain*.learningRate", 0.1), Case("*", "*perturbAll", true),
    Case("attack lf", "misled", 0.99),
    Case("attack lf", "surrogate.learningRate", 0.1),
    Case("attack sleeper-agent", "source", 1), Case("attack sig", "testDelta", 90),
    Case("attack tact", "target", 2),
    Case("attack adaptive-patch", "size", 3), Case("attack adaptive-patch", "opacities", [0.5, 0.2, 0.5, 0.4]),
    Case("attack adaptive-patch", "testPatches", [0, 1]), Case("attack tact", "coverClasses", [2]),
    Case("*", "*reviewEpochs", 1), Case("attack clustered-trigger", "bound", 0.05),
    Case("attack wanet-training", "mapping", "all-to-all"),
    Case("attack ssba", "ramp", 4), Case("attack ssba", "secretEpochs", 0),
    Case("attack trojannn", "margin", 0), Case("attack trojannn", "gain", 0.01),
    Case("attack lira", "mapping", "all-to-all"),
    Case("attack adversarial-embedding", "mapping", "all-to-all"),
    Case("attack blind", "mapping", "all-to-all"), Case("attack blind", "row", 1),
    Case("attack input-aware", "mapping", "all-to-all"), Case("attack input-aware", "levels", 1),
    Case("attack input-aware", "*Milestones", [1]),
    Case("defense sau", "target", 1), Case("defense vanilla-at", "target", 1),
    Case("*", "*l1.share", 0.2), Case("*", "*.queue", 20), Case("*", "*rounds", 1), Case("*", "*selfTraining", 0),
    Case("*", "*learner.period", 1), Case("*", "*learner.gamma", 1), Case("*", "*learner.warmup", 0.9),
    Case("*", "*period", 7), Case("*", "*classDivisor", 1), Case("*", "*stopAt", 30), Case("*", "*extraIterations", 1),
    Case("defense activation-clustering", "least", 11), Case("defense activation-clustering", "relativeSize", 0.5),
    Case("defense activation-clustering", "silhouette", 1), Case("defense activation-clustering", "starts", 1),
    Case("*", "*firstEpochs", 5), Case("*", "*laterEpochs", 5),
    Case("defense fp", "step", 0.4), Case("defense fp", "share", 0.6), Case("defense anp", "iterations", 3),
    Case("defense anp", "threshold", 0.3),
    Case("defense ep", "images", 5), Case("defense ep", "binWidth", 1.5),
    Case("defense mesa", "falseAlarms", 0), Case("defense mesa", "simulations", 900),
    Case("attack adversarial-embedding", "widths", [4]),
    Case("defense mesa", "thresholds", [0.5]), Case("defense mesa", "size", 2), Case("defense mesa", "stamped", 0.9),
    Case("defense nc", "falseAlarms", 0), Case("defense nc", "simulations", 900), Case("defense nc", "stamped", 0.7),
    Case("defense nc", "patience", 3), Case("defense nc", "epochs", 4),
    Case("defense nad", "rates", [0.1, 0.05, 0.0001]),
    Case("defense nad", "betas", [500, 1000, 100]), Case("defense i-bau", "radius", 0.001),
    Case("defense i-bau", "portion", 0.9),
  ]

  /// Settings that cannot change the result; with a value, that value alone cannot.
  static let exceptions: [Case] = [
    // Needs a file: AttackKindTests writes one for every attack that reads one.
    Case("attack *", "image"), Case("attack *", "pattern", "image"),
    // Refused: these attacks trigger images of all classes.
    Case("attack wanet-training", "source"), Case("attack input-aware", "source"), Case("attack lira", "source"),
    Case("attack blind", "source"), Case("attack adversarial-embedding", "source"),
    // Images of 8x8 are too small for it: TrainingAttackTests has larger ones.
    Case("attack lira", "network"),
    // One of the two is the other one's default, and the same threat twice is refused.
    Case("defense *", "composite.first", "linf"), Case("defense *", "composite.second", "spatial"),
    // These rules filter nothing out.
    Case("defense bootstrap-at", "adversary.perturbAll"), Case("defense noisy-at", "adversary.perturbAll"),
    // Of l1 alone.
    Case("attack label-consistent", "training.share"),
    Case("*", "linf.share"), Case("*", "l2.share"),
    // The head learns from features that were computed once: refused where images would be augmented.
    Case("defense prl-simclr", "recipe.crop"), Case("defense prl-simclr", "recipe.flip"),
    // Matters where predictions change between turns: ExpansionTwinTests.
    Case("*", "*reviewEta"),
    // Leaves no sample of so few to train on; ispl's own is looked at.
    Case("defense self-expansion", "filter.ballot"), Case("defense self-expansion", "filter.minimumVotes"),
    // Handed over as one value: looked at in ispl.
    Case("defense self-expansion", "filter.learner.*"),
    // The guard changes what the model sees, not its weights: ShrinkPadTests looks.
    Case("defense shrinkpad", "share"), Case("defense shrinkpad", "random"),
    // Of what is said of the model, not of the model: DifferentiallyPrivateTests.
    Case("defense dpsgd", "delta"),
    // A recipe is handed over as one value, of which `epochs` and `learningRate` stand for all; all of its settings are
    // looked at in recipe.
    Case("attack *", "surrogate.batch"), Case("attack *", "surrogate.optimizer"),
    Case("attack *", "surrogate.momentum"),
    Case("attack *", "surrogate.nesterov"), Case("attack *", "surrogate.weightDecay"),
    Case("attack *", "surrogate.schedule"), Case("attack *", "surrogate.milestones"),
    Case("attack *", "surrogate.gamma"), Case("attack *", "surrogate.period"), Case("attack *", "surrogate.warmup"),
    Case("attack *", "surrogate.crop"), Case("attack *", "surrogate.flip"),
    Case("attack *", "surrogate.labelSmoothing"), Case("attack *", "surrogate.dropLast"),
    Case("attack *", "surrogate.clipNorm"),
    // Matter where a model has learned something, as in the methods' own tests: FinePruningTests, NeuronPruningTests,
    // NeuralCleanseTests and SampleFilterGoldenTests.
    Case("defense fp", "tolerance"), Case("defense fp", "validation"), Case("defense anp", "alpha"),
    // Triggers lead to one class whatever it is: MaxEntropyStaircaseTests.
    Case("defense mesa", "works"),
    Case("defense ep", "deviations"), Case("defense nc", "success"), Case("defense nc", "stop*"),
    Case("defense activation-clustering", "rule", "silhouette"),
    // DeepFool arrives in fewer steps here, and few images agree on one direction: LearnedAttackTests.
    Case("attack lf", "steps"), Case("attack lf", "images"),
    // Speed alone.
    Case("*", "*together"),
  ]

  // MARK: Reading them

  /// The settings to vary one from.
  static func base(for method: String, _ path: [String], siblings: Set<String>) -> JSONValue {
    let key = path.joined(separator: ".")
    var tree: JSONValue = [:]
    for item in quick where item.matches(method, "") {
      tree = SettingsTree.merge(tree, item.value ?? [:])
    }
    for item in needs where item.matches(method, key) { tree = SettingsTree.merge(tree, item.value ?? [:]) }
    let group = path.dropLast().map { $0 + "." }.joined()
    for item in groupNeeds where item.key == path.last && siblings.contains(group + item.marker) {
      tree = SettingsTree.merge(tree, self.tree(path.dropLast(), item.value))
    }
    return tree
  }

  /// Other values than the one that a setting has.
  static func values(for method: String, _ line: SettingDescription, now: JSONValue) -> [JSONValue] {
    if let item = given.first(where: { $0.matches(method, line.key) }), let value = item.value { return [value] }
    if let choices = line.choices { return choices.map { .string($0) }.filter { $0 != now } }
    switch now {
    case .bool(let value): return [.bool(!value)]
    case .int(let value): return [.int(value + 1)]
    case .double(let value): return [.double(value == 0 ? 0.3 : value / 2)]
    default: return []
    }
  }

  /// The rows of the tables that change nothing for any setting of these methods.
  static func unused(_ methods: [(name: String, settings: [SettingDescription])]) -> [String] {
    let all = methods.flatMap { method in method.settings.map { (method: method.name, line: $0) } }
    func exception(_ method: String, _ key: String) -> Int? { exceptions.firstIndex { $0.matches(method, key) } }
    let varied = all.filter { item in
      exception(item.method, item.line.key).map { exceptions[$0].value != nil } ?? true
    }
    func text(_ table: String, _ row: Case) -> String { "\(table): \(row.method) \(row.key)" }
    var found: [String] = []
    for row in quick where !methods.contains(where: { row.matches($0.name, "") }) { found.append(text("quick", row)) }
    for row in needs where !varied.contains(where: { row.matches($0.method, $0.line.key) }) {
      found.append(text("needs", row))
    }
    let first = Set(
      varied.compactMap { item in given.firstIndex { $0.matches(item.method, item.line.key) } })
    for (number, row) in given.enumerated() where !first.contains(number) { found.append(text("given", row)) }
    for (number, row) in exceptions.enumerated() {
      let isUsed = all.contains { item in
        exception(item.method, item.line.key) == number
          && (row.value == nil || item.line.choices?.contains { .string($0) == row.value } == true)
      }
      if !isUsed { found.append(text("exceptions", row)) }
    }
    for row in groupNeeds {
      let isUsed = varied.contains { item in
        guard item.line.key == row.key || item.line.key.hasSuffix("." + row.key) else { return false }
        let marker = item.line.key.dropLast(row.key.count) + row.marker
        return all.contains { $0.method == item.method && $0.line.key == marker }
      }
      if !isUsed { found.append("groupNeeds: \(row.marker) \(row.key)") }
    }
    return found
  }

  static func tree(_ path: some Collection<String>, _ value: JSONValue) -> JSONValue {
    path.reversed().reduce(value) { .object([$1: $0]) }
  }
}
