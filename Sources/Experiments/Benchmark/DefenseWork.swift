import Backdoor
import Defenses
import Files
import Support
import Torch
import TorchNN
import Training
import Vision

/// The work that a baseline mostly consists of, as the defense itself does it, and a number that comes out of its first
/// step: `Benchmarks/peer_defenses.py` does the same work in plain PyTorch and has to get the same number.
///
/// Rates are clean images a second: those of the unit of work, however often each of them is looked at.
struct DefenseWork: Sendable {
  static let group = "defenses"

  let row: Benchmark.Row
  /// In float32, from `DefenseInputs`.
  let value: @Sendable (DefenseInputs, TrainingContext) throws -> Double

  private init(
    _ name: String, _ summary: String, _ measure: @escaping @Sendable (Benchmark, Bool) throws -> Double,
    value: @escaping @Sendable (DefenseInputs, TrainingContext) throws -> Double
  ) {
    row = Benchmark.Row(id: "\(Self.group)/\(name)", summary: summary, measure: measure)
    self.value = value
  }

  /// A whole defense with settings that leave one unit of its work.
  /// - Parameter images: of the unit, by the benchmark.
  private init(
    _ name: String, _ summary: String, images: @escaping @Sendable (Benchmark) -> Int,
    _ settings: @escaping @Sendable (Benchmark) -> JSONValue,
    value: @escaping @Sendable (DefenseInputs, TrainingContext) throws -> Double
  ) {
    self.init(
      name, summary,
      { try $0.run(name, settings($0), images: images($0), warmUp: $1) },
      value: value)
  }

  static let all = [
    DefenseWork(
      "fp", "rank the last stage's channels, look at the accuracy 10 times", images: { $0.evaluated },
      { _ in ["tolerance": 1, "step": 0.1, "validation": 0.5, "finetune": ["epochs": 0]] }
    ) { inputs, context in
      let means = FinePruning.meanActivations(
        of: inputs.model, on: inputs.data.prefix(DefenseInputs.some), context)
      return means[means.argsort()[0..<(means.count / 2)]].mean().item()
    },
    DefenseWork(
      "anp", "steps of the masks: perturb, robust and natural loss", images: { $0.stepped },
      { ["iterations": .int($0.units), "batch": .int($0.settings.batch)] }
    ) { inputs, context in
      let model = try inputs.model.copied()
      let layers = model.modules().compactMap { $0.module as? BatchNorm2d }
      let (images, labels) = inputs.batch()
      return AdversarialNeuronPruning().losses(
        of: model.requiresGrad(false).train(), MaskedBatchNorms(layers), masks: NeuronMasks(layers).parameters(),
        images: images, labels: labels, noise: inputs.pruningNoise, context: context
      ).total.item()
    },
    DefenseWork(
      "ep", "entropies of all BatchNorm inputs", images: { $0.evaluated }, { ["images": .int($0.evaluated)] }
    ) { inputs, context in
      let maxima = EntropyPruning.largestInputs(of: inputs.model, on: inputs.data.prefix(DefenseInputs.some), context)
      let entropies = maxima.flatMap { EntropyPruning.entropies($0.values, binWidth: 0.1) }
      return entropies.reduce(0, +) / Double(entropies.count)
    },
    DefenseWork(
      "nc", "steps of the trigger search for all 10 classes",
      images: { $0.units * NeuralCleanse.Configuration().batch },
      { _ in ["epochs": 1, "falseAlarms": 0, "simulations": 100] }
    ) { inputs, context in
      let zeros = [Tensor](repeating: Tensor.zeros([1, 32, 32], device: context.device), count: 10)
      let patterns = [Tensor](repeating: Tensor.zeros([3, 32, 32], device: context.device), count: 10)
      return TriggerSearch.losses(
        inputs.model, inputs.batch().images, masks: zeros, patterns: patterns, targets: Array(0..<10),
        costs: .init(repeating: 1e-3, count: 10), context
      ).total.item()
    },
    DefenseWork(
      "nad", "steps of the student: both networks' attention maps", images: { $0.stepped },
      { ["teacherEpochs": 0, "epochs": 1, "batch": .int($0.settings.batch)] }
    ) { inputs, context in
      let (images, labels) = inputs.batch()
      let (logits, features) = inputs.model.logitsAndFeatures(images)
      let c = AttentionDistillation.Configuration()
      let taught = noGrad { inputs.other.features(images).stages }
      let attention = AttentionDistillation.attentionLoss(features.stages, taught, betas: c.betas, power: c.power)
      return (F.crossEntropy(logits, labels) + attention).item()
    },
    DefenseWork(
      "i-bau", "a round: the perturbation, steps along the hypergradient", images: { $0.stepped },
      { ["rounds": 1, "batch": .int($0.settings.batch)] }
    ) { inputs, context in
      let (method, model) = (ImplicitUnlearning(), inputs.model)
      let (images, labels) = inputs.batch()
      let d = model.withFrozenParameters { method.perturbation(of: model, [images], context) }
      let gradients = Hypergradient.compute(
        at: d, weights: model.parameters(), iterations: method.configuration.iterations,
        step: method.configuration.mapStep,
        inner: { method.innerLoss(model, images, labels, $0, context) },
        outer: { F.crossEntropy(model(images + $0), labels) })
      return norm(gradients)
    },
    DefenseWork(
      "abl", "an epoch of the first stage, and the isolation", images: { $0.stepped },
      {
        [
          "isolationEpochs": 1, "tuningEpochs": 0, "unlearningEpochs": 0, "batch": .int($0.settings.batch),
          "isolated": 0.25,
        ]
      }
    ) { inputs, context in
      let (images, labels) = inputs.batch()
      let losses = F.crossEntropy(inputs.model(images), labels, reduction: .none)
      return AntiBackdoorLearning.ascending(losses, .sample, gamma: 2.3).item()
    },
    DefenseWork(
      "dpsgd", "steps with clipped gradients of single samples", images: { $0.stepped },
      { ["recipe": ["epochs": 1, "batch": .int($0.settings.batch)]] }
    ) { inputs, context in
      let model = try inputs.model.copied()
      model.normalizeGroups(DifferentiallyPrivateTraining.Configuration().groups)
      let clipping = try PerSampleClipping(model, id: DifferentiallyPrivateTraining.id)
      let (images, labels) = inputs.batch()
      return norm(clipping(bound: 1) { F.crossEntropy(model(images), labels, reduction: .none) }.gradients)
    },
    DefenseWork("sgd", "plain steps of the network that dpsgd trains", { try $0.plainSteps($1) }) { inputs, context in
      let (images, labels) = inputs.batch()
      return F.crossEntropy(inputs.model(images), labels).item()
    },
    DefenseWork(
      "spectral", "features, and the scores of each class", images: { $0.filtered }, { _ in [:] }
    ) { inputs, context in
      let scores = SpectralSignatures.scores(of: try inputs.features(of: 0, context))
      return scores.mean().item()
    },
    DefenseWork(
      "activation-clustering", "features, principal components, two clusters of each class", images: { $0.filtered },
      { _ in ["reduction": "pca", "rule": "smaller"] }
    ) { inputs, context in
      FeatureReduction.principal(try inputs.features(of: 0, context), count: 10).deviations.sum().item()
    },
    DefenseWork(
      "mesa", "an epoch of all 10 classes' generators, and what they reach", images: { $0.units * 64 },
      { _ in ["epochs": 1, "thresholds": [0.9], "falseAlarms": 0, "simulations": 100] }
    ) { inputs, context in
      Staircase(configuration: MaxEntropyStaircase.Configuration(), stage: "value").losses(
        inputs.model, inputs.batch().images, [Staircase.Step(label: 0, threshold: 0.9)], [inputs.triggers],
        [inputs.triggerDraw], context
      ).total.item()
    },
    DefenseWork("shrinkpad", "logits of the guarded model", { try $0.guardedLogits($1) }) { inputs, context in
      let model = try inputs.model.copied()
      model.shrinkPad = ShrinkPad(share: ShrinkPadGuard.Configuration().share)
      let (images, labels) = inputs.batch()
      return noGrad { F.crossEntropy(model(images), labels) }.item()
    },
    DefenseWork(
      "fst", "an epoch with the last layer driven away", images: { $0.stepped },
      { ["epochs": 1, "batch": .int($0.settings.batch)] }
    ) { inputs, context in
      let (images, labels) = inputs.batch()
      func head(_ model: Classifier) -> Tensor { model.stateDict()["linear.weight"] ?? Tensor(0) }
      let entropy = F.crossEntropy(inputs.model(images), labels)
      let likeness = FeatureShiftTuning.likeness(head(inputs.model), to: head(inputs.other))
      return (entropy + likeness * FeatureShiftTuning.Configuration().alpha).item()
    },
  ]

