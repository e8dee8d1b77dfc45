import Files

/// Which settings make the rows, the columns and the tables of a grid.
struct GridKeys {
  var rows: [String]
  var columns: [String]
  var tables: [String]

  /// Settings that change how a result is computed or measured, but not what it is a result of.
  static func isNeutral(_ key: String) -> Bool {
    ["seed", "device", "threads", "precision", "dataset.path", "clean.unlabeledPath"].contains(key)
      || key.hasPrefix("evaluation.")
  }

  /// The order in which settings are asked whether they tell runs apart: names before what depends on them.
  private static let first = ["dataset.name", "model.name", "recipe.name", "defense.preset", "attack.preset"]

  init(_ runs: [RunSummary], _ layout: ResultGrid.Layout) {
    let leaves = runs.map(\.leaves)
    var values: [String: Set<JSONValue>] = [:]
    for run in leaves { for (key, value) in run { values[key, default: []].insert(value) } }
    let varying = values.filter { key, found in
      !Self.isNeutral(key) && (found.count > 1 || leaves.contains { $0[key] == nil })
    }.keys.sorted()
    let names = Self.first.filter(varying.contains) + varying.filter { !Self.first.contains($0) }

    /// The settings that still differ between runs for which those chosen before are all the same.
    func free(_ candidates: [String], given: [String]) -> [String] {
      var chosen: [String] = []
      for key in candidates where !given.contains(key) {
        var seen: [[JSONValue]: JSONValue] = [:]
        let isFree = leaves.contains { run in
          let place = (given + chosen).map { run[$0] ?? .null }
          let value = run[key] ?? .null
          if let other = seen[place] { return other != value }
          seen[place] = value
          return false
        }
        if isFree { chosen.append(key) }
      }
      return chosen
    }

    let asked = (layout.rows ?? []) + (layout.columns ?? [])
    let methods = ["attack.name", "defense.name"]
    let isOfMethod = { (key: String) in key.hasPrefix("attack.") || key.hasPrefix("defense.") }
    tables = free(names.filter { !isOfMethod($0) }, given: asked + methods)
    let attack = free(names.filter { $0.hasPrefix("attack.") }, given: asked + tables + methods)
    let defense = free(names.filter { $0.hasPrefix("defense.") }, given: asked + tables + methods + attack)
    rows = layout.rows ?? ["attack.name"] + attack
    columns = layout.columns ?? ["defense.name"] + defense
    // What the reader's rows and columns leave open.
    let given = rows + columns
    tables = free(
      tables + (names.filter(methods.contains) + attack + defense).filter { !given.contains($0) }, given: given)
  }
}
