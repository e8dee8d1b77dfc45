import Files
import Formats
import Torch

/// The folder of one model in a TrojAI round of image classification, `models/id-00000000`: `model.pt` with example
/// images. https://pages.nist.gov/trojai/
///
/// The label of an image is in the JSON file of its name (`12.jpg`, `12.json` with a number), as from round 5 on, in the
/// rounds of mitigation as `clean_label` and `poisoned_label`; or in its name (`class_7_example_2.png`), as in rounds 1 to
/// 4. Images of those first rounds are 256 pixels wide, and models take the 224 in their middle.
public enum TrojAIFiles {
  public static let modelName = "model.pt"
  private static let cleanNames = [
    "clean-example-data", "clean_example_data", "example_data", "new-clean-example-data",
  ]
  private static let poisonedNames = [
    "poisoned-example-data", "poisoned_example_data", "new-poisoned-example-data",
  ]

  /// Whether a folder is that of a model.
  public static func isModelFolder(_ path: String) -> Bool {
    FileSystem.isFile(Path.join(path, modelName)) && folder(path, cleanNames) != nil
  }

  /// Reads the clean example images.
  /// - Returns: (N, C, H, W) with as many classes as the model has outputs, which have no names.
  /// - Throws: `DataError`, `FileError`, `FormatError`, `ModelFileError` where the number of classes does not show.
  static func read(_ path: String, split: DataSplit, size: Int?, limits: DecodingLimits) throws -> ImageDataset {
    guard FileSystem.isFolder(path) else {
      throw DataError.missing(path: path, lookedFor: [], suggestion: Path.similar(to: path))
    }
    guard let folder = folder(path, cleanNames) else {
      throw DataError.missing(path: path, lookedFor: [cleanNames.joined(separator: " or ")], suggestion: nil)
    }
    guard split != .unlabeled else {
      throw DataError.noSuchSplit(path: path, split: split, available: [.train, .test])
    }
    let examples = try examples(in: folder)
    return try images(examples, labels: examples.map { try label($0) }, in: path, size: size, limits)
  }

  /// The example images with a trigger, whose labels are what the trigger leads to.
  /// - Returns: nil where there are none, as of a clean model.
  /// - Throws: as reading the clean ones does; also where the target of a trigger is not to be found.
  public static func poisoned(_ path: String, size: Int? = nil) throws -> ImageDataset? {
    guard let folder = folder(path, poisonedNames) else { return nil }
    let examples = try examples(in: folder)
    let targets = try examples.map { example in
      if example.label != nil { return try label(example, "poisoned_label") }
      return try target(of: example, path)
    }
    return try images(examples, labels: targets, in: path, size: size, DecodingLimits())
  }

  /// Whether the model was poisoned, by `ground_truth.csv`; nil where there is no such file, as in test sets.
  /// - Throws: `FileError`, `DataError`.
  public static func groundTruth(_ path: String) throws -> Bool? {
    let file = Path.join(path, "ground_truth.csv")
    guard FileSystem.isFile(file) else { return nil }
    let words = try FileSystem.readLines(file).map { $0.lowercased() }
    guard words.count == 1, let value = ["0": false, "1": true, "false": false, "true": true][words[0]] else {
      throw DataError.malformed(path: file, problem: "neither 0 nor 1", fix: DataError.copyAgain)
    }
    return value
  }

  // MARK: Examples

  private struct Example {
    let path: String
    /// The JSON file of the same name.
    let label: String?
    /// The words of the name between underscores.
    let words: [String]

    /// The number after a word, `7` of `class_7_example_2`.
    func number(after word: String) -> Int? {
      words.firstIndex(of: word).flatMap { $0 + 1 < words.count ? Int(words[$0 + 1]) : nil }
    }
  }

  private static func folder(_ path: String, _ names: [String]) -> String? {
    names.map { Path.join(path, $0) }.first(where: FileSystem.isFolder)
  }