  private static func norm(_ gradients: [Tensor]) -> Double {
    noGrad { gradients.reduce(0) { $0 + $1.to(.float64).square().sum().item() } }.squareRoot()
  }
}

extension DefenseInputs {
  /// Features of the first images of one label, float64 n x D.
  fileprivate func features(of label: Int, _ context: TrainingContext) throws -> Tensor {
    let some = data.prefix(Self.some)
    let features = noGrad { model.penultimateFeatures(of: some, context: context).to(.cpu).to(.float64) }
    let rows = some.labelArray().enumerated().filter { $0.element == label }.map { Int64($0.offset) }
    return features[Tensor(rows)]
  }
}

extension Benchmark {
  /// Steps in a unit of work.
  fileprivate var units: Int { max(1, settings.steps / 3) }
  /// Images in a unit that trains, looks at accuracies, filters a data set.
  fileprivate var stepped: Int { units * settings.batch }
  fileprivate var evaluated: Int { units * settings.evaluationBatch }
  fileprivate var filtered: Int { 2 * evaluated }

  fileprivate func workContext() -> TrainingContext { TrainingContext(device: device, precision: settings.precision) }

  fileprivate func run(_ name: String, _ configuration: JSONValue, images count: Int, warmUp: Bool) throws -> Double {
    let kind = try DefenseKind.named(name)
    let defense = try kind.make(configuration).defense
    let images = data.prefix(count)
    let input = try DefenseInput(
      for: type(of: defense), training: workContext(), seed: Seed(0),
      architecture: { _ in self.model() }, poisonedTrain: images, model: try inputs().model, cleanSplit: images)
    return try rate(count) { _ = try defense.run(input) }
  }

  fileprivate func plainSteps(_ warmUp: Bool) throws -> Double {
    var recipe = Recipe.adversarial
    (recipe.epochs, recipe.batch) = (1, settings.batch)
    let (model, images) = (model(), data.prefix(stepped))
    model.normalizeGroups(DifferentiallyPrivateTraining.Configuration().groups)
    return try rate(stepped) { try Trainer(recipe).train(model, on: images, context: workContext()) }
  }

  fileprivate func guardedLogits(_ warmUp: Bool) throws -> Double {
    let guarded = try ShrinkPadGuard().purify(try inputs().model, clean: data.prefix(1), context: workContext())
    let images = data.prefix(filtered)
    return rate(images.count) { _ = guarded.logits(of: images, context: workContext()) }
  }
}
