import Testing

@testable import Support

/// Time left over all stages of a command, by a clock that the test turns.
@Suite struct WorkPlanTests {
  private func close(_ seconds: Double?, _ expected: Double, _ location: SourceLocation = #_sourceLocation) {
    #expect(
      seconds.map { abs($0 - expected) < 1e-9 } == true, "\(String(describing: seconds))", sourceLocation: location)
  }

  /// A stage that has begun goes on at its own speed, one that has not at that of those before, by its cost.
  @Test func speedsAndCosts() {
    var plan = WorkPlan([PlannedWork("train", images: 1000), PlannedWork("sau", images: 500, cost: 4)])
    #expect(plan.secondsLeft == nil && plan.position == nil && plan.stage == nil)
    plan.begin("train", images: 1000, done: 0, now: 5)
    #expect(plan.secondsLeft == nil && plan.position?.number == 1 && plan.position?.count == 2)
    plan.advance(images: 100, now: 15)
    // .1 s an image: 900 of them, and 500 that cost four times as much.
    close(plan.secondsLeft, 90 + 200)
    plan.advance(images: 900, now: 105)
    close(plan.secondsLeft, 200)
    // What comes between stages belongs to none.
    plan.end(now: 110)
    plan.begin("sau", images: 500, done: 0, now: 200)
    #expect(plan.position?.number == 2 && plan.stage == "sau")
    close(plan.secondsLeft, 200)
    plan.advance(images: 50, now: 250)
    close(plan.secondsLeft, 450)
    plan.end(now: 250)
    #expect(plan.secondsLeft == 0 && plan.position == nil)
  }

  /// What an earlier process did is done, and tells no speed.
  @Test func goingOn() {
    var plan = WorkPlan([PlannedWork("attack", images: 700), PlannedWork("train", images: 1000)])
    plan.begin("train", images: 1000, done: 900, now: 0)
    #expect(plan.secondsLeft == nil)
    plan.advance(images: 50, now: 5)
    // The attack was taken from a file.
    close(plan.secondsLeft, 5)
  }

  /// Several stages that are one piece of work, more than was planned; one that nobody planned; one that ends early.
  @Test func plansThatAreWrong() {
    var plan = WorkPlan([PlannedWork("attack", images: 300), PlannedWork("train", images: 100)])
    plan.begin("attack-surrogate-0", images: 100, done: 0, now: 0)
    plan.advance(images: 100, now: 100)
    plan.end(now: 100)
    close(plan.secondsLeft, 200 + 100)
    plan.begin("attack-craft-0", images: 400, done: 0, now: 100)
    close(plan.secondsLeft, 400 + 100)
    plan.end(now: 100)
    close(plan.secondsLeft, 100)
    plan.begin("extra", images: 10, done: 0, now: 100)
    #expect(plan.position?.number == 2 && plan.position?.count == 3)
    close(plan.secondsLeft, 10 + 100)
    plan.end(now: 105)
    // The name of one stage is no beginning of another's.
    plan.begin("training", images: 7, done: 0, now: 105)
    close(plan.secondsLeft, 7 + 100)
    plan.end(now: 105)
    plan.begin("train", images: 60, done: 0, now: 105)
    // It has fewer images than was thought.
    close(plan.secondsLeft, 60)
    plan.advance(images: 600, now: 165)
    #expect(plan.secondsLeft == 0)
  }

  /// Stages of one name are those that were planned in turn; a stage inside another takes its own time.
  @Test func namesAgainAndNesting() {
    var plan = WorkPlan(["a", "b", "a"].map { PlannedWork($0, images: 10) })
    for _ in 0..<2 {
      plan.begin("a", images: 10, done: 0, now: 0)
      plan.advance(images: 10, now: 10)
      plan.end(now: 10)
    }
    #expect(plan.secondsLeft == 0)

    var nested = WorkPlan()
    nested.begin("outer", images: 10, done: 0, now: 0)
    nested.advance(images: 2, now: 2)
    nested.begin("inner", images: 100, done: 0, now: 2)
    nested.advance(images: 50, now: 52)
    #expect(nested.stage == "inner")
    close(nested.secondsLeft, 50 + 8)
    nested.end(now: 102)
    nested.advance(images: 2, now: 104)
    close(nested.secondsLeft, 6)
    nested.advance(images: 1, now: 105)
    nested.end(now: 105)
    nested.end(now: 105)
    nested.advance(images: 1, now: 105)
  }

  @Test func onATerminal() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter(width: 120)
    progress.plan([PlannedWork("train", images: 2000), PlannedWork("ft", images: 1000)])
    progress.beginStage("train", images: 2000, done: 0)
    progress.begin("Training 1/2", total: 1000, unit: "images")
    terminal.advance(10)
    progress.advanceStage(images: 500)
    progress.update(done: 500, note: "loss 0.41")
    #expect(
      terminal.frames.last?.hasSuffix("50.0 images/s, 10 s left, 50 s left in all, stage 1 of 2, loss 0.41") == true)
    progress.advanceStage(images: 500)
    progress.end()
    progress.advanceStage(images: 1000)
    progress.endStage()
    progress.beginStage("ft", images: 1000, done: 0)
    progress.begin("Fine-tuning 1/1", total: 1000, unit: "images")
    terminal.advance(20)
    progress.advanceStage(images: 500)
    progress.update(done: 500)
    // The last work is all that is left: it is said once.
    #expect(terminal.frames.last?.hasSuffix("25.0 images/s, 20 s left") == true, "\(terminal.frames.last ?? "")")
    progress.stop()

    let plain = terminal.reporter(isTerminal: false, plain: 1)
    terminal.clear()
    plain.beginStage("train", images: 300, done: 0)
    plain.begin("Training 1/3", total: 100, unit: "images")
    terminal.advance(5)
    plain.advanceStage(images: 50)
    plain.update(done: 50)
    #expect(terminal.text.hasSuffix("Training 1/3 50% 50/100 images, 10.0 images/s, 5 s left, 25 s left in all\n"))
  }
}
