import Files
import Foundation
import Support
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

  /// Two cells come to features that both need: the second one waits until the first gives the claim back.
  @Test func featuresAreClaimedByOne() async throws {
    try await withTemporaryFolder { grid in
      try FileSystem.createFolder(ClaimFolder(grid: grid).path)
      let lifeline = Pipe()
      defer { withExtendedLifetime(lifeline) {} }
      let claims = FeatureClaims(
        grid: grid, lease: 5, lifeline: lifeline.fileHandleForReading.fileDescriptor, interval: 0.01)
      let release = try claims.take("a", progress: SilentProgress())
      let watch = ClaimWatch(ClaimFolder(grid: grid))
      #expect(try watch.isHeld(FeatureClaims.name(of: "a")) == true && watch.isHeld(FeatureClaims.name(of: "b")) == nil)
      let messages = RecordingProgress()
      let second = Task.detached { try claims.take("a", progress: messages)() }
      while messages.messages.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
      try await Task.sleep(for: .milliseconds(30))
      #expect(try watch.isHeld(FeatureClaims.name(of: "a")) == true && messages.messages.count == 1)
      release()
      try await second.value
      #expect(try watch.isHeld(FeatureClaims.name(of: "a")) == false)
      #expect(try ClaimFolder(grid: grid).current(FeatureClaims.name(of: "a"))?.number == 2)
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
