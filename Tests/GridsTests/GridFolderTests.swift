import Files
import Foundation
import Support
import TestFiles
import Testing
import Training

@testable import Experiments
@testable import Grids

/// What the files of a grid's folder say about its cells.
@Suite struct GridFolderTests {
  private static let text = """
    base: {precision: float32, dataset: {name: generated, size: 28, train: 60, test: 20}, model: {name: cnn, width: 2}}
    attacks: [badnets]
    defenses: [none, ft, fp]
    """

  private func make(_ folder: String, _ text: String = text) throws -> Grid {
    try Grid.make(text, source: "g.yaml", in: folder, checkingData: false, progress: SilentProgress())
  }

  /// A record of a cell as a run would leave it.
  private func write(_ status: RunRecord.Status, _ cell: GridCell, _ grid: Grid, seconds: Double = 10) throws {
    let environment = RunRecord.Environment(
      antidote: "", libtorch: "", swift: "", os: "", cpu: "", threads: 1, device: "cpu", precision: "float32")
    var record = RunRecord(id: cell.id, title: "", configuration: cell.settings, environment: environment)
    record.status = status
    record.seconds = seconds
    if status == .failed { record.failure = "the record says why" }
    let directory = try RunDirectory.create(at: grid.runPath(cell), id: cell.id)
    try directory.write(record)
    if status == .finished { try AtomicFile.write("", to: directory.reportPath) }
  }

  private func cell(_ defense: String, _ grid: Grid) throws -> GridCell {
    try #require(grid.plan.cells.first { $0.axes["defense"] == defense })
  }

  /// A claim of a process that differs from this one. Its token is "abc".
  /// - Returns: the file's path.
  private func claim(
    _ cell: GridCell, in folder: String, _ number: Int = 1, lease: Double, by change: (inout ProcessIdentity) -> Void
  ) throws -> String {
    try FileSystem.createFolder(Path.join(folder, Grid.claimsName))
    var process = ProcessIdentity.current
    change(&process)
    let holder = Claim.Holder(process: process, token: "abc", lease: lease)
    let file = ClaimFolder(grid: folder).file(cell.id, number)
    try AtomicFile.write(try JSONValue(encoding: holder).compactJSON + "\n" + HeldClaim.beatText(0), to: file)
    return file
  }

  @Test func statesOfCells() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let (none, ft) = (try cell("none", grid), try cell("ft", grid))
      func states() throws -> [CellState] { try grid.entries().map(\.state) }
      #expect(try states() == [.waiting, .waiting, .waiting])
      #expect(try grid.entries()[1].reason == "none trains its model")

      for folder in [Grid.claimsName, Grid.cellsName] { try FileSystem.createFolder(Path.join(path, folder)) }
      let claim = try #require(try ClaimFolder(grid: path).take(none.id, after: nil, lease: 9))
      #expect(try states() == [.running, .waiting, .waiting])
      #expect(try grid.entries()[0].worker == ProcessIdentity.current.description)
      try claim.release()
      #expect(try states() == [.waiting, .waiting, .waiting])

      try write(.interrupted, none, grid)
      #expect(try states() == [.waiting, .waiting, .waiting])
      try write(.failed, none, grid)
      #expect(try states() == [.failed, .blocked, .blocked])
      #expect(try grid.entries()[0].reason == "the record says why")

      try write(.finished, none, grid)
      let failure = CellFailure(id: ft.id, reason: "killed", failures: 3, seconds: 1, date: Date(), worker: "a:1")
      try failure.write(in: path)
      #expect(try states() == [.finished, .failed, .waiting])
      #expect(try grid.entries()[1].failures == 3 && grid.entries()[1].reason == "killed")
      #expect(try grid.entries()[0].record?.id == none.id)

