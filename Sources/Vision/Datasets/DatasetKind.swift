import Files
public import Support
import Torch

/// Which images to load and how.
public struct DatasetSettings: Configurable, Hashable {
  public var name = "generated"
  public var path: String? = nil
  public var size: Int? = nil
  public var train: Int? = nil
  public var test: Int? = nil
  public var holdOut: Double? = nil
  public var seed = 0
  public var maximumPixels: Int? = nil
  public init() {}

  public static let settings: [Setting] = [
    Setting("name", "Data set.", choices: DatasetKind.all.map(\.id)),
    Setting("path", "Folder with the data set's files, or the CSV file of csv; the generated set needs none."),
    Setting(
      "size", "Side that images are resized to while loading; empty keeps their size.", unit: "pixels", range: 16...512),
    Setting(
      "train",
      "Use so many training images: the first, or a draw by class and seed where files may be sorted; empty means all.",
      unit: "images",
      range: 1...100_000_000),
    Setting(
      "test",
      "Use so many test images: the first, or a draw by class and seed where files may be sorted; empty means all.",
      unit: "images",
      range: 1...100_000_000),
    Setting(
      "holdOut",
      "Share of the images, drawn by class and seed, that are test images where folder, csv, tensors or trojai have no test "
        + "split; empty means 0.2, and 0 for a defense that judges samples or trains on unchecked images.",
      unit: "fraction", range: 0...1),
    Setting("seed", "Seed of the generated set, and of all draws of train and test images.", range: 0...9e15),
    Setting(
      "maximumPixels", "Refuse image files of more pixels than this; empty means \(DecodingLimits().pixels).",
      unit: "pixels",
      range: 1...4e9),
  ]
}

extension DatasetSettings {
  /// So many of the images: the first, or a draw by class where the files may be sorted.
  func limited(_ data: ImageDataset, _ split: DataSplit, to limit: Int?) throws -> ImageDataset {
    guard let limit, limit < data.count else { return data }
    guard try DatasetKind.named(name).mayBeSorted else { return data.prefix(limit) }
    return data.subset(
      data.stratifiedSample(count: limit, seed: Seed(UInt64(seed)), stream: "dataset/\(split.rawValue)"))
  }

  /// What an image file of the data set may cost.
  var limits: DecodingLimits { DecodingLimits(pixels: maximumPixels) }
}

/// A data set by name. Adding one is adding a row.
public struct DatasetKind: Sendable {
  public let id: String
  public let title: String
  /// What the folder has to hold.
  public let layout: String
  public let normalization: Normalization
  /// False where a mirrored image may be another class (digits, signs).
  public let flips: Bool
  let read: @Sendable (DatasetSettings, String, DataSplit) throws -> any LoadedImages

