import Files
import Foundation
public import Support
import Vision

/// Divides the samples of a table (`samples.csv`) into kept and rejected ones, and copies their files into folders of
/// classes: `--dataset folder` reads them.
///
/// Samples that are rows of a safetensors file become a folder with such a file, which `--dataset tensors` reads.
public struct FilterJob {
  /// Which samples are rejected.
  public enum Rule: Sendable, Equatable {
    /// Those that the defense rejected.
    case decision
    /// So many of the most suspicious ones, whatever the defense decided.
    case mostSuspicious(Int)
  }

  public var table: String
  public var rule: Rule
  /// Folders for the files, and a table of the kept samples, which `--dataset csv` reads; none may hold anything.
  public var kept: String?
  public var rejected: String?
  public var list: String?
  /// Links to the files in place of copies.
  public var links: Bool

  /// How many samples were divided; `antidote filter --json` prints it.
  public struct Result: Codable, Sendable, Equatable {
    public var kept: Int
    public var rejected: Int
    /// By class, in the order in which the table names them.
    public var classes: [ClassCount]
    public struct ClassCount: Codable, Sendable, Equatable {
      public var name: String
      public var kept: Int
      public var rejected: Int
    }
  }

  public init(
    table: String, rule: Rule = .decision, kept: String? = nil, rejected: String? = nil, list: String? = nil,
    links: Bool = false
  ) {
    self.table = table
    self.rule = rule
    self.kept = kept
    self.rejected = rejected
    self.list = list
    self.links = links
  }

  /// - Throws: `JobError`, `ParseError` with the line of the table, `FileError`, `DataError`, `Interrupted`; no folder
  ///   is then there.
  public func run(progress: any ProgressReporter) throws -> Result {
    let samples = try SampleTable(table)
    let isRejected = try samples.rejected(by: rule)
    let folders = [(kept, false), (rejected, true)].compactMap { folder, side in folder.map { (path: $0, side: side) } }
    for folder in folders { try Self.checkFree(folder.path) }
    if folders.count == 2 {
      let places = folders.map { AbsolutePath.of(Path.withoutFinalSlash($0.path)) }
      if places[0] == places[1] || places[0].hasPrefix(places[1] + "/") || places[1].hasPrefix(places[0] + "/") {
        throw JobError.invalid(
          "--copy-kept and --rejected name one folder, or one within the other. Give each its own.")
      }
    }
    if let list {
      if FileSystem.exists(list) { throw JobError.outputExists(path: list) }
      try OutputCheck.file(list)
    }
    try write(folders[...], samples, isRejected, progress)
    if let list {
      try FileSystem.createFolder(Path.parent(list))
      try AtomicFile.write(samples.text(without: isRejected, in: Path.parent(list)), to: list)
    }
    return Self.count(samples, isRejected)
  }

  /// One folder within the other, so that none is there until all are written.
  private func write(
    _ folders: ArraySlice<(path: String, side: Bool)>, _ samples: SampleTable, _ isRejected: [Bool],
    _ progress: any ProgressReporter
  ) throws {
    guard let folder = folders.first else { return }
    let mine = samples.samples.indices.filter { isRejected[$0] == folder.side }.map { samples.samples[$0] }
    guard !mine.isEmpty else {
      throw JobError.invalid("no sample is \(folder.side ? "rejected" : "kept"), so \(folder.path) would be empty.")
    }
    try AtomicFolder.write(to: folder.path) { temporary in
      if mine.contains(where: { $0.row != nil }) {
        try writeTensors(mine, to: temporary)
      } else {
        try copy(mine, to: temporary, as: folder.path, progress)
      }
      try write(folders.dropFirst(), samples, isRejected, progress)
    }
  }

