import Files

/// What BackdoorBench's `attack_result.pt` says beside the model's weights: which images of which data set were poisoned,
/// and where the poisoned ones lie. Nothing in the file is executed.
public struct BackdoorBenchResult: Sendable, Equatable {
  public static let fileName = "attack_result.pt"

  public var modelName: String
  public var classes: Int
  /// BackdoorBench's name of the clean data set: `cifar10`, `tiny`.
  public var dataset: String
  /// Where the clean images lay, as the attack's command had it.
  public var dataPath: String
  /// Height, width, channels.
  public var imageSize: [Int]
  /// nil where the attack keeps no poisoned training set.
  public var train: Split?
  public var test: Split

  /// A split of the clean data set in which some images are replaced.
  public struct Split: Sendable, Equatable {
    /// Images of the clean split.
    public var count: Int
    /// Those of them that belong to this one, in its order.
    public var positions: [Int]
    /// Those of `positions` that are replaced, in the same order.
    public var samples: [Sample]

    public init(count: Int, positions: [Int], samples: [Sample]) {
      (self.count, self.positions, self.samples) = (count, positions, samples)
    }
  }

  public struct Sample: Sendable, Equatable {
    /// Position in the clean split.
    public var index: Int
    /// What the attacker wants.
    public var label: Int
    public var trueLabel: Int
    public var image: Image

    public init(index: Int, label: Int, trueLabel: Int, image: Image) {
      (self.index, self.label, self.trueLabel, self.image) = (index, label, trueLabel, image)
    }
  }

  public enum Image: Sendable, Equatable {
    /// A file, relative to the folder of `attack_result.pt`.
    case file(String)
    /// Rows of pixels, 1 or 3 bytes each, where the images are in the file itself.
    case pixels(width: Int, height: Int, bytes: [UInt8])
  }

  public init(
    modelName: String, classes: Int, dataset: String, dataPath: String, imageSize: [Int], train: Split?, test: Split
  ) {
    (self.modelName, self.classes, self.dataset, self.dataPath) = (modelName, classes, dataset, dataPath)
    (self.imageSize, self.train, self.test) = (imageSize, train, test)
  }
}

// MARK: - Reading

extension BackdoorBenchResult {
  /// - Throws: `FileError`, or `FormatError` for a file that is damaged or hostile, or is no attack result.
  public init(contentsOf path: String) throws {
    let value = try TorchArchive(path).value
    func fail(_ problem: String) -> FormatError {
      .malformed(path: path, problem: problem, fix: "Is it the attack_result.pt that an attack of BackdoorBench wrote?")
    }
    func field(_ key: String) throws -> PickleValue {
      guard let found = value[key] else { throw fail("it lacks '\(key)'") }
      return found
    }
    func text(_ key: String) throws -> String {
      guard let found = try field(key).text else { throw fail("'\(key)' is no text") }
      return found
    }
    guard let classes = try field("num_classes").int.flatMap({ Int(exactly: $0) }), (1...100_000).contains(classes)
    else {
      throw fail("'num_classes' is no number of classes")
    }
    guard let size = try field("img_size").integers, size.count == 3, size.allSatisfy({ (1...65_536).contains($0) })
    else { throw fail("'img_size' is not height, width and channels") }
    func split(_ key: String) throws -> Split? {
      let value = try field(key)
      if value == .none { return nil }
      do {
        return try Split(value, classes: classes)
      } catch let problem as PickleProblem {
        throw fail("'\(key)': \(problem)")
      }
    }
    guard let test = try split("bd_test") else { throw fail("'bd_test' is empty") }
    self.init(
      modelName: try text("model_name"), classes: classes, dataset: try text("clean_data"),
      dataPath: try text("data_path"), imageSize: size.map { Int($0) }, train: try split("bd_train"), test: test)
  }
}

