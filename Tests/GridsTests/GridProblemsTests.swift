import Files
import Foundation
import Support
import Testing

@testable import Grids

/// Grids that could not run are refused before anything starts: all problems at once, with their lines.
@Suite struct GridProblemsTests {
  /// What is wrong with a file, by line.
  private func problems(_ text: String, checkingData: Bool = false) throws -> [String] {
    do {
      _ = try GridSpecification(text, source: "g.yaml").plan(checkingData: checkingData)
      return []
    } catch let error as SettingsError {
      return error.description.split(separator: "\n").map(String.init)
    }
  }

  private func expect(
    _ text: String, checkingData: Bool = false, _ expected: [(line: Int, words: String)],
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try problems(text, checkingData: checkingData)
    #expect(found.count == expected.count, "\(found.joined(separator: "\n"))", sourceLocation: location)
    for (line, words) in expected {
      #expect(
        found.contains { $0.hasPrefix("g.yaml:\(line):") && $0.contains(words) },
        "line \(line), \(words): \(found.joined(separator: "\n"))", sourceLocation: location)
    }
  }

  @Test func allAtOnce() throws {
    try expect(
      """
      base:
        recipe: {epoch: 3}
      atacks: [badnets]
      models: [none, cnn]
      attacks:
        - badnets
        - badnet
        - {name: blended, alpha: 7}
        - {label: x}
        - {name: blended, label: again, with: {attack: {alpha: 0.1}, clean: {shares: 1}}}
        - badnets
      rates: [0.1, 2, often]
      defenses: [none, {name: sau, epochs: many}]
      seeds: [0, -1, 0]
      """,
      [
        (2, "Did you mean recipe.epochs"), (3, "unknown part of a grid. Did you mean attacks"),
        (4, "no cells without a model"), (7, "unknown attack \"badnet\". Did you mean badnets"), (8, "out of range"),
        (9, "name is missing"), (10, "stand beside its name"), (10, "unknown setting. Did you mean clean.share"),
        (11, "another value of this axis is called \"badnets\""), (12, "from 0 to 1, found the number 2"),
        (12, "found the text \"often\""), (13, "expected a whole number"), (14, "found the number -1"),
        (14, "another value of this axis is called \"0\""),
      ])
    try expect(
      """
      attacks: [badnets, blended]
      axes:
        seed: [1]
        tau: {values: [1]}
        size: {setting: attack.size, values: []}
      exclude:
        - {attack: blendid}
        - {attak: badnets}
      """,
      [
        (3, "every grid has this axis"), (4, "expected {setting"), (5, "the axis has no values"),
        (7, "unknown value of the axis attack \"blendid\". Did you mean blended"), (8, "unknown axis \"attak\""),
        (8, "it names no axis"),
      ])
  }

  /// An empty list is no choice, and a label stands for one value.
  @Test func emptyListsAndRepeatedLabels() throws {
    try expect(
      """
      attacks:
        - {name: badnets, rates: []}
      rates: [0.2, 0.3]
      defenses: [none]
      axes:
        tau: []
      include:
        - {defense: [{name: sau, label: s, epochs: 1}]}
        - {defense: [{name: sau, label: s, epochs: 2}, {name: ft, label: t}]}
        - {defense: [{name: ft, label: t}]}
      """,
      [
        (2, "the attack has no rates"), (6, "the axis has no values"),
        (9, "another value of this axis is called \"s\""),
      ])
  }

  /// An axis that is left out has one value, by which cells can be left out too.
  @Test func excludingByTheBase() throws {
    func count(_ exclude: String, _ more: String = "") throws -> Int {
      try GridSpecification(
        "base: {attack: blended, dataset: {name: generated}}\ndefenses: [none, ft]\nseeds: [0, 1]\n\(more)"
          + "exclude: [\(exclude)]", source: "g.yaml"
      ).plan(checkingData: false).cells.count
    }
    #expect(try count("{attack: blended, defense: ft, seed: 1}") == 3)
    #expect(try count("{dataset: generated, seed: 1}") == 2 && count("{rate: 0.1, seed: 1}") == 2)
    #expect(throws: SettingsError.self) { try count("{attack: badnets, seed: 1}") }
    try expect(
      "base: {attack: blended}\nexclude: [{attack: badnets}]",
      [(2, "unknown value of the axis attack \"badnets\". Known: blended")])
  }

  /// What an entry of `include` names is checked as the axes themselves are, and a rate of its own goes to all attacks.
  @Test func includes() throws {
    try expect(
      """
      attacks: [badnets, {name: blended, rate: 0.2}]
      rates: [0.1]
      include:
        - {attak: badnets, rate: 0.3}
        - {attack: badnets, rate: [0.4, 4]}
        - {atack: [badnets]}
      """,
      [
        (4, "unknown axis \"attak\". Did you mean attack"), (5, "from 0 to 1, found the number 4"),
        (6, "unknown axis \"atack\". Did you mean attack"),
      ])
    let plan = try GridSpecification(
      "attacks: [badnets, {name: blended, rate: 0.2}]\nrates: [0.1]\ndefenses: [none]\ninclude: [{rate: 0.3}]"
    ).plan(checkingData: false)
    let cells = plan.cells.map { "\($0.axes["attack"] ?? "") \($0.axes["rate"] ?? "")" }
    #expect(cells.sorted() == ["badnets 0.1", "badnets 0.3", "blended 0.2", "blended 0.3"])
  }

  /// Each value is right by itself.
  @Test func impossibleCombinations() throws {
    try expect(
      """
      base: {precision: float32, model: {width: 2}, recipe: {epochs: 1}}
      datasets: [{name: generated, size: 28, train: 100, test: 20}]
      models: [cnn]
      attacks:
        - {name: badnets, mapping: clean-label, rates: [0.05, 0.3]}
        - {name: badnets, label: far, target: 55}
        - {name: wanet-training, mapping: clean-label}
      rates: [0.1]
      defenses:
        - none
        - prl-simclr
        - {name: ft, with: {clean: {count: 0}}}
      """, checkingData: true,
      [
        (5, "attack.rate 0.3 is more than target class 0 can hold"), (6, "class 55 does not exist"),
        (7, "controls training"), (11, "prl-simclr needs unlabeled images"), (12, "ft needs clean images"),
      ])
  }

  @Test func cellsThatAreTheSameOrNone() throws {
    try expect(
      """
      attacks: [badnets, {name: badnets, label: other}]
      defenses: [none]
      exclude: [{attack: badnets, rate: 0.5}]
      rates: [0.5, 0.6]
      """,
      [(1, "stand for the same run")])
    #expect(try problems("attacks: [badnets]\nexclude: [{attack: badnets}]") == ["g.yaml: the grid has no cell."])
    try expect(
      "attacks: [badnets, blended]\nrates: [0.1, 0.2]\nexclude:\n  - {attack: badnets, rate: 0.1}\n  - {attack: badnets, rate: [0.1]}",
      [])
    try expect(
      "attacks: [none, {name: badnets, rate: 0.1}, blended]\nrates: [0.3]\nexclude:\n  - {attack: blended, rate: 0.1}",
      [(4, "no cell of the grid is left out")])
  }

  @Test func keysThatStandTwice() throws {
    try expect(
      """
      attacks: [{name: blended, alpha: 0.1, "alpha" : {a: [1, alpha: 2]}}, badnet]
      base:
        recipe:
          epochs: 1
          batch: 3

          # one more
          epochs: 2
        model: {width: 2}
        model:
          name: cnn
      rates: [0.1]
      attacks:
        - badnets
      """,
      [
        (1, "alpha: the group has this key already"), (1, "unknown attack \"badnet\""), (8, "epochs: the group has"),
        (10, "model: the group has"), (13, "attacks: the group has"),
      ])
  }

  @Test func textsThatAreNoGrid() throws {
    #expect(try problems("[1, 2]") == ["g.yaml: a grid's file is a group, such as \"attacks: [badnets]\"."])
    #expect(throws: ParseError.self) { try problems("attacks: [") }
  }
}
