import Testing

@testable import Training

/// When a computation is told that it does not get its cores.
struct CPUWatchTests {
  private func span(cpu: Double, threads: Int, idle: Double?, quota: Double? = nil) -> CPUWatch.Span {
    CPUWatch.Span(wall: 10, cpu: cpu, threads: threads, idle: idle, quota: quota)
  }

  @Test func others() {
    #expect(span(cpu: 10, threads: 2, idle: 0).isStarved)
    #expect(!span(cpu: 13, threads: 2, idle: 0).isStarved, "65% is enough")
    #expect(span(cpu: 4, threads: 1, idle: 0).isStarved)
  }

  /// Work that is not parallel leaves cores idle: nobody takes them.
  @Test func ownIdleness() {
    #expect(!span(cpu: 10, threads: 2, idle: 1).isStarved)
    #expect(!span(cpu: 40, threads: 16, idle: 12).isStarved)
    #expect(span(cpu: 40, threads: 16, idle: 1).isStarved)
    #expect(!span(cpu: 1, threads: 2, idle: nil).isStarved, "unknown")
  }

  @Test func quotas() {
    #expect(span(cpu: 20, threads: 8, idle: 50, quota: 2).isStarved)
    #expect(!span(cpu: 20, threads: 8, idle: 50, quota: 16).isStarved)
  }

  @Test func theWarningSaysWhatToDo() {
    let text = span(cpu: 9.4, threads: 2, idle: 0).warning
    #expect(
      text.contains("47%") && text.contains("2 threads") && text.contains("other processes")
        && text.contains("--threads 1"))
    let one = span(cpu: 4, threads: 1, idle: 0).warning
    #expect(one.contains("1 thread can use") && !one.contains("--threads 1"))
    #expect(span(cpu: 20, threads: 8, idle: 50, quota: 2).warning.contains("the CPU quota is 2.0 cores"))
  }

  @Test func oneWarningAfterTwoBadSpansInARow() {
    let (bad, good) = (span(cpu: 5, threads: 2, idle: 0), span(cpu: 19, threads: 2, idle: 0))
    var patience = CPUWatch.Patience()
    let said = [bad, good, bad, bad, bad, bad].map { patience.note($0) != nil }
    #expect(said == [false, false, false, true, false, false])
  }
}