extension BackdoorBenchResult.Split {
  /// What `retrieve_state` of BackdoorBench's data set gives.
  init(_ value: PickleValue, classes: Int) throws {
    guard let container = value["bd_data_container"], case .dict(let entries)? = container["data_dict"] else {
      throw PickleProblem("no table of images (bd_data_container, data_dict)")
    }
    guard let flags = value["poison_indicator"]?.numbers else { throw PickleProblem("no poison_indicator") }
    guard let order = value["original_index_array"]?.integers?.map({ Int($0) }),
      order.allSatisfy(flags.indices.contains), Set(order).count == order.count
    else {
      throw PickleProblem("original_index_array is no list of different positions among \(flags.count) images")
    }
    var places: [Int64: PickleValue] = [:]
    for entry in entries {
      guard let index = entry.key.int else { throw PickleProblem("an image without a position") }
      places[index] = entry.value
    }
    let folder = container["save_folder_path"]?.text.map(Path.name)
    count = flags.count
    positions = order
    samples = try order.filter { flags[$0] != 0 }.map { index in
      guard let entry = places[Int64(index)] else { throw PickleProblem("no image for the poisoned position \(index)") }
      return try BackdoorBenchResult.Sample(entry, index: index, folder: folder, classes: classes)
    }
  }
}

extension BackdoorBenchResult.Sample {
  /// `{"path": ..., "other_info": [label, true label]}`, or `(image, label, true label)` of images in memory.
  fileprivate init(_ entry: PickleValue, index: Int, folder: String?, classes: Int) throws {
    let image: BackdoorBenchResult.Image
    let info: ArraySlice<PickleValue>
    if let path = entry["path"]?.text {
      image = .file(try Self.relative(path, folder))
      info = entry["other_info"]?.list?[...] ?? []
    } else if let fields = entry.list, let first = fields.first {
      image = try Self.pixels(first)
      info = fields.dropFirst()
    } else {
      throw PickleProblem("the image of position \(index) is neither a file nor in memory")
    }
    let labels = info.compactMap { $0.int.flatMap { Int(exactly: $0) } }
    guard labels.count >= 2, labels[0...1].allSatisfy({ (0..<classes).contains($0) }) else {
      throw PickleProblem("the image of position \(index) has no two labels from 0 to \(classes - 1)")
    }
    self.init(index: index, label: labels[0], trueLabel: labels[1], image: image)
  }

  /// Paths begin where the attack was run, which is elsewhere: what counts is the part below the run's own folder.
  private static func relative(_ path: String, _ folder: String?) throws -> String {
    let parts = path.split(separator: "/").map(String.init)
    let usual = ["bd_train_dataset", "bd_test_dataset"]
    guard let start = parts.lastIndex(where: { $0 == folder }) ?? parts.lastIndex(where: usual.contains),
      !parts[start...].contains("..")
    else { throw PickleProblem("the image '\(escaped(path, limit: 200))' lies in no folder of the record") }
    return parts[start...].joined(separator: "/")
  }

  /// An image of PIL: extra data, mode, size, palette, bytes.
  private static func pixels(_ value: PickleValue) throws -> BackdoorBenchResult.Image {
    guard case .object(let object) = value, object.global.module.hasPrefix("PIL"), let state = object.state?.list,
      state.count == 5, let mode = state[1].text, let channels = ["RGB": 3, "L": 1][mode],
      let size = state[2].integers, size.count == 2, size.allSatisfy({ (1...65_536).contains($0) }),
      let bytes = state[4].bytes, bytes.count == Int(size[0] * size[1]) * channels
    else { throw PickleProblem("an image in memory that is no RGB or gray image of PIL") }
    return .pixels(width: Int(size[0]), height: Int(size[1]), bytes: bytes)
  }
}

extension PickleValue {
  /// The numbers of an array or list of whole or floating numbers.
  fileprivate var numbers: [Double]? {
    if case .array(let array) = self, array.shape.count == 1 { return array.floats ?? array.integers?.map(Double.init) }
    return integers?.map(Double.init)
  }
}
