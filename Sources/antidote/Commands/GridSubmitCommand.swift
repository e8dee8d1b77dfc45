import ArgumentParser
import Files
import Foundation
import Grids
import Support

struct GridSubmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Write the job files that run a grid on a cluster: SLURM or Kubernetes.",
    discussion: """
      Writes files and submits nothing. All workers must see the grid's folder.

      slurm: an array of the cells that train models, an array of the rest that starts when the first has ended, and \
      submit.sh, which submits both. Options of sbatch follow as --directive.

      kubernetes: an indexed Job of --jobs workers (4 by default), with the image and the volume claim that you name; the \
      volume's root is the grid's folder.

        antidote grid submit grids/smoke --engine slurm --jobs 16 --directive=--time=4:00:00
        antidote grid submit grids/smoke --engine kubernetes --image registry/antidote:1 --volume-claim smoke
      """)

  enum Engine: String, ExpressibleByArgument, CaseIterable { case slurm, kubernetes }

  @Argument(help: ArgumentHelp("The grid's folder, or its file, which makes the folder.", valueName: "folder|file"))
  var grid: String
  @Option(help: "slurm or kubernetes.")
  var engine: Engine
  @Option(help: ArgumentHelp("The most cells at once.", valueName: "n"))
  var jobs: Int?
  @Option(help: ArgumentHelp("CPU threads of each cell, as for grid run.", valueName: "n"))
  var threads: Int?
  @Option(help: ArgumentHelp("GPUs of each worker.", valueName: "n"))
  var gpus: Int = 0
  @Option(help: ArgumentHelp("slurm: an option of sbatch; may be repeated.", valueName: "option"))
  var directive: [String] = []
  @Option(help: ArgumentHelp("kubernetes: the container image.", valueName: "name"))
  var image: String?
  @Option(help: ArgumentHelp("kubernetes: the PersistentVolumeClaim with the grid's folder.", valueName: "name"))
  var volumeClaim: String?
  @Option(
    help: ArgumentHelp(
      "The antidote executable where workers run; this one by default for slurm, antidote for kubernetes.",
      valueName: "path"))
  var program: String?
  @Option(help: ArgumentHelp("Where the files go; by default the folder submit of the grid.", valueName: "folder"))
  var out: String?
  @Flag(help: "Do not read the data sets to check rates and classes; for a machine that does not have them.")
  var withoutData = false

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs takes a number from 1.") }
    if let threads, threads < 1 { throw ValidationError("--threads takes a number from 1.") }
    if gpus < 0 { throw ValidationError("--gpus takes a number from 0.") }
    for option in directive where !option.hasPrefix("-") || option.contains("\n") {
      throw ValidationError("--directive \(option): give an option of sbatch, as in --directive=--time=4:00:00.")
    }
    switch engine {
    case .slurm:
      if image != nil || volumeClaim != nil {
        throw ValidationError("--image and --volume-claim are for kubernetes.")
      }
    case .kubernetes:
      guard image != nil, volumeClaim != nil else {
        throw ValidationError(
          "kubernetes needs --image, a container image with antidote, and --volume-claim, the claim with the grid's folder."
        )
      }
      if !directive.isEmpty { throw ValidationError("--directive is for slurm.") }
    }
  }

  func run() throws {
    let grid = try GridMakingOptions.grid(grid, checkingData: !withoutData)
    let folder = out ?? Path.join(grid.folder, "submit")
    var worker = SubmittedWorker(program: try program ?? (engine == .slurm ? GridWorkingOptions.program() : "antidote"))
    worker.jobs = jobs
    worker.threads = try grid.threads(asked: threads)
    worker.gpus = gpus
    worker.directives = (gpus > 0 ? ["--gres=gpu:\(gpus)"] : []) + directive
    switch engine {
    case .slurm:
      let paths = try SlurmScripts(grid, worker).write(to: folder)
      try Output.write(paths.map { "\($0)\n" }.joined() + "Next: \(ShellWord.quoted(paths.last ?? ""))\n")
    case .kubernetes:
      let path = try KubernetesJob(grid, worker, image: image ?? "", volumeClaim: volumeClaim ?? "").write(to: folder)
      try Output.write("\(path)\nNext: kubectl apply -f \(ShellWord.quoted(path))\n")
    }
  }
}
