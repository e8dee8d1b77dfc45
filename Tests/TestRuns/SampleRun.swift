public import Foundation

/// A finished run's record, for tests that read many.
public struct SampleRun {
  public var attack = "badnets"
  public var rate = 0.1
  public var defense = "sau"
  public var dataset = "cifar10"
  public var seed = 0
  public var accuracy = 0.9
  public var attackSuccessRate = 0.02
  public var robustAccuracy: Double? = 0.85
  /// Accuracy and attack success rate of the undefended model; nil where the defense trains.
  public var before: (Double, Double)? = (0.92, 0.97)
  public var testCount = 10_000
  public var status = "finished"
  public var created = "2026-11-25T10:00:00Z"
  /// Further settings of the defense, as JSON members.
  public var defenseSettings = ""
  public var attackSettings = ""
  /// Further keys of the record, as JSON members.
  public var more = ""

  public init(_ change: (inout SampleRun) -> Void = { _ in }) { change(&self) }

  public var id: String { "\(attack)-\(rate)-\(defense)-\(dataset)-\(seed)" }

  public var json: String {
    func measurement(_ label: String, _ accuracy: Double, _ rate: Double, _ robust: Double?) -> String {
      """
      {"label": "\(label)", "accuracy": \(accuracy), "cleanCount": \(testCount), "attackSuccessRate": \(rate), \
      \(robust.map { "\"robustAccuracy\": \($0), " } ?? "")"triggeredCount": \(testCount * 9 / 10)}
      """
    }
    let measurements =
      (before.map { [measurement("before", $0.0, $0.1, 1 - $0.1)] } ?? [])
      + [measurement("after", accuracy, attackSuccessRate, robustAccuracy)]
    let group = defense == "none" ? "\"none\"" : "{\"name\": \"\(defense)\", \"epochs\": 20\(member(defenseSettings))}"
    return """
      {"formatVersion": 1, "id": "\(id)", "title": "\(attack) against \(defense)", "status": "\(status)",
       "created": "\(created)", "seconds": 12.5, "command": "antidote run --attack \(attack) --defense \(defense)",
       "configuration": {"seed": \(seed), "device": "cpu", "dataset": {"name": "\(dataset)", "train": null},
         "model": {"name": "preactresnet18", "width": 16}, "recipe": {"name": "fast", "epochs": 12},
         "attack": {"name": "\(attack)", "rate": \(rate)\(member(attackSettings))}, "defense": \(group),
         "evaluation": {"every": 1}},
       "environment": {"antidote": "0.2.0", "libtorch": "2.13.0", "swift": "6.3", "os": "Debian 12", "cpu": "Xeon",
         "threads": 1, "device": "cpu", "precision": "float32"},
       "dataset": {"name": "\(dataset)", "trainCount": 50000, "testCount": \(testCount), "channels": 3, "height": 32,
         "width": 32, "classNames": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]},
       "measurements": [\(measurements.joined(separator: ", "))]\(member(more))}
      """
  }

  private func member(_ text: String) -> String { text.isEmpty ? "" : ", " + text }

  /// Writes the record into a new folder, and says where: the folder's name is the id unless one is given.
  @discardableResult
  public func write(in root: String, _ name: String? = nil) throws -> String {
    let folder = URL(fileURLWithPath: root).appendingPathComponent(name ?? id)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(json.utf8).write(to: folder.appendingPathComponent("record.json"))
    return folder.path
  }
}