  private func copy(
    _ samples: [SampleTable.Sample], to folder: String, as name: String, _ progress: any ProgressReporter
  ) throws {
    let classes = try Self.folderNames(samples)
    var taken: Set<String> = []
    progress.begin("files in \(Path.name(name))", total: samples.count, unit: "files")
    defer { progress.end(summary: "\(formatCount(samples.count)) files") }
    for (done, sample) in samples.enumerated() {
      if done % 64 == 0 { try Interruption.check() }
      guard let file = sample.file else { throw sample.error("there is no path.", table) }
      guard FileSystem.isFile(file) else {
        throw sample.error("there is no file \(file). Paths are relative to the folder of the table.", table)
      }
      let place = Path.join(folder, classes[sample.className] ?? sample.className)
      try FileSystem.createFolder(place)
      var target = Path.join(place, Path.name(file))
      // Files of one name and class, from different folders.
      var number = 1
      while !taken.insert(target).inserted {
        target = Path.join(place, "\(sample.index)-\(number == 1 ? "" : "\(number)-")\(Path.name(file))")
        number += 1
      }
      if links {
        guard symlink(AbsolutePath.of(file), target) == 0 else { throw FileError(.write, target) }
      } else {
        try AtomicFile.write(Data(FileSystem.read(file)), to: target, isDurable: false)
      }
      progress.update(done: done + 1)
    }
  }

  private func writeTensors(_ samples: [SampleTable.Sample], to folder: String) throws {
    let files = Set(samples.compactMap(\.file))
    guard let file = files.first, files.count == 1, file.hasSuffix(".safetensors"),
      let split = [DataSplit.train, .test].first(where: { Path.name(file) == "\($0.rawValue).safetensors" })
    else {
      throw JobError.invalid(
        "\(table): its samples are rows of \(files.sorted().prefix(2).joined(separator: ", ")), which cannot be copied one "
          + "by one. --list FILE writes which ones are kept.")
    }
    guard !links else { throw JobError.invalid("--link: the samples are rows of \(file). Leave --link out.") }
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.holdOut) = ("tensors", Path.parent(file), 0)
    let data = try ImageDataset.load(settings, split)
    let rows = samples.compactMap(\.row)
    if let odd = samples.first(where: { $0.row.map { !(0..<data.count).contains($0) } ?? true }) {
      throw odd.error("\(file) has rows 0 to \(data.count - 1).", table)
    }
    try TensorFiles.write(data.subset(rows), split: .train, folder: folder)
  }

  /// A folder name for each class.
  private static func folderNames(_ samples: [SampleTable.Sample]) throws -> [String: String] {
    var names: [String: String] = [:]
    // A sample without a class goes into the folder itself.
    for name in Set(samples.map(\.className)).sorted() where !name.isEmpty {
      let plain = name.replacing("/", with: "-")
      names[name] = plain.hasPrefix(".") || plain.isEmpty ? "_\(plain)" : plain
    }
    // Strings of one look are equal here, whatever their bytes are.
    let classes = Set(samples.map { Array($0.className.utf8) }).subtracting([[]])
    guard Set(names.values).count == classes.count else {
      let all = classes.map { String(decoding: $0, as: UTF8.self) }.sorted()
      throw JobError.invalid("two classes would share a folder: \(all.joined(separator: ", ")).")
    }
    return names
  }

  private static func checkFree(_ path: String) throws {
    guard FileSystem.exists(path) else { return try OutputCheck.folder(path) }
    guard FileSystem.isFolder(path), try FileSystem.list(path, hidden: true).isEmpty else {
      throw JobError.invalid("\(path) exists and is not an empty folder. Name another one.")
    }
  }

  private static func count(_ samples: SampleTable, _ isRejected: [Bool]) -> Result {
    var result = Result(kept: 0, rejected: 0, classes: [])
    var places: [[UInt8]: Int] = [:]
    for (sample, isRejected) in zip(samples.samples, isRejected) {
      let name = Array(sample.className.utf8)
      if places[name] == nil {
        places[name] = result.classes.count
        result.classes.append(.init(name: sample.className, kept: 0, rejected: 0))
      }
      let place = places[name] ?? 0
      if isRejected {
        result.rejected += 1
        result.classes[place].rejected += 1
      } else {
        result.kept += 1
        result.classes[place].kept += 1
      }
    }
    return result
  }
}
