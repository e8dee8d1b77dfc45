import Experiments
public import Files
public import Foundation

/// Where a grid stands: its cells, and how long the rest may take.
public struct GridStatus: Sendable {
  public let title: String
  /// Cells and stages, in the order of the plan.
  public let entries: [GridEntry]
  /// How many of them are stages, which come first.
  public let stageCount: Int
  /// Wall-clock seconds until the rest is done by as many processes as work now (one, where none does), by what running
  /// cells say and finished ones took; nil where neither tells.
  public let secondsLeft: Double?
  /// Mean wall-clock seconds of a finished cell.
  public let secondsACell: Double?

  /// - Throws: `FileError`.
  public init(_ grid: Grid, now: Date = Date()) throws {
    title = grid.plan.title
    let stages = try grid.stageEntries()
    entries = try stages + grid.entries()
    stageCount = stages.count
    let times = CellTimes(entries)
    secondsACell = times.mean
    secondsLeft = times.secondsLeft(of: entries, now: now)
  }

  public func count(_ state: CellState) -> Int { entries.count { $0.state == state } }

  /// For other programs: seconds, and shares in [0, 1].
  public var json: JSONValue {
    var counts: JSONValue = [:]
    for state in CellState.allCases { counts[state.rawValue] = .int(count(state)) }
    let cells: [JSONValue] = entries.enumerated().map { index, entry in
      var cell: JSONValue = [
        "id": .string(entry.cell.id), "folder": .string(entry.cell.folder), "state": .string(entry.state.rawValue),
        "axes": .object(entry.cell.axes.mapValues { .string($0) }), "failures": .int(entry.failures),
        "stage": .bool(index < stageCount),
      ]
      cell["reason"] = entry.reason.map { .string($0) }
      cell["worker"] = entry.worker.map { .string($0) }
      cell["work"] = entry.progress.map { .string($0.work) }
      cell["secondsLeft"] = entry.progress?.secondsLeft().map { .double($0) }
      cell["seconds"] = entry.record?.seconds.map { .double($0) }
      return cell
    }
    var tree: JSONValue = ["title": .string(title), "counts": counts, "cells": .array(cells)]
    tree["secondsLeft"] = secondsLeft.map { .double($0) }
    tree["secondsACell"] = secondsACell.map { .double($0) }
    return tree
  }
}

/// What finished cells took: the mean of those with the same defense on the same data and model, of those with the same
/// defense, or of all.
struct CellTimes {
  private var sums: [[String?]: (seconds: Double, count: Int)] = [:]

  init(_ entries: [GridEntry]) {
    for entry in entries where entry.state == .finished {
      guard let seconds = entry.record?.seconds else { continue }
      for key in Self.keys(entry.cell) {
        sums[key] = ((sums[key]?.seconds ?? 0) + seconds, (sums[key]?.count ?? 0) + 1)
      }
    }
  }

  /// From the most alike to all.
  private static func keys(_ cell: GridCell) -> [[String?]] {
    let needs = cell.needs == nil ? "" : "taken"
    let defense = cell.axes[GridAxis.defense]
    return [
      [needs, defense, cell.axes[GridAxis.dataset], cell.axes[GridAxis.model], cell.axes[GridAxis.attack]],
      [needs, defense, cell.axes[GridAxis.dataset], cell.axes[GridAxis.model]], [needs, defense], [needs], [],
    ]
  }

  var mean: Double? { sums[[]].map { $0.seconds / Double($0.count) } }

  /// What the cell will take by itself; nil before any is finished.
  func expected(_ cell: GridCell) -> Double? {
    for key in Self.keys(cell) { if let sum = sums[key] { return sum.seconds / Double(sum.count) } }
    return nil
  }

  /// Nil where nothing tells how long some cell takes.
  func secondsLeft(of entries: [GridEntry], now: Date) -> Double? {
    var left = 0.0
    for entry in entries where entry.state == .waiting || entry.state == .running {
      if let seconds = entry.progress?.secondsLeft(now: now) {
        left += seconds
        continue
      }
      guard let all = expected(entry.cell) else { return nil }
      left += max(0, all - (entry.record?.seconds ?? 0))
    }
    return left / Double(max(1, entries.count { $0.state == .running }))
  }
}
