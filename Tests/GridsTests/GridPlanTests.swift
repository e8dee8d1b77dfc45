import Experiments
import Files
import Foundation
import Support
import TestFiles
import Testing

@testable import Grids

/// From a grid's file to its cells.
@Suite struct GridPlanTests {
  static let base = """
    base:
      precision: float32
      dataset: {name: generated, size: 28, train: 60, test: 20}
      model: {name: cnn, width: 2}
      recipe: {epochs: 1, batch: 20}

    """

  private func plan(_ text: String, checkingData: Bool = false) throws -> GridPlan {
    try GridSpecification(Self.base + text, source: "folder/try.yaml").plan(checkingData: checkingData)
  }

  @Test func aProductOfAxes() throws {
    let plan = try plan("{attacks: [badnets, blended], rates: [0.1, 0.2], defenses: [none, ft], seeds: [0, 7]}".block)
    #expect(plan.title == "try" && plan.cells.count == 16 && plan.stages.isEmpty)
    #expect(Set(plan.cells.map(\.id)).count == 16 && Set(plan.cells.map(\.axes)).count == 16)
    #expect(plan.values(of: "attack") == ["badnets", "blended"] && plan.values(of: "seed") == ["0", "7"])
    #expect(plan.values(of: "dataset") == ["generated"] && plan.values(of: "model") == ["cnn"])
    for cell in plan.cells {
      // The same run as by hand.
      let configuration = try ExperimentConfiguration(cell.settings)
      #expect(try configuration.runID() == cell.id && configuration.runFolderName() == cell.folder)
      #expect(configuration.attack?.name == cell.axes["attack"] && "\(configuration.general.seed)" == cell.axes["seed"])
      #expect(configuration.attack?.settings["rate"]?.canonicalJSON == cell.axes["rate"])
      // Cells without a defense train, the others take from the one of the same attack, rate and seed.
      if cell.axes["defense"] == "none" {
        #expect(cell.needs == nil)
      } else {
        let need = try #require(plan.cells.first { $0.id == cell.needs })
        #expect(need.axes == cell.axes.merging(["defense": "none"]) { $1 })
      }
    }
  }

  /// A place for anchors, which the rest of the file refers to.
  @Test func partsThatBeginWithXAreForAnchors() throws {
    let plan = try plan(
      "x-sizes: [&short 3, &attack badnets]\nattacks: [*attack]\ndefenses: [{name: ft, epochs: *short}]\n")
    #expect(plan.cells.count == 1 && plan.cells[0].axes["attack"] == "badnets")
    #expect(plan.cells[0].settings["defense"]?["epochs"] == 3)
  }

  @Test func modelsThatNobodyAskedForAreStages() throws {
    let plan = try plan("{attacks: [badnets], defenses: [ft, fp], seeds: [0, 1]}".block)
    #expect(plan.cells.count == 4 && plan.stages.count == 2)
    #expect(plan.stages.allSatisfy { $0.axes["defense"] == "none" && $0.needs == nil })
    for cell in plan.cells {
      #expect(plan.stages.first { $0.id == cell.needs }?.axes["seed"] == cell.axes["seed"])
    }
    // A cell alone trains its own model.
    #expect(try self.plan("{defenses: [ft]}".block).all.map(\.needs) == [nil])
  }

  /// Cells whose defenses begin with the same features have the same mark.
  @Test func featuresThatCellsShare() throws {
    let plan = try plan(
      """
      defenses:
        - none
        - dbd
        - {name: dbd, label: part, variant: ss-ce}
        - dbd-filter
        - {name: dbd, label: shorter, pretrain: {epochs: 3}}
      seeds: [0, 1]
      """)
    let marks = Dictionary(grouping: plan.cells) { $0.features }
    #expect(marks.count == 5 && marks[nil]?.count == 2)
    #expect(marks.filter { $0.key != nil }.map(\.value.count).sorted() == [1, 1, 3, 3])
    for (mark, cells) in marks where mark != nil { #expect(Set(cells.map { $0.axes["seed"] }).count == 1) }
  }

  @Test func settingsOfValues() throws {
    let plan = try plan(
      """
      attacks:
        - none
        - {name: badnets, label: large, size: 5, rates: [0.3]}
        - blended
      rates: [0.1, 0.2]
      defenses: [{name: ft, epochs: 3, with: {clean: {share: 0.5}}}]
      axes:
        alpha: {setting: attack.alpha, values: [0.1, 0.2]}
        length: [{label: short, with: {recipe: {epochs: 2}}}, {label: long, with: {recipe: {epochs: 4}}}]
      """)
    // No attack has no rate; alpha is a setting of blended alone.
    #expect(plan.cells.count == 2 * (1 + 1 + 2 * 2))
    let large = plan.cells.filter { $0.axes["attack"] == "large" }
    #expect(
      large.map { $0.axes["rate"] } == ["0.3", "0.3"] && Set(large.map { $0.axes["length"] }) == ["short", "long"])
    #expect(large.allSatisfy { $0.settings["attack"]?["size"] == 5 && $0.axes["alpha"] == nil })
    #expect(plan.cells.allSatisfy { $0.settings["clean"]?["share"] == 0.5 && $0.settings["defense"]?["epochs"] == 3 })
    #expect(large.first { $0.axes["length"] == "long" }?.settings["recipe"]?["epochs"] == 4)
    #expect(plan.cells.first?.settings["recipe"]?["batch"] == 20)
  }

