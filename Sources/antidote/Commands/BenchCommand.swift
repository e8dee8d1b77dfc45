import ArgumentParser
import Experiments
import Files
import Foundation
import Support
import Torch
import Training

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "How fast this machine trains, evaluates, purifies and poisons; with --compare, beside Python.",
    discussion: """
      Rates are images per second, the best of all rounds. --compare measures the two sides in turns, so that both see the same machine: \
      it runs peer.py with a Python that has torch, numpy and pillow.

      Rows called auto are measured in the precision of --precision, by default the faster one here; beside them stands the other one, \
      where the CPU has instructions for it.

      Two groups are measured only where they are named. epoch: what an epoch of each training-time system costs beside standard training. \
      defenses: the work that each baseline mostly consists of; --compare does the same in plain PyTorch (float32, as its paper describes \
      it), from the same weights and images, and checks that both sides get the same numbers.

        antidote bench
        antidote bench --rows defenses --compare --width 16
        antidote bench --rows epoch --width 16
        antidote bench --rows train,poison --compare --python venv/bin/python
      """)

  @Option(
    help: ArgumentHelp("Rows or groups of rows: \(Benchmark.groups.joined(separator: ", ")).", valueName: "names"))
  var rows = Benchmark.usualGroups.joined(separator: ",")
  @Option(help: ArgumentHelp("Channels of PreAct-ResNet18's first stage.", valueName: "channels"))
  var width = 64
  @Option(help: ArgumentHelp("cpu, cuda or cuda:N; both sides compute there, and stamp on the CPU.", valueName: "name"))
  var device = "cpu"
  @OptionGroup var compute: ComputeOptions
  @Option(help: ArgumentHelp("Steps of training and evaluation in a round.", valueName: "n"))
  var steps = 6
  @Option(name: .customLong("repeat"), help: ArgumentHelp("Rounds.", valueName: "n"))
  var rounds = 3
  @Option(
    help: ArgumentHelp("Folder with CIFAR-10 in its binary layout; by default images are random.", valueName: "folder"))
  var data: String?
  @Flag(help: "Measure the Python side too.")
  var compare = false
  @Flag(help: "Measure the Python side under torch.compile as well; needs a C++ compiler.")
  var compile = false
  @Option(help: ArgumentHelp("The peer's script; by default ANTIDOTE_PEER or Benchmarks/peer.py.", valueName: "file"))
  var peer: String?
  @Option(
    help: ArgumentHelp(
      "Python for it; by default ANTIDOTE_PYTHON, .deps/venv/bin/python or python3.", valueName: "file"))
  var python: String?
  @Flag(help: "Print JSON on standard output.")
  var json = false

  func validate() throws {
    guard width >= 1, steps >= 1, rounds >= 1 else {
      throw ValidationError("--width, --steps and --repeat are at least 1.")
    }
    guard steps <= 16 else {
      throw ValidationError("--steps \(steps): at most 16, which is the 4,096 images that are kept. Use --repeat.")
    }
  }

  func run() throws {
    let other = compare ? try BenchmarkPeer.find(script: peer, python: python) : nil
    var general = GeneralSettings()
    general.device = device
    general.threads = compute.threads ?? .auto
    general.precision = compute.precision ?? .auto
    let plan = try ComputePlan(general)
    let progress = TerminalProgress.standard
    progress.message(plan.description)
    var settings = Benchmark.Settings()
    settings.precision = plan.precision
    settings.device = plan.device
    settings.width = width
    settings.steps = steps
    settings.data = data
    let chosen = try Benchmark.rows(named: rows, precision: plan.precision)
    let benchmark = try Benchmark(settings)
    var result = BenchmarkResult(
      threads: plan.threads, precision: plan.precision, width: width, libtorch: Runtime.version, cpu: Processor.name)
    result.device = plan.device.description
    let inputs = FileManager.default.temporaryDirectory.appendingPathComponent(
      "antidote-bench-\(UUID().uuidString).safetensors"
    ).path
    defer { try? FileSystem.remove(inputs) }
    for group in Benchmark.groups where chosen.contains(where: { $0.group == group }) {
      let hasInputs = other != nil ? try benchmark.saveInputs(of: group, to: inputs) : false
      for row in chosen where row.group == group && other != nil {
        result.values[row.id] = try benchmark.value(of: row)
      }
      for round in 1...rounds {
        progress.message("\(group), round \(round) of \(rounds)")
        if let other {
          let measured = try other.measure(
            chosen.filter { $0.group == group }, settings, threads: plan.threads, compiled: compile,
            inputs: hasInputs ? inputs : nil)
          result.add(peer: measured.rates)
          result.peerValues.merge(measured.values) { $1 }
        }
        for row in chosen where row.group == group {
          try Interruption.check()
          result.add(row.id, try benchmark.measure(row))
        }
      }
    }
    result.peakMemory = Machine.peakMemory
    try Output.write((json ? try JSONValue(encoding: result).prettyJSON : result.text) + "\n")
  }
}
