/// What a user is told about one setting of a configuration.
public struct Setting: Sendable {
  /// The name of the stored property, and the key in files and on the command line.
  public let key: String
  /// One sentence: what the setting does.
  public let summary: String
  /// The unit: `fraction`, `epochs`, `pixels`, ...
  public let unit: String?
  /// The values that are allowed, both ends included; `1...Double.infinity` for "at least 1". It also bounds the
  /// elements of a list.
  public let range: ClosedRange<Double>?
  /// The texts that are allowed. It also bounds the elements of a list.
  public let choices: [String]?
  /// Where the default comes from: a paper, or the decision where the paper is silent.
  public let source: String?
  /// The type of a setting that is itself a group of settings, or a list of such groups.
  public let nested: (any Configurable.Type)?

  /// Describes a setting; see the properties.
  public init(
    _ key: String, _ summary: String, unit: String? = nil, range: ClosedRange<Double>? = nil, choices: [String]? = nil,
    source: String? = nil, nested: (any Configurable.Type)? = nil
  ) {
    self.key = key
    self.summary = summary
    self.unit = unit
    self.range = range
    self.choices = choices
    self.source = source
    self.nested = nested
  }
}

/// A configuration: a plain struct whose stored properties have default values and are described one by one.
///
/// ```swift
/// struct Configuration: Configurable {
///   var rate = 0.1
///   var size: Int? = nil
///   static let settings = [
///     Setting("rate", "Share of the training set that is poisoned.", unit: "fraction", range: 0...1, source: "Gu et al. 2017"),
///     Setting("size", "Side of the trigger; null for a tenth of the image.", unit: "pixels", range: 1...1024),
///   ]
/// }
/// ```
public protocol Configurable: Codable, Sendable {
  /// The defaults.
  init()
  /// One entry for each stored property.
  static var settings: [Setting] { get }
}