  public static let all: [DatasetKind] = [
    DatasetKind(
      id: "generated", title: "Generated signs: 10 classes of rendered shapes",
      layout: "nothing: images are drawn from dataset.seed",
      normalization: .half, flips: false
    ) { settings, _, split in
      guard split != .unlabeled else {
        throw DataError.noSuchSplit(path: "generated", split: split, available: [.train, .test])
      }
      let size = settings.size ?? 32
      guard GeneratedSigns.sizes.contains(size) else {
        let (least, most) = (GeneratedSigns.sizes.lowerBound, GeneratedSigns.sizes.upperBound)
        throw SettingsError("dataset.size", "\(size): generated images are \(least) to \(most) pixels wide.")
      }
      let count = split == .train ? settings.train ?? 10_000 : settings.test ?? 2_000
      let drawn = GeneratedSigns(seed: UInt64(settings.seed), size: size).images(
        split: split == .train ? .train : .test, count: count)
      return RawImages(
        channels: 3, height: size, width: size, pixels: drawn.pixels, labels: drawn.labels,
        classNames: GeneratedSigns.classNames)
    },
    DatasetKind(
      id: "cifar10", title: "CIFAR-10",
      layout: "data_batch_1.bin ... test_batch.bin (binary layout), or the python layout",
      normalization: .cifar10, flips: true
    ) { _, path, split in try CIFAR10Files.read(path, split: split) },
    DatasetKind(
      id: "cifar100", title: "CIFAR-100, fine labels",
      layout: "train.bin, test.bin (binary layout), or the python layout",
      normalization: .cifar100, flips: true
    ) { _, path, split in try CIFAR100Files.read(path, split: split) },
    DatasetKind(
      id: "mnist", title: "MNIST", layout: "train-images-idx3-ubyte ... (gzip or not)", normalization: .halfGray,
      flips: false
    ) { _, path, split in try IDXFiles.mnist.read(path, split: split) },
    DatasetKind(
      id: "fashion-mnist", title: "Fashion-MNIST", layout: "train-images-idx3-ubyte ... (gzip or not)",
      normalization: .halfGray, flips: true
    ) { _, path, split in try IDXFiles.fashionMNIST.read(path, split: split) },
    DatasetKind(
      id: "gtsrb", title: "German traffic signs, 43 classes",
      layout: "GTSRB/Final_Training and Final_Test with CSV files, resized to 32",
      normalization: .none, flips: false
    ) { settings, path, split in
      try GTSRBFiles.read(
        path, split: split, size: settings.size ?? 32, resize: Resizing.resize, limits: settings.limits)
    },
    DatasetKind(
      id: "tiny-imagenet", title: "Tiny ImageNet, 200 classes, 64x64", layout: "wnids.txt, train/, val/",
      normalization: .tinyImageNet,
      flips: true
    ) { settings, path, split in
      try TinyImageNetFiles.read(
        path, split: split, size: settings.size, resize: Resizing.resize, limits: settings.limits)
    },
    DatasetKind(
      id: "stl10", title: "STL-10, 96x96, with unlabeled images", layout: "train_X.bin, train_y.bin, test_X.bin, ...",
      normalization: .half,
      flips: true
    ) { _, path, split in try STL10Files.read(path, split: split) },
    DatasetKind(
      id: "folder", title: "A folder of images by class",
      layout: "train/<class>/*.png|jpg|ppm and test/<class>/...; dataset.size resizes",
      normalization: .imageNet, flips: true
    ) { settings, path, split in
      try ImageFolderFiles.read(
        path, split: split, size: settings.size, resize: Resizing.resize, limits: settings.limits)
    },
    DatasetKind(
      id: "csv", title: "Images that a CSV file lists, with path and label",
      layout: "a CSV file with the columns path and label, or train.csv and test.csv; dataset.size resizes",
      normalization: .imageNet, flips: true
    ) { settings, path, split in
      try ImageListFiles.read(
        path, split: split, size: settings.size, resize: Resizing.resize, limits: settings.limits)
    },
    DatasetKind(
      id: "tensors", title: "A data set that antidote wrote",
      layout: "train.safetensors and test.safetensors with images and labels",
      normalization: .half, flips: true
    ) { _, path, split in try TensorFiles.read(path, split: split) },
    DatasetKind(
      id: "toolbox", title: "A poisoned training set of backdoor-toolbox, and its clean test images",
      layout: "imgs (or data/*.png), labels and poison_indices, in poisoned_train_set/<data set>/<attack>",
      normalization: .cifar10, flips: true
    ) { settings, path, split in try ToolboxFiles.read(path, split: split, limits: settings.limits) },
    DatasetKind(
      id: "trojai", title: "The example images of a model of a TrojAI round",
      layout: "model.pt and clean-example-data with label files, in models/id-<number>",
      normalization: .none, flips: true
    ) { settings, path, split in
      try TrojAIFiles.read(path, split: split, size: settings.size, limits: settings.limits)
    },
  ]

  /// - Throws: `SettingsError` that lists the known names.
  public static func named(_ id: String) throws -> DatasetKind {
    guard let kind = all.first(where: { $0.id == id }) else {
      throw SettingsError.unknownName(what: "data set", name: id, known: all.map(\.id))
    }
    return kind
  }

