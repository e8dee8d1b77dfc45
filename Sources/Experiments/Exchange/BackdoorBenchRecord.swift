import Backdoor
import Evaluation
import Files
import Formats
import Foundation
import Support
import Torch
import Vision

/// A run of BackdoorBench, `record/<run>`: `attack_result.pt` with the model and the table of poisoned images, and these
/// images as PNG files. The images that were not poisoned are those of the clean data set, which is not in it.
struct BackdoorBenchRecord: Sendable {
  /// The folder.
  let path: String
  let result: BackdoorBenchResult

  var file: String { Path.join(path, BackdoorBenchResult.fileName) }

  /// - Throws: `FileError`, `FormatError`.
  init(_ path: String) throws {
    self.path = Path.withoutFinalSlash(path)
    result = try BackdoorBenchResult(contentsOf: Path.join(self.path, BackdoorBenchResult.fileName))
  }

  var dataset: BackdoorBench.Dataset? { BackdoorBench.datasets.first { $0.name == result.dataset } }

  /// Where BackdoorBench would look for the clean images: what follows `data` in their path, beside the folder whose path
  /// holds `record`. nil where they are not there.
  var dataPath: String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard realpath(path, &buffer) != nil else { return nil }
    let own = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard let record = own.firstRange(of: "record"), let data = result.dataPath.firstRange(of: "data") else {
      return nil
    }
    let found = own[..<record.lowerBound] + result.dataPath[data.lowerBound...]
    return FileSystem.isFolder(String(found)) ? String(found) : nil
  }

  /// Which label the trigger leads to, by the test images.
  private var mapping: LabelMapping? {
    LabelMapping(of: result.test.samples.map { ($0.trueLabel, $0.label) }, classes: result.classes)
  }

  // MARK: Images

  /// A clean test split with the triggered images in their places. Labels are what the attacker wants of them, and -1
  /// where there is no trigger.
  /// - Throws: `JobError` where it is not the test split of the record's data set; errors of image files.
  func triggered(_ clean: ImageDataset) throws -> ImageDataset {
    let places = try positions(of: result.test, in: clean, isTest: true)
    let samples = result.test.samples.filter { places[$0.index] != nil }
    var labels = [Int64](repeating: -1, count: clean.count)
    for sample in samples { if let place = places[sample.index] { labels[place] = Int64(sample.label) } }
    return try replaced(clean, samples, places).relabeled(Tensor(labels).to(clean.device))
  }

  /// The training set that the model was trained on.
  /// - Throws: `JobError` where the record has none or the clean one is not that of the record; errors of image files.
  func poisoned(_ clean: ImageDataset) throws -> PoisonedDataset {
    guard let split = result.train else {
      throw JobError.invalid(
        "\(file): the attack kept no poisoned training set (bd_train is None): it trains the model itself. What needs "
          + "one cannot be done with this record; evaluate it, or purify its model (--defense sau).")
    }
    let places = try positions(of: split, in: clean, isTest: false)
    let samples = split.samples.filter { places[$0.index] != nil }
    var labels = clean.labelArray().map(Int64.init)
    var trueLabels = labels
    // An image that keeps its label is poisoned where that is the target (clean-label), and else a cover sample.
    var covers: [Int] = [], poison: [Int] = []
    let target = mapping?.singleTarget
    for sample in samples {
      guard let place = places[sample.index] else { continue }
      (labels[place], trueLabels[place]) = (Int64(sample.label), Int64(sample.trueLabel))
      let isCover = sample.label == sample.trueLabel && sample.label != target
      if isCover { covers.append(place) } else { poison.append(place) }
    }
    let all = PoisonedDataset(
      data: try replaced(clean, samples, places).relabeled(Tensor(labels).to(clean.device)), indices: poison.sorted(),
      tasks: poison.map { _ in 0 }, trueLabels: Tensor(trueLabels), covers: covers.sorted(),
      coverTasks: covers.map { _ in 0 })
    let kept = split.positions.compactMap { places[$0] }
    return kept == Array(0..<clean.count) ? all : all.subset(kept)
  }

  /// Test images with another trigger, or with noise in place of it, and their true labels: what attacks that must not
  /// react to those keep in `cross_test_dataset`. nil where there are none.
  func crossTest(classNames: [String], like clean: ImageDataset) throws -> ImageDataset? {
    let folder = Path.join(path, "cross_test_dataset")
    guard FileSystem.isFolder(folder) else { return nil }
    var files: [(path: String, label: Int64)] = []
    for name in try FileSystem.subfolders(folder) {
      guard let label = Int64(name), classNames.indices.contains(Int(label)) else {
        throw DataError.malformed(
          path: Path.join(folder, name), problem: "the folder of no class from 0 to \(classNames.count - 1)",
          fix: "Move it elsewhere.")
      }
      files += try FileSystem.list(Path.join(folder, name)).map { (Path.join(folder, name, $0), label) }
    }
    guard !files.isEmpty else { return nil }
    return ImageDataset(
      name: clean.name, images: try ImageFiles.read(files.map(\.path), size: clean.height),
      labels: Tensor(files.map(\.label)), classNames: classNames
    ).withChannels(clean.channels)
  }

  /// The clean images with those of the record in their places.
  private func replaced(
    _ clean: ImageDataset, _ samples: [BackdoorBenchResult.Sample], _ places: [Int: Int]
  ) throws -> ImageDataset {
    guard !samples.isEmpty else { return clean }
    var sources = clean.sources
    let images = clean.images.clone()
    func put(_ new: Tensor, at rows: [Int], _ source: String) throws {
      let fitting = new.dimension(1) == 1 && clean.channels == 3 ? new.repeated(1, 3, 1, 1) : new
      try check(fitting, like: clean, source)
      images.put_([Tensor(rows.map(Int64.init)).to(clean.device)], fitting.to(clean.device))
    }
    var files: [(path: String, row: Int)] = []
    for sample in samples {
      guard let place = places[sample.index] else { continue }
      switch sample.image {
      case .file(let name):
        files.append((Path.join(path, name), place))
        sources?[place] = SampleSource(file: Path.join(path, name))
      case .pixels(let width, let height, let bytes):
        let image = DecodedImage(
          width: width, height: height, channels: bytes.count / (width * height), pixels: bytes)
        try put(image.tensor, at: [place], file)
        sources?[place] = SampleSource(file: file)
      }
    }
    if let first = files.first { try put(ImageFiles.read(files.map(\.path)), at: files.map(\.row), first.path) }
    return ImageDataset(
      name: clean.name, images: images, labels: clean.labels, classNames: clean.classNames, sources: sources)
  }

  private func check(_ images: Tensor, like clean: ImageDataset, _ source: String) throws {
    guard Array(images.shape.dropFirst()) == Array(clean.images.shape.dropFirst()) else {
      throw JobError.invalid(
        "\(source): the poisoned images are \(images.shape[3])x\(images.shape[2]) pixels of \(images.shape[1]) channels, "
          + "those of the data set \(clean.name) \(clean.width)x\(clean.height) of \(clean.channels). Name the data set that "
          + "was poisoned (--dataset, --data, --set dataset.size).")
    }
  }

  /// Where the record's images are in a clean split: fewer of them where only the first ones are in use.
  private func positions(
    of split: BackdoorBenchResult.Split, in clean: ImageDataset, isTest: Bool
  ) throws -> [Int: Int] {
    let name = isTest ? "test" : "train", words = isTest ? "test" : "training"
    guard clean.classes == result.classes else {
      throw JobError.invalid(
        "\(file): the record is of \(result.classes) classes (\(result.dataset)), the data set \(clean.name) has "
          + "\(clean.classes). Name the data set that was poisoned with --dataset and --data.")
    }
    let mayBeSorted = (try? DatasetKind.named(clean.name))?.mayBeSorted ?? true
    guard split.count == clean.count || (split.count > clean.count && !mayBeSorted) else {
      throw JobError.invalid(
        "\(file): the record is of \(formatCount(split.count)) \(words) images, the data set \(clean.name) has "
          + "\(formatCount(clean.count)). "
          + (split.count < clean.count && !mayBeSorted
            ? "If it was made of the first ones: --set dataset.\(name)=\(split.count)."
            : "Use all images (without dataset.\(name)) of the data set that was poisoned."))
    }
    let labels = clean.labelArray()
    let order = BackdoorBench.order(labels, of: clean.name, isTest: isTest)
    let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($0, $1) })
    let known = split.samples.filter { places[$0.index] != nil }
    let wrong = known.filter { sample in places[sample.index].map { labels[$0] } != sample.trueLabel }
    // An attack may put images of one class in the places of another.
    guard wrong.isEmpty || (!isTest && 2 * wrong.count <= known.count) else {
      throw JobError.invalid(
        "\(file): image \(wrong[0].index) of the \(words) split is of class \(wrong[0].trueLabel) by the record, and of "
          + "class \(places[wrong[0].index].map { labels[$0] } ?? -1) in the data set \(clean.name) (\(wrong.count) of "
          + "\(known.count) differ). It is not the data set that was poisoned, or its images are in another order.")
    }
    return places
  }
}

extension LabelMapping {
  /// What the labels of images with a trigger have in common; nil where it is none of the usual mappings.
  init?(of pairs: [(trueLabel: Int, label: Int)], classes: Int) {
    let (targets, sources) = (Set(pairs.map(\.label)), Set(pairs.map(\.trueLabel)))
    if targets.count == 1, let target = targets.first {
      if sources.count == 1, let source = sources.first, source != target, classes > 2 {
        self = .sourceToTarget(source: source, target: target)
      } else {
        self = .allToOne(target: target)
      }
      return
    }
    let shifts = Set(pairs.map { ($0.label - $0.trueLabel + classes) % classes })
    guard shifts.count == 1, let shift = shifts.first, shift != 0 else { return nil }
    self = .allToAll(shift: shift)
  }
}
