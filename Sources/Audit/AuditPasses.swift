/// How many times an image passes through the network and back for one class, in the parts of a measurement.
struct AuditPasses {
  enum Part: String {
    case margin, patch, perturbation
  }

  /// A pass forward alone.
  static let forward = 1.0 / 3

  private let settings: AuditSettings
  /// Images of a batch of a search, and those that its trigger is measured on.
  private let batch: Double
  private let scored: Double
  private let quick: Bool

  /// - Parameters:
  ///   - search: images that triggers are searched with.
  ///   - heldOut: those that they are measured on.
  init(_ settings: AuditSettings, search: Int, heldOut: Int, quick: Bool) {
    self.settings = settings
    self.quick = quick
    batch = Double(min(settings.batch, search))
    scored = Double(heldOut) * Self.forward
  }

  var parts: [Part] { quick ? [.margin, .patch] : [.margin, .patch, .perturbation] }
  var total: Double { parts.reduce(0) { $0 + self[$1] } }

  subscript(part: Part) -> Double {
    switch part {
    case .margin: Double(settings.starts * settings.marginSteps)
    case .patch: batch * Double(settings.patchSteps) + scored
    case .perturbation: batch * Double(settings.perturbationSteps) + scored
    }
  }
}
