import TestSupport
import Testing
import TorchNN

/// Learning rates against PyTorch's schedulers, twenty steps each.
@Suite struct ScheduleTests {
  @Test(arguments: Golden.cases("schedules")) func agrees(_ name: String) throws {
    let settings = try Golden("schedules").settings(of: name)
    let schedule = try #require(
      self.schedule(settings["kind"].string ?? "", settings["settings"]), "no test for \(name)")
    let base = try #require(settings["base_lr"].double)
    let expected = settings["values"].doubles
    #expect(expected.count == 20)
    for (step, value) in expected.enumerated() {
      expectClose(schedule.rate(at: step, base: base), value, tolerance: 1e-9, floor: 1e-6, "step \(step)")
    }
  }

  private func schedule(_ kind: String, _ s: JSON) -> Schedule? {
    func int(_ key: String) -> Int { s[key].int ?? -1 }
    func number(_ key: String) -> Double { s[key].double ?? .nan }
    switch kind {
    case "multi_step": return .multiStep(milestones: s["milestones"].ints, gamma: number("gamma"))
    case "cosine": return .cosine(period: int("T_max"), minimum: number("eta_min"))
    case "one_cycle":
      return .oneCycle(
        steps: int("total_steps"), warmup: number("pct_start"), divisor: number("div_factor"),
        finalDivisor: number("final_div_factor"))
    default: return nil
    }
  }
}