  /// Mean and deviation for images with this many channels.
  public func normalization(channels: Int) -> Normalization {
    normalization.mean.isEmpty || normalization.mean.count == channels
      ? normalization : (channels == 1 ? .halfGray : .half)
  }
}

extension ImageDataset {
  /// Loads one split.
  /// - Parameter onNote: hears what was passed over, one sentence each.
  /// Of files without a test split, training and test images are drawn: see `DatasetSettings.heldOut(of:)`.
  /// - Throws: `DataError` for missing or damaged files and for images without labels in a training or test split,
  ///   `SettingsError` for settings that do not fit.
  public static func load(_ settings: DatasetSettings, _ split: DataSplit, onNote: (String) -> Void = { _ in }) throws
    -> ImageDataset
  {
    if split != .unlabeled, try !settings.holdsTest() {
      let splits = try DatasetSplits.load(settings, onNote: onNote)
      if split == .train { return splits.train }
      guard let test = splits.test else {
        throw DataError.noSuchSplit(path: settings.path ?? settings.name, split: .test, available: [.train])
      }
      return test
    }
    return try load(
      settings, split, limit: split == .train ? settings.train : split == .test ? settings.test : nil, onNote)
  }

  /// What the files of a split hold.
  /// - Parameter limit: Use so many images.
  static func load(_ settings: DatasetSettings, _ split: DataSplit, limit: Int?, _ onNote: (String) -> Void) throws
    -> ImageDataset
  {
    if settings.name == "generated", let path = settings.path {
      let kinds = DatasetRecognition.kinds(at: path)
      throw SettingsError(
        "dataset.path",
        "the generated set needs no folder. Name the data set that lies in \(path) with --dataset: "
          + (kinds.isEmpty
            ? "antidote list datasets has their names." : "it looks like \(kinds.joined(separator: " or ")).")
      )
    }
    let kind = try DatasetKind.named(settings.name)
    guard let path = settings.path ?? (kind.id == "generated" ? "" : nil) else {
      throw SettingsError(
        "dataset.path", "data set \(kind.id) needs a folder: --data path/to/data. It has to hold \(kind.layout).")
    }
    let loaded = try kind.read(settings, path, split)
    loaded.notes.forEach(onNote)
    var all = loaded.dataset(named: try settings.origin().id)
    if split != .unlabeled { try requireLabels(all, split, path) }
    if let size = settings.size, all.height != size || all.width != size { all = Resizing.resize(all, to: size) }
    return try settings.limited(all, split, to: limit)
  }

  /// Whoever trains or measures compares with labels.
  private static func requireLabels(_ data: ImageDataset, _ split: DataSplit, _ path: String) throws(DataError) {
    let missing = data.labelArray().count { $0 < 0 }
    guard missing > 0 else { return }
    throw .malformed(
      path: path,
      problem:
        "\(formatCount(missing)) of \(formatCount(data.count)) images of the \(split.rawValue) split have no label (-1)",
      fix: "Label them, or leave them out.")
  }

  public init(name: String, _ raw: RawImages) {
    let images = raw.pixels.withUnsafeBytes {
      Tensor.copying(bytes: $0, shape: [raw.count, raw.channels, raw.height, raw.width], dtype: .uint8)
    }
    self.init(
      name: name, images: images, labels: Tensor(raw.labels), classNames: raw.classNames, sources: raw.sources)
  }
}

/// One split as its reader gives it.
protocol LoadedImages {
  /// What was passed over or fitted, one sentence each.
  var notes: [String] { get }
  func dataset(named name: String) -> ImageDataset
}

extension RawImages: LoadedImages {
  func dataset(named name: String) -> ImageDataset { ImageDataset(name: name, self) }
}

/// Files of tensors need no way over bytes.
extension ImageDataset: LoadedImages {
  var notes: [String] { [] }
  func dataset(named name: String) -> ImageDataset {
    var copy = self
    copy.name = name
    return copy
  }
}
