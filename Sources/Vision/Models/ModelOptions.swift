import Support

/// What can be chosen of an architecture beside its width.
public struct ModelOptions: Sendable {
  /// Which depths an architecture has.
  public struct Depths: Sendable {
    public let published: Int
    /// For messages: `10, 16, 22, ... (6n + 4)`.
    public let description: String
    let allows: @Sendable (Int) -> Bool

    static func sixSteps(published: Int) -> Depths {
      Depths(published: published, description: "10, 16, 22, ... (6n + 4) up to 100") {
        (10...100).contains($0) && ($0 - 4) % 6 == 0
      }
    }
    static func among(_ depths: [Int], published: Int) -> Depths {
      Depths(published: published, description: depths.map(String.init).joined(separator: ", ")) { depths.contains($0) }
    }
    static func upTo(_ most: Int, published: Int) -> Depths {
      Depths(published: published, description: "1 to \(most)") { (1...most).contains($0) }
    }
  }

  public var depth: Depths?
  /// The published widen factor.
  public var widen: Int?
  /// The published number of attention heads.
  public var heads: Int?
  public var hasPatches = false
  public var hasStems = false
  /// The stem can be told from the shapes of the weights; else it is a matter of strides alone.
  public var stemShows = true

  static let widenFactors = 1...16
  static let patchSizes = 1...64

  /// - Throws: `SettingsError` for an option that the architecture `id` does not have, or not with this value.
  func check(_ shape: ModelShape, _ id: String) throws(SettingsError) {
    func refuse(_ key: String, _ value: Any, _ allowed: String?) throws(SettingsError) -> Never {
      throw SettingsError(
        "model.\(key)",
        allowed.map { "\(value) is no \(key) of \(id): it takes \($0)." } ?? "\(id) has none. Leave the setting out.")
    }
    if let value = shape.depth, depth?.allows(value) != true { try refuse("depth", value, depth?.description) }
    if let value = shape.widen, widen == nil || !Self.widenFactors.contains(value) {
      try refuse("widen", value, widen == nil ? nil : "1 to \(Self.widenFactors.upperBound)")
    }
    if let value = shape.heads, heads == nil || value < 1 || shape.width % value != 0 {
      try refuse("heads", value, heads == nil ? nil : "numbers that divide its width \(shape.width)")
    }
    if let value = shape.patch, !hasPatches || !Self.patchSizes.contains(value) {
      try refuse("patch", value, hasPatches ? "1 to \(Self.patchSizes.upperBound) pixels" : nil)
    }
    if hasPatches, shape.imageSize % shape.usedPatch != 0 {
      throw SettingsError(
        "dataset.size",
        "images of \(shape.imageSize) pixels do not split into patches of \(shape.usedPatch) (model.patch). Choose a "
          + "size that is a multiple of it.")
    }
    if let stem = shape.stem, !hasStems { try refuse("stem", stem.rawValue, nil) }
  }
}
