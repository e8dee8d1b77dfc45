import TestSupport
import Testing
import TorchNN

/// Learning rates against PyTorch's schedulers, twenty steps each.
@Suite struct ScheduleTests {
  @Test(arguments: Golden.cases("schedules")) func agrees(_ name: String) throws {
    let settings = try Golden("schedules").settings(of: name)
    let (schedule, factor) = try #require(self.schedule(settings["kind"].string ?? "", settings["settings"]), "no test for \(name)")
    let base = try #require(settings["base_lr"].double)
    let expected = settings["values"].doubles
    #expect(expected.count == 20)
    for (step, value) in expected.enumerated() {
      expectClose(schedule.rate(at: step, base: base * factor), value, tolerance: 1e-9, floor: 1e-6, "step \(step)")
    }
  }

  /// The schedule, with a factor on the base rate where ours counts from another one.
  private func schedule(_ kind: String, _ s: JSON) -> (Schedule, Double)? {
    func int(_ key: String) -> Int { s[key].int ?? -1 }
    func number(_ key: String) -> Double { s[key].double ?? .nan }
    switch kind {
    case "multi_step": return (.multiStep(milestones: s["milestones"].ints, gamma: number("gamma")), 1)
    case "step": return (.step(size: int("step_size"), gamma: number("gamma")), 1)
    // PyTorch's "constant" is a lower rate at first, then the base rate.
    case "constant": return (.multiStep(milestones: [int("total_iters")], gamma: 1 / number("factor")), number("factor"))
    case "linear": return (.warmup(steps: int("total_iters"), start: number("start_factor"), then: .constant), 1)
    case "exponential": return (.exponential(gamma: number("gamma")), 1)
    case "cosine": return (.cosine(period: int("T_max"), minimum: number("eta_min")), 1)
    case "one_cycle":
      return (
        .oneCycle(
          steps: int("total_steps"), warmup: number("pct_start"), divisor: number("div_factor"), finalDivisor: number("final_div_factor"),
          linear: s["anneal_strategy"].string == "linear"), 1
      )
    case "linear_warmup_cosine":
      return (
        .warmup(
          steps: int("warmup"), start: number("start_factor"), then: .cosine(period: int("T_max"), minimum: number("eta_min"))), 1
      )
    default: return nil
    }
  }

  @Test func constant() {
    #expect(Schedule.constant.rate(at: 100, base: 0.1) == 0.1)
    #expect(Schedule.warmup(steps: 0, start: 0.1, then: .constant).rate(at: 0, base: 0.1) == 0.1)
  }
}
