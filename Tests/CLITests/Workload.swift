import Foundation
import Testing

/// A command that takes long enough to be disturbed, and what it has to leave.
struct Workload {
  let name: String
  /// Commands whose results the command needs.
  var before: [[String]] = []
  let command: [String]

  private static let run = [
    "run", "--out", "run", "--epochs", "2", "--attack", "badnets", "--set", "evaluation.samples=2",
  ]
  private static let train = ["train", "--out", "m.safetensors", "--epochs", "3"] + Tool.tiny + Tool.tinyModel
  private static let defend =
    ["defend", "--model", "m.safetensors", "--out", "p.safetensors", "--set", "defense.epochs=3"] + Tool.tiny

  static let all = [
    Workload(
      name: "run",
      command: run + ["--defense", "sau", "--set", "defense.epochs=2", "--set", "defense.batch=16"] + Tool.tiny
        + Tool.tinyModel),
    Workload(name: "train", command: train),
    Workload(
      name: "attack",
      command: [
        "attack", "--out", "poisoned", "--attack", "clustered-trigger", "--set", "attack.epochs=2", "--set",
        "attack.pretrain.epochs=1",
        "--set", "attack.pretrain.batch=32", "--format", "png",
      ] + Tool.tiny + Tool.tinyModel),
    Workload(
      name: "defend with sau", before: [train], command: defend + ["--defense", "sau", "--set", "defense.batch=16"]),
    Workload(name: "defend with ft", before: [train], command: defend + ["--defense", "ft"]),
    Workload(
      name: "run with dbd",
      command: run + [
        "--defense", "dbd", "--set", "defense.pretrain.epochs=2", "--set", "defense.pretrain.batch=64", "--set",
        "defense.tune.epochs=2",
        "--set", "defense.tune.batch=64", "--set", "defense.finetune.epochs=2", "--set",
        "defense.finetune.iterations=3", "--set",
        "defense.finetune.batch=16",
      ] + Tool.tiny + Tool.tinyModel),
  ]

  /// Does what has to be done before.
  func prepare(_ tool: Tool) throws {
    for command in before { try tool.succeed(command) }
  }

  /// Every file below the folder by its path, hidden ones too, without what differs from one run to the next: times and
  /// process numbers.
  static func content(_ tool: Tool) throws -> [String: Data] {
    var found: [String: Data] = [:]
    let names = FileManager.default.enumerator(atPath: tool.folder)?.compactMap { $0 as? String } ?? []
    for name in names {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: tool.path(name), isDirectory: &isFolder) else { continue }
      found[name] =
        switch (name as NSString).lastPathComponent {
        case _ where isFolder.boolValue: Data("a folder".utf8)
        case "record.json":
          try JSONSerialization.data(withJSONObject: tool.recordWithoutTimes(name), options: .sortedKeys)
        case "metrics.jsonl":
          try JSONSerialization.data(withJSONObject: tool.metricsWithoutTimes(name), options: .sortedKeys)
        case ".lock", "report.html", "log.txt": Data()
        default: try tool.data(name)
        }
    }
    return found
  }
}

extension Tool {
  /// What a record measured, without times and dates.
  func recordWithoutTimes(_ name: String = "run/record.json") throws -> NSDictionary {
    let record = try #require(try JSONSerialization.jsonObject(with: data(name)) as? [String: Any])
    let kept = [
      "id", "status", "measurements", "defenseEffectiveness", "poison", "samples", "perturbations", "configuration",
      "dataset", "defense",
      "flags", "title",
    ]
    return NSDictionary(dictionary: record.filter { kept.contains($0.key) })
  }

  /// The metrics of each epoch, without times.
  func metricsWithoutTimes(_ name: String = "run/metrics.jsonl") throws -> [NSDictionary] {
    try String(decoding: data(name), as: UTF8.self).split(separator: "\n").map { line in
      var entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      if let values = entry["values"] as? [String: Any] {
        entry["values"] = values.filter { !["seconds", "imagesPerSecond"].contains($0.key) }
      }
      return NSDictionary(
        dictionary: entry.filter { !["seconds", "imagesPerSecond", "date", "time"].contains($0.key) })
    }
  }
}
