public import Backdoor
public import Files
public import Support

/// A defense as the command line and experiments see it: by name, with settings as a tree.
public struct DefenseKind: Sendable {
  public let id: String
  public let summary: String
  public let paper: String
  public let stage: DefenseStage
  public let requires: Set<Resource>
  public let configuration: any Configurable.Type
  public let presets: [SettingsPreset]
  /// The defense with settings over its defaults, and the resolved settings. The key `preset` names one of `presets`; it
  /// stays in the resolved settings. Throws `SettingsError`.
  public let make: @Sendable (_ overrides: JSONValue) throws -> (defense: any Defense, settings: JSONValue)

  /// Adding a defense is adding a file and a row here.
  public static let all = [
    DefenseKind(FineTuning.self), DefenseKind(FeatureShiftTuning.self), DefenseKind(SharedAdversarialUnlearning.self),
    DefenseKind(VanillaAdversarialTraining.self), DefenseKind(FinePruning.self),
    DefenseKind(AdversarialNeuronPruning.self), DefenseKind(EntropyPruning.self), DefenseKind(NeuralCleanse.self),
    DefenseKind(MaxEntropyStaircase.self),
    DefenseKind(AttentionDistillation.self), DefenseKind(ImplicitUnlearning.self),
    DefenseKind(NoisyLabelDefense<SPL>.self), DefenseKind(ReinforcedDefense<SPL>.self),
    DefenseKind(NoisyLabelDefense<PRL>.self),
    DefenseKind(ReinforcedDefense<PRL>.self), DefenseKind(NoisyLabelDefense<Bootstrap>.self),
    DefenseKind(ReinforcedDefense<Bootstrap>.self), DefenseKind(FastAdversarialTraining.self),
    DefenseKind(SemiSupervisedDefense<PRL>.self), DefenseKind(AdversarialTraining.self),
    DefenseKind(CompositeAdversarialTraining.self),
    DefenseKind(SelfExpansion.self), DefenseKind(InverseSelfPacedLearning.self), DefenseKind(DecouplingDefense.self),
    DefenseKind(DecouplingFilter.self), DefenseKind(SpectralSignatures.self), DefenseKind(ActivationClustering.self),
    DefenseKind(ScalingConsistency.self), DefenseKind(RandomFilter.self), DefenseKind(OracleFilter.self),
    DefenseKind(AntiBackdoorLearning.self),
    DefenseKind(DifferentiallyPrivateTraining.self), DefenseKind(ShrinkPadGuard.self),
    DefenseKind(ShrinkPadTraining.self),
  ]

  init<D: Defense>(_ type: D.Type) {
    id = D.id
    summary = D.summary
    paper = D.paper
    stage = D.stage
    requires = D.requires
    configuration = D.Configuration.self
    presets = D.presets
    make = { overrides in
      let (preset, overrides) = try SettingsPreset.applied(
        overrides, among: D.presets, of: "defense \(D.id)", at: "defense")
      let configuration = try SettingsTree.resolve(D.Configuration.self, overrides: overrides, at: "defense")
      var settings = try SettingsTree.encode(configuration)
      if let preset { settings[SettingsPreset.key] = .string(preset) }
      return (D(configuration), settings)
    }
  }

  /// - Throws: `SettingsError` that lists the known names.
  public static func named(_ id: String) throws -> DefenseKind {
    guard let kind = all.first(where: { $0.id == id }) else {
      throw SettingsError.unknownName(what: "defense", name: id, known: all.map(\.id))
    }
    return kind
  }
}
