import Attacks
import Backdoor
import Defenses
import Experiments
import Files
import Support
import Torch
import Vision

/// Combinations of values each of which is right by itself.
extension GridExpansion {
  /// Notes those that could not run.
  /// - Parameter readingData: whether labels and sizes of the images are looked at.
  mutating func checkCombinations(readingData: Bool, progress: any ProgressReporter) {
    for cell in planned { checkResources(of: cell) }
    guard readingData else { return }
    // One data set in memory at a time.
    let groups = Dictionary(grouping: planned.indices) { planned[$0].configuration.dataset }
    for members in groups.values.sorted(by: { $0[0] < $1[0] }) { checkData(of: members.map { planned[$0] }, progress) }
  }

  /// A defense that asks for images which the defender does not have.
  private mutating func checkResources(of cell: Planned) {
    guard let defense = cell.configuration.defense, let kind = try? DefenseKind.named(defense.name) else { return }
    let clean = cell.configuration.clean
    let here = cell.place(of: "defense.name")
    if kind.requires.contains(.unlabeled), clean.unlabeled == 0, clean.unlabeledFrom == nil {
      note(
        here,
        "\(kind.id) needs unlabeled images, and there are none. Add \"with: {clean: {unlabeled: 0.8}}\" to it, or "
          + "clean.unlabeledFrom.")
    }
    if kind.requires.contains(.cleanSplit), clean.count == 0 || (clean.count == nil && clean.share == 0) {
      note(here, "\(kind.id) needs clean images, and clean.share or clean.count gives none.")
    }
  }

  /// What the images say: sizes that a model cannot take, classes that do not exist, rates that a class cannot hold.
  private mutating func checkData(of cells: [Planned], _ progress: any ProgressReporter) {
    guard let first = cells.first else { return }
    progress.message("\(first.configuration.dataset.name): checking models, classes and rates against its images")
    let data: (train: ImageDataset, test: ImageDataset)
    do {
      data = try Cell.loadData(first.configuration, on: .cpu, progress: SilentProgress())
    } catch {
      return note(first.place(of: "dataset.name"), "\(error)")
    }
    var seen: Set<JSONValue> = []
    for cell in cells {
      let (settings, configuration) = (cell.cell.settings, cell.configuration)
      let model: JSONValue = ["model": settings["model"] ?? .null]
      if seen.insert(model).inserted {
        do { _ = try configuration.model.spec(for: data.train) } catch {
          note(cell.place(of: "model.name"), Self.words(error))
        }
      }
      let poisoning: JSONValue = ["attack": settings["attack"] ?? .null, "clean": settings["clean"] ?? .null]
      guard seen.insert(poisoning).inserted else { continue }
      do {
        let attackers = Cell.attackersImages(configuration, train: data.train, seed: configuration.seed)
        try configuration.makeAttack()?.checkPoisoning(of: attackers, seed: configuration.seed.stream("attack"))
      } catch {
        let setting = "\(error)".hasPrefix("attack.rate") ? "attack.rate" : "attack.name"
        note(cell.place(of: setting), "\(cell.cell.axes[GridAxis.attack] ?? ""): \(Self.words(error))")
      }
    }
  }

  private static func words(_ error: any Error) -> String {
    (error as? SettingsError)?.issues.map(\.message).joined(separator: " ") ?? "\(error)"
  }
}
