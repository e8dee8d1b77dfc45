import Evaluation
import Experiments
import Files
import Foundation
import Support

/// The lists of facts: how the poison was made, how the model was defended, the data, the machine.
extension ReportPage {
  static func poison(_ record: RunRecord) -> [Fact] {
    guard let poison = record.poison else { return [] }
    let mapping = record.configuration["attack"]?["mapping"]?.stringValue
    let whole = mapping == "source-to-target" ? "target class" : "attacker's training set"
    var facts = [
      Fact(name: "Attack", text: poison.attack), Fact(name: "Trigger", text: poison.summary),
      Fact(name: "Poisoning rate", text: "\(NumberText.percent(poison.rate)) of the \(whole) asked for"),
      Fact(
        name: "Poisoned",
        text: "\(formatCount(poison.poisonedCount)) training image\(poison.poisonedCount == 1 ? "" : "s")"),
    ]
    if poison.attackerTrains == true {
      facts.append(
        Fact(name: "Training", text: "by the attacker; the poisoned set was made afterwards, by the final trigger"))
    }
    if let covers = poison.coverCount {
      facts.append(
        Fact(name: "Cover samples", text: "\(formatCount(covers)) training images, changed, with their true labels"))
    }
    for (task, visibility) in (poison.visibility ?? [:]).sorted(by: { $0.key < $1.key }) {
      let several = (poison.visibility?.count ?? 0) > 1
      facts.append(Fact(name: "Visibility" + (several ? " (\(task))" : ""), text: visibility.text))
    }
    facts.append(Fact(name: "Labels", text: poison.mapping))
    if let target = poison.targetLabel {
      facts.append(Fact(name: "Target", text: "\(record.className(target)) (label \(target))"))
    }
    return facts
  }

  static func defense(_ record: RunRecord) -> [Fact] {
    guard let defense = record.defense else { return [] }
    var facts = [Fact(name: "Defense", text: defense.name)]
    if let summary = defense.summary { facts.append(Fact(name: "How", text: summary)) }
    if let verdict = record.verdict {
      facts.append(
        Fact(name: "The model given", text: verdict.sentence(naming: record.dataset?.classNames ?? [])))
      if let trigger = verdict.trigger { facts.append(Fact(name: "Trigger found", text: trigger)) }
    }
    return facts
  }

  static func dataset(_ record: RunRecord) -> [Fact] {
    guard let dataset = record.dataset else { return [] }
    let classes = dataset.classNames
    let names = classes.prefix(20).joined(separator: ", ") + (classes.count > 20 ? ", …" : "")
    return [
      Fact(name: "Data set", text: dataset.name),
      Fact(
        name: "Images",
        text: "\(formatCount(dataset.trainCount)) for training, \(formatCount(dataset.testCount)) for testing"),
      Fact(name: "Format", text: "\(dataset.height) × \(dataset.width) pixels, \(channels(dataset.channels))"),
      Fact(name: "Classes", text: "\(classes.count): \(names)"),
    ]
  }

  static func environment(_ record: RunRecord) -> [Fact] {
    let machine = record.environment
    var facts = [
      Fact(name: "Antidote", text: machine.antidote), Fact(name: "LibTorch", text: machine.libtorch),
      Fact(name: "Swift", text: machine.swift), Fact(name: "System", text: machine.os),
      Fact(name: "Processor", text: machine.cpu),
      Fact(name: "Threads", text: withReason(String(machine.threads), machine.threadsReason)),
      Fact(name: "Device", text: machine.device),
      Fact(name: "Precision", text: withReason(machine.precision, machine.precisionReason)),
    ]
    if let memory = machine.memory { facts.append(Fact(name: "Memory", text: formatBytes(memory))) }
    facts.append(Fact(name: "Started", text: NumberText.date(record.created)))
    if let finished = record.finished { facts.append(Fact(name: "Ended", text: NumberText.date(finished))) }
    return facts
  }

  private static func withReason(_ text: String, _ reason: String?) -> String {
    reason.map { "\(text) (\($0))" } ?? text
  }

  private static func channels(_ count: Int) -> String {
    switch count {
    case 1: "gray"
    case 3: "RGB"
    default: "\(count) channels"
    }
  }
}

extension RunRecord {
  /// The name of a class, or its number where it has none.
  func className(_ label: Int) -> String {
    guard let names = dataset?.classNames, names.indices.contains(label) else { return "class \(label)" }
    return names[label]
  }
}
