public import Backdoor
public import Files
public import Support

/// An attack as the command line and experiments see it: by name, with settings as a tree.
public struct AttackKind: Sendable {
  public let id: String
  public let summary: String
  public let paper: String
  public let configuration: any Configurable.Type
  /// The attack with settings over its defaults, and the resolved settings. Throws `SettingsError`.
  public let make: @Sendable (_ overrides: JSONValue) throws -> (attack: any Attack, settings: JSONValue)

  /// Adding an attack is adding a file and a row here.
  public static let all = [
    AttackKind(BadNets.self), AttackKind(Blended.self), AttackKind(LabelFlip.self), AttackKind(SleeperAgent.self),
    AttackKind(ClusteredTrigger.self), AttackKind(Sinusoid.self), AttackKind(WaNet.self), AttackKind(BPP.self),
    AttackKind(AdaptiveBlend.self), AttackKind(AdaptivePatch.self), AttackKind(TaCT.self), AttackKind(Refool.self),
    AttackKind(LabelConsistent.self), AttackKind(LowFrequency.self), AttackKind(SSBA.self),
    AttackKind(WaNetTraining.self), AttackKind(InputAware.self), AttackKind(LIRA.self), AttackKind(Blind.self),
    AttackKind(TrojanNN.self), AttackKind(AdversarialEmbedding.self),
  ]

  init<A: Attack>(_ type: A.Type) {
    id = A.id
    summary = A.summary
    paper = A.paper
    configuration = A.Configuration.self
    make = { overrides in
      let configuration = try SettingsTree.resolve(A.Configuration.self, overrides: overrides, at: "attack")
      return (A(configuration), try SettingsTree.encode(configuration))
    }
  }

  /// - Throws: `SettingsError` that lists the known names.
  public static func named(_ id: String) throws -> AttackKind {
    guard let kind = all.first(where: { $0.id == id }) else {
      throw SettingsError.unknownName(what: "attack", name: id, known: all.map(\.id))
    }
    return kind
  }
}