      // The folder of a cell may hold another run, or a record that is damaged.
      try AtomicFile.write("{}", to: Path.join(grid.runPath(none), "record.json"))
      #expect(try grid.entries()[0].state == .failed && grid.entries()[0].reason?.contains("damaged") == true)
    }
  }

  /// A plan that a disk or a person damaged is named, and nothing is run from it.
  @Test func aDamagedPlan() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let text = try FileSystem.readText(grid.planPath, limit: 1 << 20)
      for damaged in [
        "", String(text.prefix(text.count / 2)), "{}", "[]", text.replacing("\"cells\"", with: "\"cels\""),
      ] {
        try AtomicFile.write(damaged, to: grid.planPath)
        let error = #expect(throws: GridError.self, "\(damaged.prefix(40))") { try Grid(folder: path) }
        #expect(error.map { "\($0)".contains(grid.planPath) } == true, "\(String(describing: error))")
      }
      let idle = text.replacing(/"settings": *{/, with: "\"settings\": {\"threads\": 0, ")
      try #require(idle != text)
      try AtomicFile.write(idle, to: grid.planPath)
      #expect(throws: GridError.self) { try Grid(folder: path).threads(asked: nil) }
      let newer = text.replacing(/"format": *[0-9]+/, with: "\"format\": 999")
      try AtomicFile.write(newer, to: grid.planPath)
      let error = #expect(throws: GridError.self) { try Grid(folder: path) }
      #expect(error.map { "\($0)".contains("999") } == true, "\(String(describing: error))")
      try AtomicFile.write(text, to: grid.planPath)
      #expect(try Grid(folder: path).plan.cells.count == 3)
    }
  }

  @Test func timeLeft() throws {
    try withTemporaryFolder { path in
      let grid = try make(path, Self.text + "\nseeds: [0, 1, 2]")
      #expect(try GridStatus(grid).secondsLeft == nil)
      for (cell, seconds) in zip(grid.plan.cells, [100.0, 110, 120, 10, 20]) {
        try write(.finished, cell, grid, seconds: seconds)
      }
      // In the order of the plan: three of none, two of three of ft. Left: one of ft (15) and three of fp, which are like
      // other cells that take a model over (15).
      let status = try GridStatus(grid)
      #expect(status.count(.finished) == 5 && status.count(.waiting) == 4)
      #expect(status.secondsACell == 72 && status.secondsLeft == 60)
      #expect(status.json["counts"]?["finished"] == 5 && status.json["secondsLeft"]?.doubleValue == 60)
      // Two at a time.
      var entries = status.entries
      for place in entries.indices.suffix(2) { entries[place].state = .running }
      #expect(CellTimes(entries).secondsLeft(of: entries, now: Date()) == 30)
      // One says itself how long it takes, a minute ago.
      let folder = grid.runPath(entries[entries.count - 1].cell)
      let text = #"{"updated": "2026-01-01T00:00:00Z", "work": "Training 3/12", "secondsLeft": 95, "done": 1}"#
      try FileSystem.createFolder(folder)
      try AtomicFile.write(text, to: Path.join(folder, "status.json"))
      let progress = try #require(RunProgress(ofRun: folder))
      #expect(progress.work == "Training 3/12")
      let now = progress.updated.addingTimeInterval(60)
      #expect(progress.secondsLeft(now: now) == 35)
      #expect(progress.secondsLeft(now: now.addingTimeInterval(60)) == 0)
      entries[entries.count - 1].progress = progress
      #expect(CellTimes(entries).secondsLeft(of: entries, now: now) == 40, "45 and 35, two at a time")
      // Known although nothing is finished, where all that is left says so.
      let last = [entries[entries.count - 1]]
      #expect(CellTimes(last).secondsLeft(of: last, now: now) == 35)
      for damaged in ["", "[]", #"{"work": "x"}"#, #"{"updated": "yesterday", "work": "x"}"#] {
        try AtomicFile.write(damaged, to: Path.join(folder, "status.json"))
        #expect(RunProgress(ofRun: folder) == nil)
      }
    }
  }

  /// Reports need no plan.
  @Test func runsWithoutAPlan() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      for cell in grid.plan.cells { try write(.finished, cell, grid) }
      try FileSystem.remove(grid.planPath)
      let entries = try Grid(folder: path).entries()
      #expect(Set(entries.map(\.cell.id)) == Set(grid.plan.cells.map(\.id)))
      #expect(Set(entries.map { $0.cell.axes["defense"] }) == ["none", "ft", "fp"])
      #expect(entries.allSatisfy { $0.state == .finished && $0.cell.axes["attack"] == "badnets" })
      #expect(throws: GridError.notAGrid(folder: path + "/runs/x")) { try Grid(folder: path + "/runs/x") }
    }
  }

  @Test func aChangedFileKeepsItsFolder() throws {
    try withTemporaryFolder { path in
      let first = try make(path)
      #expect(try make(path, Self.text + "\n# a remark").plan == first.plan)
      #expect(try FileSystem.readText(Path.join(path, "grid.yaml")) == Self.text)
      let more = try make(path, Self.text + "\nseeds: [0, 1]")
      #expect(Set(more.plan.cells.map(\.id)).isSuperset(of: first.plan.cells.map(\.id)) && more.plan.cells.count == 6)
      #expect(throws: GridError.otherGrid(folder: path, title: "g")) { try make(path, "attacks: [blended]") }
    }
  }

  /// A cell is not begun while another one learns the features that both need, or is about to.
  @Test func featuresAreLearnedByOneCell() throws {
    try withTemporaryFolder { path in
      let grid = try make(
        path,
        """
        base: {dataset: {name: generated, size: 28, train: 60, test: 20}, model: {name: cnn, width: 2}}
        attacks: [badnets]
        defenses: [none, dbd, {name: dbd, label: part, variant: ss-ce}, {name: dbd, label: other, credible: 0.4}, spl]
        """)
      let claims = ClaimFolder(grid: path)
      try FileSystem.createFolder(claims.path)
      let board = try CellBoard(grid, grid.plan.cells, retriesFailed: false)
      func ready() throws -> [String] {
        try grid.plan.cells.filter { try board.isReady($0) }.compactMap { $0.axes["defense"] }
      }
      #expect(try ready() == ["none"])
      try write(.finished, cell("none", grid), grid)
      #expect(try ready() == ["dbd", "part", "other", "spl"])
      let dbd = try cell("dbd", grid)
      let held = try #require(try board.take(dbd, lease: 5))
      #expect(try ready() == ["dbd", "spl"])
      // Its process learns them, and gives them to the others before it is finished.
      let features = FeatureClaims.name(of: try #require(dbd.features))
      let claim = try #require(try claims.take(features, after: nil, lease: 5))
      #expect(try ready() == ["spl"])
      try claim.release()
      #expect(try ready() == ["dbd", "part", "other", "spl"] && held.isHeld())
      // One that died on the way leaves them to any.
      var process = ProcessIdentity.current
      process.process = 0x3fff_fff0
      let dead = Claim.Holder(process: process, token: "d", lease: 1000)
      try AtomicFile.write(
        try JSONValue(encoding: dead).compactJSON + "\n" + HeldClaim.beatText(0), to: claims.file(features, 2))
      #expect(try ready() == ["dbd", "part", "other", "spl"])
    }
  }

  /// A holder on another machine counts as dead when its claim has not changed for its lease, and not before.
  @Test func leasesExpire() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let cell = try cell("none", grid)
      _ = try claim(cell, in: path, lease: 0.2) { $0.space = "another machine" }
      let theirs = HeldClaim(id: cell.id, number: 1, token: "abc", lease: 0.2, folder: ClaimFolder(grid: path))
      let board = try CellBoard(grid, grid.plan.cells, retriesFailed: false)
      #expect(try board.take(cell, lease: 5) == nil)
      usleep(150_000)
      try theirs.beat(1)
      #expect(try board.take(cell, lease: 5) == nil)
      usleep(150_000)
      #expect(try board.take(cell, lease: 5) == nil)
      usleep(150_000)
      let mine = try #require(try board.take(cell, lease: 5))
      #expect(try mine.number == 2 && mine.isHeld() && !theirs.isHeld())

      // A dead process of this machine is known at once.
      try mine.release()
      _ = try claim(cell, in: path, 3, lease: 1000) { $0.process = 0x3fff_fff0 }
      #expect(try board.take(cell, lease: 5)?.number == 4)
    }
  }

  /// A machine that is gone is not at work for ever.
  @Test func longSilentHoldersAreNotAtWork() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let cell = try cell("none", grid)
      let file = try claim(cell, in: path, lease: 60) { $0.space = "another machine" }
      #expect(try grid.entry(cell).state == .running)
      for (age, state) in [(1100.0, CellState.running), (1300, .waiting)] {
        let time = timespec(tv_sec: Int(Date().timeIntervalSince1970 - age), tv_nsec: 0)
        try #require(utimensat(AT_FDCWD, file, [time, time], 0) == 0)
        #expect(try grid.entry(cell).state == state)
      }
    }
  }

  /// What lies in the folder and is not the grid's stays.
  @Test func aFileOfTheSameNameStays() throws {
    try withTemporaryFolder { path in
      let file = Path.join(path, "grid.yaml")
      try AtomicFile.write("mine: true\n", to: file)
      #expect(throws: GridError.foreignFile(path: file)) { try make(path) }
      #expect(try FileSystem.readText(file) == "mine: true\n" && !FileSystem.exists(Path.join(path, "plan.json")))
      // The grid's own text is what a process leaves that was killed before it wrote the plan.
      try AtomicFile.write(Self.text, to: file)
      #expect(try !make(path).plan.cells.isEmpty)
    }
  }

  /// Threads and precision of all cells, as the settings say where they do.
  @Test func whatAllCellsComputeWith() throws {
    try withTemporaryFolder { path in
      let grid = try make(path, Self.text.replacing("base: {", with: "base: {threads: 2, "))
      #expect(try grid.threads(asked: nil) == 2 && grid.threads(asked: 2) == 2)
      #expect(throws: GridError.otherThreads(asked: 1, found: 2, folder: path)) { try grid.threads(asked: 1) }
      let configuration = try ExperimentConfiguration(try cell("none", grid).settings)
      let compute = try GridCompute.settled(in: path, configuration, threads: 2)
      #expect(compute.precision.rawValue == "float32" && compute.threads == 2)
      for threads in ["0", "-3"] {
        try AtomicFile.write("{\"threads\": \(threads), \"precision\": \"float32\"}", to: GridCompute.path(in: path))
        #expect(throws: GridError.self) { try GridCompute.stored(in: path) }
      }
    }
  }

  @Test func finishedCellsAreNotTaken() throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let (none, ft) = (try cell("none", grid), try cell("ft", grid))
      for folder in [Grid.claimsName, Grid.cellsName] { try FileSystem.createFolder(Path.join(path, folder)) }
      let board = try CellBoard(grid, grid.plan.cells, retriesFailed: false)
      #expect(try board.isReady(none) && !board.isReady(ft) && !board.isOver(ft))
      // Another worker finishes it between this one's look and its claim.
      try write(.finished, none, grid)
      #expect(try board.take(none, lease: 5) == nil)
      #expect(try ClaimFolder(grid: path).current(none.id)?.holder == nil)
      #expect(try board.isFinished(none) && board.isReady(ft))
      try CellFailure(id: ft.id, reason: "", failures: 1, seconds: 1, date: Date(), worker: "").write(in: path)
      #expect(try board.isOver(ft) && board.take(ft, lease: 5) == nil)
      // Forgiven once: until it has failed again.
      let again = try CellBoard(grid, grid.plan.cells, retriesFailed: true)
      #expect(try again.isReady(ft))
      try CellFailure(id: ft.id, reason: "", failures: 2, seconds: 1, date: Date(), worker: "").write(in: path)
      #expect(try !again.isReady(ft) && again.isOver(ft))
    }
  }

  /// What a process that was killed at its very end left is done by the next one, however that ends; cells that need the
  /// model do not wait for it.
  @Test(arguments: [RunDirectory.reportName, "status.json", "checkpoint-training.safetensors"])
  func finishedCellsAreCleanedUp(name: String) throws {
    try withTemporaryFolder { path in
      let grid = try make(path)
      let (none, ft) = (try cell("none", grid), try cell("ft", grid))
      for folder in [Grid.claimsName, Grid.cellsName] { try FileSystem.createFolder(Path.join(path, folder)) }
      try write(.finished, none, grid)
      let file = Path.join(grid.runPath(none), name)
      let isReport = name == RunDirectory.reportName
      if isReport { try FileSystem.remove(file) } else { try AtomicFile.write("", to: file) }
      func fail(_ failures: Int) throws {
        try CellFailure(id: none.id, reason: "", failures: failures, seconds: 1, date: Date(), worker: "")
          .write(in: path)
      }
      try fail(1)
      let board = try CellBoard(grid, grid.plan.cells, retriesFailed: false)
      #expect(try !board.isOver(none) && board.isFinished(none) && board.isReady(none) && board.isReady(ft))
      let held = try #require(try board.take(none, lease: 5))
      try fail(2)
      #expect(try board.isOver(none) && board.isFinished(none) && board.isReady(ft))
      if isReport { try AtomicFile.write("", to: file) } else { try FileSystem.remove(file) }
      try FileSystem.remove(CellFailure.path(in: path, id: none.id))
      try held.release()
      #expect(try board.isOver(none) && board.take(none, lease: 5) == nil)
    }
  }
}