  @Test func cellsLeftOutAndAdded() throws {
    let plan = try plan(
      """
      attacks: [badnets, blended]
      rates: [0.1, 0.2]
      defenses: [none, ft]
      exclude:
        - {attack: blended, rate: 0.1}
        - {defense: [ft], rate: 0.2}
      include:
        - {attack: [badnets, {name: sig, mapping: all-to-one}], rate: 0.4, defense: ft}
      """)
    let cells = plan.cells.map { "\($0.axes["attack"] ?? "") \($0.axes["rate"] ?? "") \($0.axes["defense"] ?? "")" }
    #expect(
      Set(cells) == [
        "badnets 0.1 none", "badnets 0.1 ft", "badnets 0.2 none", "blended 0.2 none", "badnets 0.4 ft", "sig 0.4 ft",
      ] && cells.count == 6)
    #expect(plan.values(of: "attack") == ["badnets", "blended", "sig"])
  }

  /// The files that come with the library say what they mean: no unknown name, no run twice, no value out of range. Seeds
  /// differ in nothing, so one is enough.
  @Test(arguments: ["", "cpu/", "gpu/"]) func theExperimentsThatComeAlong(_ part: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../experiments/\(part)"
    ).standardizedFileURL.path
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
    #expect(names.count > 1)
    for name in names {
      var text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      text = text.split(separator: "\n").map { $0.hasPrefix("seeds: ") ? "seeds: [0]" : $0 }.joined(separator: "\n")
      let plan = try GridSpecification(text, source: name).plan(checkingData: false)
      #expect(plan.cells.count > 7, "\(name)")
    }
  }

  @Test func pathsAreAbsolute() throws {
    let plan = try GridSpecification("datasets: [{name: cifar10, path: some/data}]").plan(checkingData: false)
    let here = FileManager.default.currentDirectoryPath
    #expect(plan.cells.first?.settings["dataset"]?["path"] == .string("\(here)/some/data"))
  }

  @Test func sharesOfAGrid() throws {
    let plan = try plan("{attacks: [badnets, blended, sig], defenses: [none, ft, fp], seeds: [0, 1]}".block)
    let shards = try (1...4).map { try GridPart.shard($0, of: 4).members(of: plan, folder: "") }
    #expect(shards.flatMap { $0.map(\.id) }.sorted() == plan.all.map(\.id).sorted())
    for shard in shards {
      #expect(shard.allSatisfy { cell in cell.needs.map { need in shard.contains { $0.id == need } } ?? true })
      #expect((3...6).contains(shard.count))
    }
    #expect(GridPart(shard: "2/4") == .shard(2, of: 4))
    for wrong in ["0/4", "5/4", "1", "1/2/3", "a/b", "-1/2"] { #expect(GridPart(shard: wrong) == nil, "\(wrong)") }
    let one = try #require(plan.cells.first { $0.needs != nil })
    #expect(Set(try GridPart.cells([one.id]).members(of: plan, folder: "").map(\.id)) == [one.id, one.needs])
    #expect(throws: GridError.self) { try GridPart.cells(["x"]).members(of: plan, folder: "") }
  }
}

extension String {
  /// `{a: 1, b: [2]}` as lines of a block, so that it can follow other lines.
  fileprivate var block: String {
    let tree = (try? JSONValue(yaml: self)) ?? .null
    return (tree.objectValue ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.compactJSON)" }
      .joined(separator: "\n")
  }
}
