/// How an engine starts workers.
public struct SubmittedWorker: Sendable {
  /// The path of the antidote executable where the workers run.
  public var program: String
  /// The most workers at once; nil where the engine decides.
  public var jobs: Int?
  /// CPU threads of a cell.
  public var threads = 1
  /// GPUs of a worker.
  public var gpus = 0
  /// SLURM: further options of `sbatch`, such as `--time=4:00:00`.
  public var directives: [String] = []

  /// Cells side by side: one, or one a GPU.
  private var cells: Int { max(1, gpus) }
  /// CPU cores of a worker.
  var cpus: Int { cells * threads }
  /// Of `antidote grid run`.
  var runOptions: [String] { ["--jobs", String(cells), "--threads", String(threads)] }

  public init(program: String) { self.program = program }
}
