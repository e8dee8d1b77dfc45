import Foundation
import Testing

@testable import Support

/// How much of the CPU there is, from texts as Linux writes them.
struct CPUTests {
  private static let before = """
    cpu  400 0 100 2000 0 0 0 0 0 0
    cpu0 200 0 50 1000 10 0 0 0 0 0
    cpu1 200 0 50 1000 0 0 0 0 0 0
    intr 12345 0
    """

  private func availability(
    _ after: String, before: String = Self.before, status: String = "", quota: Double? = nil, cores: Int = 2
  ) -> CPUAvailability {
    CPUAvailability(
      before: CPUTimes(stat: before), after: CPUTimes(stat: after), status: status, quota: quota, cores: cores)
  }

  @Test(arguments: [
    // 20 ticks of core 0 and of core 1: user, nice, system, idle, iowait, irq, softirq, steal.
    ("cpu0 200 0 50 1020 10 0 0 0", "cpu1 200 0 50 1020 0 0 0 0", 2.0, 2),
    ("cpu0 220 0 50 1000 10 0 0 0", "cpu1 200 0 50 1020 0 0 0 0", 1, 1),
    ("cpu0 220 0 50 1000 10 0 0 0", "cpu1 200 20 50 1000 0 0 0 0", 0, 1),
    ("cpu0 202 0 50 1018 10 0 0 0", "cpu1 200 0 52 1018 0 0 0 0", 1.8, 2),
    ("cpu0 210 0 50 1010 10 0 0 0", "cpu1 200 0 50 1020 0 0 0 0", 1.5, 1),
    ("cpu0 200 0 50 1000 30 0 0 0", "cpu1 200 0 50 1000 0 0 0 20", 1, 1),
  ])
  func freeCores(core0: String, core1: String, free: Double, threads: Int) {
    let found = availability(core0 + "\n" + core1)
    #expect(abs(found.free - free) < 1e-9 && found.threads == threads && found.cores == 2, "\(found)")
  }

  @Test func affinity() {
    let after = "cpu0 220 0 50 1000 10 0 0 0\ncpu1 200 0 50 1020 0 0 0 0"
    #expect(availability(after, status: "Name:\tx\nCpus_allowed_list:\t1\n").free == 1)
    #expect(availability(after, status: "Cpus_allowed_list:\t0\n").free == 0)
    #expect(
      availability(after, status: "Cpus_allowed_list:\t0-63\n").allowed == [0, 1],
      "cores that are not there do not count")
    #expect(availability(after, status: "Cpus_allowed_list:\t0\n").threads == 1)
    #expect(CPUAvailability.numbers("0-2,8,10-11\n") == [0, 1, 2, 8, 10, 11] && CPUAvailability.numbers("x,3-1") == [])
  }

  /// Systems that tell nothing, or whose clock stood still: what is allowed counts as free.
  @Test func nothingIsKnown() {
    #expect(availability("", before: "", cores: 3).threads == 3 && availability("", before: "", cores: 3).free == 3)
    #expect(availability(Self.before).free == 2)
    #expect(availability("cpu0 0 0 0 0\ncpu1 0 0 0 0", before: "cpu0 0 0 0 0\ncpu1 0 0 0 0").threads == 2)
  }

  @Test func quotasBound() {
    let idle = "cpu0 200 0 50 1020 10 0 0 0\ncpu1 200 0 50 1020 0 0 0 0"
    #expect(availability(idle, quota: 1).threads == 1 && availability(idle, quota: 0.2).threads == 1)
    #expect(availability(idle, quota: 1.8).threads == 2 && availability(idle, quota: 64).threads == 2)
    #expect(availability(idle, quota: 1.5).description == "2.0 of 2 cores are free, the quota is 1.5")
    let one = availability(idle, status: "Cpus_allowed_list: 1")
    #expect(one.description == "1.0 of 1 allowed cores are free")
  }

  @Test(
    arguments: [
      ("0::/user/job", ["/sys/fs/cgroup/user/job/cpu.max": "150000 100000\n"], 1.5),
      ("0::/user/job", ["/sys/fs/cgroup/user/job/cpu.max": "max 100000\n"], nil),
      // The group above grants less.
      (
        "0::/user/job",
        ["/sys/fs/cgroup/user/cpu.max": "50000 100000", "/sys/fs/cgroup/user/job/cpu.max": "400000 100000"], 0.5
      ),
      // A container: its own root, whatever path the host gave it.
      ("0::/docker/abc", ["/sys/fs/cgroup/cpu.max": "200000 100000"], 2),
      ("0::/", ["/sys/fs/cgroup/cpu.max": "300000 100000"], 3),
      // Version 1.
      (
        "4:cpu,cpuacct:/a\n0::/",
        [
          "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "250000",
          "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        ],
        2.5
      ),
      (
        "1:cpu:/", ["/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"],
        nil
      ),
      (
        "3:cpuset:/a",
        ["/sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us": "1000", "/sys/fs/cgroup/cpuset/a/cpu.cfs_period_us": "1000"], nil
      ),
      ("", ["/sys/fs/cgroup/cpu.max": "100000 100000"], nil), ("0::/", ["/sys/fs/cgroup/cpu.max": "nonsense"], nil),
      ("0::/", [:], nil),
    ] as [(String, [String: String], Double?)])
  func quotas(groups: String, files: [String: String], cores: Double?) {
    #expect(CPUQuota.cores(groups: groups) { files[$0] } == cores)
  }

  @Test func theProcessor() {
    let text =
      "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD "
      + "EPYC\nstepping\t: 1\nprocessor\t: 1\n"
    #expect(Processor.identity(of: text) == "AMD EPYC (cpu family 25, model 17, stepping 1)")
    #expect(Processor.identity(of: "") == "unknown")
  }

  @Test func theCacheFolder() {
    #expect(CacheFolder.path(["XDG_CACHE_HOME": "/c", "HOME": "/home/a"]) == "/c/antidote")
    #expect(CacheFolder.path(["XDG_CACHE_HOME": "relative", "HOME": "/home/a"]) == "/home/a/.cache/antidote")
    #expect(CacheFolder.path([:]) == nil)
  }

  /// This machine while a loop keeps each of its cores busy.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/stat"))) func aBusyMachine() throws {
    let cores = CPUAvailability.measured(seconds: 0).allowed.count
    let loops = try (0..<cores).map { _ in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", "while :; do :; done"]
      try process.run()
      return process
    }
    defer { for loop in loops { kill(loop.processIdentifier, SIGKILL) } }
    usleep(50_000)
    let found = CPUAvailability.measured(seconds: 0.3)
    #expect(found.allowed.count == cores && found.free < 0.5 * Double(cores), "\(found)")
  }
}
