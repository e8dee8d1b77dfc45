public import Support

/// How the statistics of an audit are measured. A model can be compared with a bank of clean models only if both were
/// measured in the same way: a bank's file holds its settings, and an audit takes them from there.
public struct AuditSettings: Configurable, Hashable {
  public var images = 500
  public var batch = 32
  public var starts = 10
  public var marginSteps = 50
  public var marginStep = 0.05
  public var patchShare = 0.012
  public var patchSteps = 30
  public var epsilon = 8.0
  public var perturbationSteps = 40
  public var perturbationStep = 0.2
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "images", "Images that are used at most: one half to find triggers, the other to measure them.", unit: "images",
      range: 20...1_000_000, source: "decided here: 500, of which 95% intervals are at most 13 points wide"),
    Setting("batch", "Images in one step of a search.", unit: "images", range: 1...65_536, source: "decided here"),
    Setting(
      "starts", "Random images that the largest margin of a class is searched from.", range: 1...10_000,
      source: "decided here; MM-BD: 30"),
    Setting(
      "marginSteps", "Steps of that search.", range: 1...100_000, source: "decided here; MM-BD: at most 300 of SGD"),
    Setting(
      "marginStep", "First step of that search in each pixel; it falls linearly to 0.", unit: "of [0, 1]",
      range: 0...1, source: "decided here"),
    Setting(
      "patchShare", "Share of an image's pixels that the sparse patch may change.", unit: "fraction", range: 0...1,
      source: "decided here: 12 pixels of 32x32"),
    Setting("patchSteps", "Frank-Wolfe steps of the search for a patch.", range: 1...100_000, source: "decided here"),
    Setting(
      "epsilon", "Largest change of a pixel by the universal perturbation.", unit: "1/255 of the pixel range",
      range: 0...255, source: "decided here: 8"),
    Setting(
      "perturbationSteps", "Steps of the search for a universal perturbation.", range: 1...100_000,
      source: "decided here"),
    Setting(
      "perturbationStep", "First step of that search; it falls linearly to 0.", unit: "of epsilon", range: 0...10,
      source: "decided here"),
  ]
}

extension AuditSettings {
  /// Pixels that the sparse patch may change in images of this size: one at least.
  public func patchPixels(height: Int, width: Int) -> Int {
    min(height * width, max(1, Int((patchShare * Double(height * width)).rounded())))
  }
}
