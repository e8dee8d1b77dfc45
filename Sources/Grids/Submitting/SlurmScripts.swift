public import Files
import Foundation
import Support

/// Job files for SLURM: an array of the cells that train a model for others, an array of the rest, and a script that
/// submits both, the second after the first.
///
/// Each task of an array is a worker for its own cells, so whatever was submitted twice, requeued or killed is done once
/// all the same. The rest waits for all of the first array to end (`afterany`), well or not: a model that failed blocks
/// its own cells alone, which `afterok` would not allow.
public struct SlurmScripts {
  static let modelsName = "models"
  static let cellsName = "cells"
  public static let submitName = "submit.sh"
  /// The most tasks of an array: SLURM's own default (`MaxArraySize`) is 1001.
  static let mostTasks = 1000

  private let grid: Grid
  private let worker: SubmittedWorker

  public init(_ grid: Grid, _ worker: SubmittedWorker) {
    self.grid = grid
    self.worker = worker
  }

  /// Writes the files. Those of an earlier call are replaced.
  /// - Returns: the paths, that of the script to start last.
  /// - Throws: `FileError`.
  public func write(to folder: String) throws(FileError) -> [String] {
    try FileSystem.createFolder(Path.join(folder, "logs"))
    let needed = grid.plan.trainers
    let models = grid.plan.all.filter { needed.contains($0.id) }
    let cells = grid.plan.all.filter { !needed.contains($0.id) }
    var paths: [String] = []
    for (name, members) in [(Self.modelsName, models), (Self.cellsName, cells)] where !members.isEmpty {
      let tasks = Self.tasks(members.map(\.id))
      let list = Path.join(folder, "\(name).txt")
      try AtomicFile.write(tasks.joined(separator: "\n") + "\n", to: list)
      let script = Path.join(folder, "\(name).sbatch")
      try AtomicFile.write(self.script(name, tasks: tasks.count, list: list, folder: folder), to: script)
      paths += [list, script]
    }
    let submit = Path.join(folder, Self.submitName)
    try AtomicFile.write(Self.submission(hasModels: !models.isEmpty, hasCells: !cells.isEmpty), to: submit)
    _ = chmod(submit, 0o755)
    return paths + [submit]
  }

  /// The options of each task: one cell, or several where there are more cells than an array may have tasks.
  static func tasks(_ ids: [String]) -> [String] {
    let count = min(ids.count, mostTasks)
    return (0..<count).map { task in
      stride(from: task, to: ids.count, by: count).map { "--cell \(ids[$0])" }.joined(separator: " ")
    }
  }

  private func script(_ name: String, tasks: Int, list: String, folder: String) -> String {
    let limit = worker.jobs.map { "%\($0)" } ?? ""
    let directives =
      [
        "--job-name=\(Path.safeName(grid.plan.title))-\(name)", "--array=0-\(tasks - 1)\(limit)",
        "--cpus-per-task=\(worker.cpus)", Self.output(Path.absolute(folder), "/logs/\(name)-%A_%a.log"), "--requeue",
        "--signal=B:TERM@60",
      ] + worker.directives.map(Self.quoted)
    let run = ([worker.program, "grid", "run", Path.absolute(grid.folder)] + worker.runOptions).map(ShellWord.quoted)
    return """
      #!/bin/bash
      \(directives.map { "#SBATCH \($0)" }.joined(separator: "\n"))
      # A worker for the cells of one line. TERM, a minute before the time limit, stops it where it goes on later.
      mapfile -t cells < \(ShellWord.quoted(Path.absolute(list)))
      exec \(run.joined(separator: " ")) ${cells[$SLURM_ARRAY_TASK_ID]}

      """
  }

  /// The log of a task, in a folder of any name: `%` begins a pattern of SLURM's, and quotes keep words together.
  static func output(_ folder: String, _ name: String) -> String {
    quoted("--output=\(folder.replacing("%", with: "%%"))\(name)")
  }

  /// An option as one word of a directive, which SLURM reads with quotes and backslashes as a shell does. What has quotes
  /// of its own is left as it is.
  static func quoted(_ option: String) -> String {
    if option.hasPrefix("\"") || option.hasSuffix("\"") || option.hasSuffix("'") { return option }
    guard option.contains(where: { " \t\"'\\#".contains($0) }) else { return option }
    return "\"" + option.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  private static func submission(hasModels: Bool, hasCells: Bool) -> String {
    var lines = ["#!/bin/bash", "# Submits the grid. May be given again: finished cells are left alone."]
    lines += ["set -euo pipefail", "cd \"$(dirname \"$0\")\""]
    if hasModels {
      lines += ["models=$(sbatch --parsable \(modelsName).sbatch)", "echo \"models: job ${models%%;*}\""]
    }
    if hasCells {
      let order = hasModels ? "--dependency=afterany:\"${models%%;*}\" " : ""
      lines += ["cells=$(sbatch --parsable \(order)\(cellsName).sbatch)", "echo \"cells: job ${cells%%;*}\""]
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
