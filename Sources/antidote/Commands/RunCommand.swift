import ArgumentParser

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Poison, train, measure, purify, measure again, and write a report.",
    discussion: """
      The run directory holds record.json, metrics.jsonl, the models and report.html. After Ctrl-C, the same command \
      resumes the run and gives the same result.

        antidote run --dataset cifar10 --data path/to/data --width 16 \\
          --epochs 12 --attack badnets --defense sau --set defense.epochs=20
        antidote run --config experiment.yaml --set attack.rate=0.05
        antidote run --attack none --defense none       a clean model, measured
        antidote list                                   every name and setting
      """)

  @OptionGroup var options: RunOptions

  func run() throws { try options.run() }
}
