import Attacks
import Defenses
import Experiments
import Files
public import Support

/// The cells that a specification stands for.
struct GridExpansion {
  /// More cells than that are a mistake in the file.
  static let mostCells = 100_000

  private let specification: GridSpecification
  private(set) var problems: GridProblems
  private(set) var planned: [Planned] = []
  private var indexOfID: [String: Int] = [:]

  /// A cell while the grid is made.
  struct Planned {
    var cell: GridCell
    var configuration: ExperimentConfiguration
    /// What made it, the base first.
    var values: [AxisValue]

    /// The place in the file that a setting comes from; that of the value in which it would stand where none sets it.
    func place(of setting: String) -> String {
      Planned.place(of: setting, values)
    }

    static func place(of setting: String, _ values: [AxisValue]) -> String {
      for value in values.reversed() { if let place = value.place(of: setting) { return place } }
      // A setting that is missing or has its default: the value of its section.
      let section = setting.prefix { $0 != "." }
      let owner = values.last { $0.settings[String(section)] != nil }
      return owner?.place ?? "base"
    }
  }

  init(_ specification: GridSpecification) {
    self.specification = specification
    problems = specification.problems
    var excluded = Set<Int>()
    add(specification.axes.map { ($0.name, $0.values) }, excluding: &excluded)
    // Whether it leaves nothing out can be told where all cells are known.
    let areKnown = problems.isEmpty
    for (number, entry) in specification.exclude.enumerated() where areKnown && !excluded.contains(number) {
      problems.note(entry.place, "no cell of the grid is left out by this. Is it spelt as above?")
    }
    for var part in specification.include {
      if part[GridAxis.rate] != nil {
        // A rate that stands here goes over the attack's own.
        let attacks = part[GridAxis.attack] ?? specification.axes.first { $0.name == GridAxis.attack }?.values
        part[GridAxis.attack] = attacks?.map { value in
          var value = value
          value.rates = nil
          return value
        }
      }
      let axes = specification.axes.map { ($0.name, part[$0.name] ?? $0.values) }
      let others = part.keys.filter { name in !specification.axes.contains { $0.name == name } }.sorted()
      var none = Set<Int>()
      add(axes + others.map { ($0, part[$0] ?? []) }, excluding: &none, leavesOut: false)
    }
    for axis in specification.axes where problems.isEmpty && !planned.isEmpty {
      guard let value = axis.values.first, let setting = value.onlyWhere,
        !planned.contains(where: { $0.cell.axes[axis.name] != nil })
      else { continue }
      problems.note(
        "axes.\(axis.name).setting", "no cell's attack or defense has the setting \(setting). Is it spelt right?")
    }
    if planned.isEmpty, problems.isEmpty { problems.note("", "the grid has no cell.") }
  }

  // MARK: Product

  private mutating func add(
    _ axes: [(name: String, values: [AxisValue])], excluding excluded: inout Set<Int>, leavesOut: Bool = true
  ) {
    let count = axes.reduce(1.0) { $0 * Double(max(1, $1.values.count)) }
    guard count + Double(planned.count) <= Double(Self.mostCells) else {
      return problems.note("", "the grid has more than \(formatCount(Self.mostCells)) cells.")
    }
    // Seeds vary quickest, rates within attacks: an attack may have rates of its own.
    let others = axes.map(\.name).filter { !GridAxis.usual.contains($0) }
    let order = GridAxis.usual.filter { $0 != GridAxis.seed } + others + [GridAxis.seed]
    var partial: [[(axis: String, value: AxisValue)]] = [[]]
    for name in order {
      partial = partial.flatMap { chosen -> [[(axis: String, value: AxisValue)]] in
        let values = values(of: name, axes, after: chosen)
        return values.isEmpty ? [chosen] : values.map { chosen + [(name, $0)] }
      }
    }
    for chosen in partial {
      let labels = Dictionary(chosen.map { ($0.axis, $0.value.label) }) { first, _ in first }
      if leavesOut {
        let matching = specification.exclude.indices.filter { number in
          specification.exclude[number].labels.allSatisfy { axis, wanted in
            (labels[axis] ?? specification.implied[axis]).map(wanted.contains) ?? false
          }
        }
        excluded.formUnion(matching)
        if !matching.isEmpty { continue }
      }
      add(chosen, labels)
    }
  }

  /// The values of an axis that go with those chosen before; none where it makes no difference to them.
  private func values(
    of axis: String, _ axes: [(name: String, values: [AxisValue])], after chosen: [(axis: String, value: AxisValue)]
  ) -> [AxisValue] {
    var values = axes.first { $0.name == axis }?.values ?? []
    func name(_ section: String) -> String? {
      let all = [specification.base] + chosen.map(\.value)
      return all.compactMap { $0.settings[section]?["name"]?.stringValue }.last
    }
    if axis == GridAxis.rate {
      values = chosen.first { $0.axis == GridAxis.attack }?.value.rates ?? values
      if name("attack") == "none" { return [] }
    }
    return values.filter { value in
      guard let setting = value.onlyWhere else { return true }
      let parts = setting.split(separator: ".").map(String.init)
      guard parts.count > 1 else { return false }
      let kind =
        parts[0] == "attack"
        ? try? AttackKind.named(name("attack") ?? "badnets").configuration
        : try? DefenseKind.named(name("defense") ?? "sau").configuration
      return kind?.settings.contains { $0.key == parts[1] } ?? false
    }
  }

