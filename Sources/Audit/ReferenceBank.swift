public import Files
import Support
public import Vision

/// Clean models as an audit compares with them: their statistics by class, how these were measured, and what the models
/// are. A small JSON file, which `antidote audit calibrate` writes.
public struct ReferenceBank: Codable, Sendable, Hashable {
  /// One clean model.
  public struct Member: Codable, Sendable, Hashable {
    public var name: String
    /// Architecture and width in words.
    public var architecture: String
    /// How it was trained, in words; nil where nobody said.
    public var recipe: String?
    /// On the test split, in [0, 1]; nil where there was none.
    public var accuracy: Double?
    /// SHA-256 of its file, in hexadecimal digits; nil where there is none.
    public var digest: String?
    public var statistics: ClassStatistics

    public init(
      name: String, architecture: String, recipe: String? = nil, accuracy: Double? = nil, digest: String? = nil,
      statistics: ClassStatistics
    ) {
      self.name = name
      self.architecture = architecture
      self.recipe = recipe
      self.accuracy = accuracy
      self.digest = digest
      self.statistics = statistics
    }
  }

  /// 1; other versions are refused.
  public var formatVersion = 1
  public var settings: AuditSettings
  public var dataset: String
  /// In the order of the statistics.
  public var classNames: [String]
  /// Channels, height and width of the images.
  public var imageShape: [Int]
  /// How many images each model was measured on, those to find triggers with included; nil where nobody said.
  public var images: Int?
  public var members: [Member]

  public init(
    settings: AuditSettings, dataset: String, classNames: [String], imageShape: [Int], images: Int? = nil,
    members: [Member]
  ) {
    self.settings = settings
    self.dataset = dataset
    self.classNames = classNames
    self.imageShape = imageShape
    self.images = images
    self.members = members
  }

  /// Reads a file and checks it.
  /// - Throws: `FileError`, `ParseError` or `AuditError`, which name the file.
  public init(contentsOf path: String) throws {
    let bytes = try FileSystem.read(path, limit: FormatLimits.settings.bytes * 16)
    let tree = try JSONValue(json: bytes, source: path)
    guard tree["members"] != nil, tree["formatVersion"]?.intValue == 1 else {
      throw AuditError.invalid(
        "\(path): no bank of clean models that this version reads. antidote audit calibrate writes one.")
    }
    do {
      self = try tree.decode(ReferenceBank.self)
      settings = try SettingsTree.resolve(AuditSettings.self, overrides: tree["settings"] ?? [:], at: "settings")
    } catch {
      throw AuditError.invalid("\(path): the bank is damaged (\(error)). Make it again with antidote audit calibrate.")
    }
    if let problem { throw AuditError.invalid("\(path): \(problem)") }
  }

  /// Writes the file, whole or not at all.
  public func write(to path: String) throws {
    try AtomicFile.write(try JSONValue(encoding: self).prettyJSON + "\n", to: path)
  }

  /// The bank that a model is compared with: without the model itself, where it is one of the clean ones.
  /// - Parameter digest: of the model's file.
  /// - Throws: `AuditError` where too few are left.
  public func without(_ digest: String) throws -> ReferenceBank {
    var rest = self
    rest.members.removeAll { $0.digest == digest }
    if let problem = rest.problem { throw AuditError.invalid("without the audited model itself: \(problem)") }
    return rest
  }

  /// What makes p doubtful where a model was measured on other numbers of images; nil where it is the same.
  public func difference(images count: Int) -> String? {
    guard let images, images != count else { return nil }
    return
      "whether p holds: the clean models were measured on \(images) images, this one on \(count), and triggers that are "
      + "found with fewer images are others"
  }

  /// Mean accuracy of the clean models, in [0, 1]; nil where it is not known of all.
  public var meanAccuracy: Double? {
    let known = members.compactMap(\.accuracy)
    return known.count == members.count && !known.isEmpty ? known.reduce(0, +) / Double(known.count) : nil
  }

  /// Why a model that is more accurate than the clean ones cannot be judged by them; nil where it is not, by more than the
  /// interval of its accuracy. Models that learned from more images are fooled by triggers more easily: beside 19 models of
  /// 1,280 images each, all of 40 clean ones of 10,000 scored above every one of the bank.
  /// - Parameter accuracy: of the model; nil where it is not known.
  public func doubt(accuracy: ShareInterval?) -> String? {
    guard Self.isOutclassed(meanAccuracy: meanAccuracy, by: accuracy) else { return nil }
    return
      "whether the model is like the clean ones: it is more accurate than they are, as models are that learned from more "
      + "images, and clean ones of these score above such a bank, too"
  }

  /// Whether a model is more accurate than clean ones of this mean, by more than the interval of its accuracy.
  public static func isOutclassed(meanAccuracy: Double?, by accuracy: ShareInterval?) -> Bool {
    guard let accuracy, let meanAccuracy else { return false }
    return accuracy.lower > meanAccuracy
  }

  /// What is wrong with it, and the fix; nil if nothing is.
  public var problem: String? {
    guard members.count >= BankScore.least else {
      return
        "\(members.count) clean model\(members.count == 1 ? "" : "s") say nothing about how they differ. Take at least \(BankScore.least), better "
        + "20 or more."
    }
    for (number, member) in members.enumerated() {
      let twin = members[..<number].first {
        ($0.digest != nil && $0.digest == member.digest) || $0.statistics == member.statistics
      }
      if let twin {
        return
          "\(twin.name) and \(member.name) are the same model. Each clean model counts once: leave one of them out."
      }
      if let empty = zip(classNames, member.statistics.counts).first(where: { $1 == 0 }) {
        return
          "model \(member.name) takes all held-out images for \(empty.0), so that nothing is known of that class. Leave "
          + "the model out, or measure it on images of more classes."
      }
      let s = member.statistics
      let lists = [s.margin, s.patch, s.patchSuccess, s.perturbation, s.perturbationSuccess].compactMap { $0 }
      guard s.counts.count == classNames.count,
        lists.allSatisfy({ $0.count == classNames.count && $0.allSatisfy(\.isFinite) })
      else {
        return "model \(member.name) has no finite value for each of the \(classNames.count) classes. Measure it again."
      }
    }
    return nil
  }

  /// The clean models' statistics with classes in the order of a model's.
  /// - Throws: `ClassNameError` where the classes are others; `AuditError` for images of another size.
  public func statistics(for names: [String], imageShape shape: [Int], source: String) throws -> [ClassStatistics] {
    guard shape == imageShape else {
      func words(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "x") }
      throw AuditError.invalid(
        "the bank was made with images of \(words(imageShape)) (channels, height, width), the audit has "
          + "\(words(shape)). Calibrate with images of that size: antidote audit calibrate.")
    }
    let order = try ClassNames(classNames).positions(
      of: ClassNames(names), source: "the bank of clean models (\(dataset))", otherSource: source)
    guard names.count == classNames.count else {
      throw AuditError.invalid(
        "the bank's models have \(classNames.count) classes, \(source) \(names.count). Calibrate with its data set.")
    }
    return members.map { order.map($0.statistics.reordered) ?? $0.statistics }
  }
}
