import Backdoor
import TorchNN
import Vision

/// What defenses that work on BatchNorm need of a model.
enum BatchNormLayers {
  /// - Parameter others: which defenses do without, as a sentence.
  /// - Returns: the model's BatchNorm layers in the order of their declaration.
  /// - Throws: `DefenseError` for a model without any, before anything is computed.
  @discardableResult
  static func require(
    _ model: Classifier, by defense: String, for purpose: String,
    others: String = "nad, nc and i-bau do without, and so does fp where there is no layer normalisation either."
  ) throws -> [BatchNorm2d] {
    let layers = model.modules().compactMap { $0.module as? BatchNorm2d }
    guard !layers.isEmpty else {
      throw DefenseError.invalid(
        "defense \(defense) needs a network with BatchNorm (\(purpose)), and \(model.spec?.kind ?? "this one") has none. "
          + others)
    }
    return layers
  }
}
