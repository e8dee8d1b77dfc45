import Files
import Foundation
import TestFiles
import Testing

@testable import Grids

/// Claims of cells: one holder at a time, whatever dies when.
@Suite struct ClaimTests {
  @Test func oneOfManyTakesACell() throws {
    try withTemporaryFolder { grid in
      let folder = ClaimFolder(grid: grid)
      try FileSystem.createFolder(folder.path)
      #expect(try folder.current("a") == nil)
      let held = try #require(try folder.take("a", after: nil, lease: 5))
      #expect(try folder.take("a", after: nil, lease: 5) == nil)
      let seen = try #require(try folder.current("a"))
      #expect(seen.holder?.process == .current && seen.holder?.token == held.token && seen.holder?.lease == 5)
      #expect(seen.holder?.process.isKnownDead == false)
      #expect(try held.isHeld())
    }
  }

  @Test func aBeatIsSeen() throws {
    try withTemporaryFolder { grid in
      let folder = ClaimFolder(grid: grid)
      try FileSystem.createFolder(folder.path)
      let held = try #require(try folder.take("a", after: nil, lease: 5))
      let before = try #require(try folder.current("a"))
      try held.beat(1)
      let after = try #require(try folder.current("a"))
      #expect(before.beat.text != after.beat.text && before.holder == after.holder)
    }
  }

  @Test func aReleasedCellIsTakenOnceAgain() throws {
    try withTemporaryFolder { grid in
      let folder = ClaimFolder(grid: grid)
      try FileSystem.createFolder(folder.path)
      try #require(try folder.take("a", after: nil, lease: 5)).release()
      let free = try #require(try folder.current("a"))
      #expect(free.holder == nil)
      let second = try #require(try folder.take("a", after: free, lease: 5))
      #expect(try folder.take("a", after: free, lease: 5) == nil)
      #expect(try second.isHeld() && second.number == 2)
    }
  }

  /// The first holder was thought dead and lives: it must notice, and must not free what is another's.
  @Test func whoWasTakenOverNotices() throws {
    try withTemporaryFolder { grid in
      let folder = ClaimFolder(grid: grid)
      try FileSystem.createFolder(folder.path)
      let first = try #require(try folder.take("a", after: nil, lease: 5))
      let second = try #require(try folder.take("a", after: folder.current("a"), lease: 5))
      #expect(try !first.isHeld() && second.isHeld())
      try first.beat(7)
      try first.release()
      #expect(try second.isHeld() && folder.current("a")?.holder?.token == second.token)
    }
  }

  @Test func theDeadAreKnown() {
    var gone = ProcessIdentity.current
    gone.process = 0x3fff_fff0
    var reused = ProcessIdentity.current
    reused.started = "1"
    var elsewhere = gone
    elsewhere.space = "another machine"
    #expect(gone.isKnownDead && reused.isKnownDead && !elsewhere.isKnownDead && !ProcessIdentity.current.isKnownDead)
  }
}
