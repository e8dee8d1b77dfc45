/// The part of a grid that a worker does: some cells, with those that they need.
public enum GridPart: Sendable, Hashable {
  case all
  /// One of several parts of about equal size, from 1. Cells that share a model are in one part.
  case shard(Int, of: Int)
  /// Cells or stages by their ids.
  case cells([String])

  /// - Throws: `GridError` for a cell that the plan does not have.
  func members(of plan: GridPlan, folder: String) throws -> [GridCell] {
    switch self {
    case .all: return plan.all
    case .shard(let number, let count): return Self.shards(of: plan, count)[number - 1]
    case .cells(let ids):
      let all = Dictionary(plan.all.map { ($0.id, $0) }) { first, _ in first }
      for id in ids where all[id] == nil { throw GridError.unknownCell(id, folder: folder) }
      let wanted = Set(ids).union(ids.compactMap { all[$0]?.needs })
      return plan.all.filter { wanted.contains($0.id) }
    }
  }

  /// The groups of cells that share a model, the largest first, each given to the part that has least.
  static func shards(of plan: GridPlan, _ count: Int) -> [[GridCell]] {
    var groups: [String: [GridCell]] = [:]
    var order: [String] = []
    for cell in plan.all {
      let key = cell.needs ?? cell.id
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(cell)
    }
    let largestFirst = order.enumerated().sorted {
      let (a, b) = (groups[$0.element]?.count ?? 0, groups[$1.element]?.count ?? 0)
      return a != b ? a > b : $0.offset < $1.offset
    }
    var parts = [Set<String>](repeating: [], count: count)
    for (_, key) in largestFirst {
      let least = parts.indices.min { parts[$0].count < parts[$1].count } ?? 0
      parts[least].formUnion((groups[key] ?? []).map(\.id))
    }
    return parts.map { part in plan.all.filter { part.contains($0.id) } }
  }

  /// `2/4`; nil for anything else.
  public init?(shard text: String) {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let number = numbers[0], let count = numbers[1], count <= 100_000, number >= 1,
      number <= count
    else { return nil }
    self = .shard(number, of: count)
  }
}