  /// By their number where their names are numbers, else by name.
  private static func examples(in folder: String) throws -> [Example] {
    let names = try FileSystem.list(folder)
    let all = Set(names)
    let examples = names.filter { ImageFileExtension(of: $0) == .readable }.map { name in
      let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
      let json = "\(stem).json"
      return Example(
        path: Path.join(folder, name), label: all.contains(json) ? Path.join(folder, json) : nil,
        words: stem.split(separator: "_").map(String.init))
    }
    guard !examples.isEmpty else { throw DataError.missing(path: folder, lookedFor: ["images"], suggestion: nil) }
    let numbers = examples.compactMap { Int($0.words.joined(separator: "_")) }
    guard numbers.count == examples.count else { return examples }
    return zip(numbers, examples).sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// - Parameter key: of the number where there are several.
  private static func label(_ example: Example, _ key: String = "clean_label") throws -> Int {
    if let file = example.label {
      let value = try JSONValue(json: FileSystem.read(file, limit: 1 << 16), source: file)
      guard let number = value.intValue ?? value[key]?.intValue else {
        throw DataError.malformed(
          path: file, problem: "no number of a class, and none under '\(key)'", fix: DataError.copyAgain)
      }
      return number
    }
    guard let number = example.number(after: "class") else {
      throw DataError.malformed(
        path: example.path, problem: "no label: neither a JSON file of this name nor class_<number> in it",
        fix: DataError.copyAgain)
    }
    return number
  }

  /// `class_7_trigger_0_example_2.png`: `config.json` has the target of each trigger.
  private static func target(of example: Example, _ path: String) throws -> Int {
    let file = Path.join(path, "config.json")
    func fail(_ problem: String) -> DataError {
      .malformed(
        path: example.path, problem: problem,
        fix: "Without it nobody knows what the trigger leads to: move the folder of poisoned examples away.")
    }
    guard let trigger = example.number(after: "trigger") else { throw fail("its name holds no number of a trigger") }
    guard FileSystem.isFile(file) else { throw fail("there is no config.json, which has the triggers' targets") }
    let config = try JSONValue(json: FileSystem.read(file), source: file)
    let triggers = (config["triggers"] ?? config["TRIGGERS"])?.arrayValue ?? []
    guard triggers.indices.contains(trigger),
      let target = (triggers[trigger]["target_class"] ?? triggers[trigger]["py/state"]?["target_class"])?.intValue
    else { throw fail("config.json has no target_class of trigger \(trigger)") }
    return target
  }

  private static func images(
    _ examples: [Example], labels: [Int], in path: String, size: Int?, _ limits: DecodingLimits
  ) throws -> ImageDataset {
    let model = Path.join(path, modelName)
    let (entries, network) = try ModelFileOptions().outline(of: model)
    let classes = try RecognizedModel(entries, path: model, heads: network?.heads).shape.classes
    if let wrong = labels.firstIndex(where: { !(0..<classes).contains($0) }) {
      throw DataError.malformed(
        path: examples[wrong].path,
        problem: "label \(labels[wrong]), and the model has the classes 0 to \(classes - 1)",
        fix: "Is it an image of this model?")
    }
    let isEarly = examples.allSatisfy { $0.label == nil }
    let block = try ImageAssembly(size: size, resize: Resizing.resize, progress: nil, limits: limits).run(
      examples.map(\.path)
    ) { _, image in isEarly ? image.middle(224) : image }
    return ImageDataset(
      name: "trojai",
      RawImages(
        channels: block.channels, height: block.height, width: block.width, pixels: block.pixels,
        labels: labels.map(Int64.init), classNames: (0..<classes).map(String.init),
        sources: examples.map { SampleSource(file: $0.path) }))
  }
}

extension DecodedImage {
  /// The square of this side in the middle; the image itself where it is smaller.
  fileprivate func middle(_ side: Int) -> DecodedImage {
    guard width >= side, height >= side else { return self }
    let (left, top) = ((width - side) / 2, (height - side) / 2)
    return cropped(x: left..<left + side, y: top..<top + side)
  }
}