  private mutating func add(_ chosen: [(axis: String, value: AxisValue)], _ labels: [String: String]) {
    let values = [specification.base] + chosen.map(\.value)
    let settings = Self.absolute(values.reduce([:]) { SettingsTree.merge($0, $1.settings) })
    do {
      let configuration = try ExperimentConfiguration(settings)
      var axes = GridCell.axes(of: try configuration.resolved())
      axes.merge(labels) { $1 }
      let cell = GridCell(
        id: try configuration.runID(), folder: try configuration.runFolderName(), axes: axes,
        features: try configuration.featuresID(), settings: settings)
      if let index = indexOfID[cell.id] {
        // An axis that makes no difference to a cell was left out of it, so the same cell comes again.
        let same = planned[index].cell
        if same.axes != axes { noteSameRun(chosen, axes, same.axes) }
        return
      }
      indexOfID[cell.id] = planned.count
      planned.append(Planned(cell: cell, configuration: configuration, values: values))
    } catch let error as SettingsError {
      for issue in error.issues {
        problems.note(Planned.place(of: issue.path, values), issue.message)
      }
    } catch {
      problems.note(Planned.place(of: "dataset.path", values), "\(error)")
    }
  }

  private mutating func noteSameRun(
    _ chosen: [(axis: String, value: AxisValue)], _ axes: [String: String], _ others: [String: String]
  ) {
    let differing = axes.keys.filter { axes[$0] != others[$0] }.sorted()
    let place = chosen.last { differing.contains($0.axis) }?.value.place ?? ""
    let both = differing.map { "\($0) \(others[$0] ?? "none") and \(axes[$0] ?? "none")" }.joined(separator: ", ")
    problems.note(place, "\(both) stand for the same run: all their settings are equal. Remove one.")
  }

  /// Paths as they are from any folder: other processes begin elsewhere.
  private static func absolute(_ settings: JSONValue) -> JSONValue {
    var settings = settings
    for (section, key) in [("dataset", "path"), ("clean", "unlabeledPath"), ("attack", "image")] {
      if let path = settings[section]?[key]?.stringValue, !path.hasPrefix("/") {
        settings[section]?[key] = .string(Path.absolute(path))
      }
    }
    return settings
  }

  // MARK: Plan

  /// The cells with what each needs, and the stages that nobody asked for.
  /// - Throws: what identifying a model throws.
  func plan() throws -> GridPlan {
    var cells = planned.map(\.cell)
    var stages: [GridCell] = []
    let models = try planned.map { try $0.configuration.backdooredModelID() }
    for (model, members) in Dictionary(grouping: planned.indices, by: { models[$0] }).sorted(by: {
      $0.value[0] < $1.value[0]
    })
    where members.count > 1 {
      let trainer: String
      if let member = members.first(where: { planned[$0].configuration.defense == nil }) {
        trainer = cells[member].id
      } else {
        let stage = try Self.stage(of: planned[members[0]], model: model)
        stages.append(stage)
        trainer = stage.id
      }
      for member in members where cells[member].id != trainer { cells[member].needs = trainer }
    }
    return GridPlan(title: specification.title, axes: axes(of: cells), cells: cells, stages: stages)
  }

  /// The run without a defense that trains a cell's model.
  private static func stage(of planned: Planned, model: String) throws -> GridCell {
    var settings = planned.cell.settings
    settings["defense"] = "none"
    let configuration = try ExperimentConfiguration(settings)
    let same = try configuration.backdooredModelID() == model
    precondition(same, "a defense is no part of what a model depends on")
    return GridCell(
      id: try configuration.runID(), folder: try configuration.runFolderName(),
      axes: planned.cell.axes.merging([GridAxis.defense: "none"]) { $1 }, settings: settings)
  }

  /// Every usual axis, and those of the file, with the values that cells have, in the order of the file.
  private func axes(of cells: [GridCell]) -> [GridPlan.Axis] {
    let others = Set(cells.flatMap { $0.axes.keys }).subtracting(GridAxis.usual).sorted()
    return (GridAxis.usual + others).compactMap { axis in
      var values: [String] = []
      let used = Set(cells.compactMap { $0.axes[axis] })
      let declared = specification.axes.first { $0.name == axis }?.values.map(\.label) ?? []
      for value in declared + cells.compactMap({ $0.axes[axis] }) where used.contains(value) && !values.contains(value)
      {
        values.append(value)
      }
      return values.isEmpty ? nil : GridPlan.Axis(name: axis, values: values)
    }
  }
}

extension GridSpecification {
  /// The plan of the grid.
  /// - Parameters:
  ///   - checkingData: whether the data sets are read, to check rates and classes against their labels. Without that,
  ///     such problems show when a cell runs.
  ///   - progress: hears which data set is read.
  /// - Throws: `SettingsError` with everything that is wrong, each with the line of the file.
  public func plan(checkingData: Bool, progress: any ProgressReporter = SilentProgress()) throws -> GridPlan {
    var expansion = GridExpansion(self)
    expansion.checkCombinations(readingData: checkingData, progress: progress)
    do {
      try expansion.problems.check()
    } catch {
      throw located(error)
    }
    return try expansion.plan()
  }
}

extension GridExpansion {
  mutating func note(_ place: String, _ message: String) { problems.note(place, message) }
}
