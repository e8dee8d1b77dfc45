import Files
import Foundation
import Support
import TestFiles
import Testing

@testable import Grids

/// Job files for engines.
@Suite struct SubmittingTests {
  @Test func slurmArrays() throws {
    try withTemporaryFolder { path in
      let grid = try Grid.make(
        "name: a b\nattacks: [badnets, blended]\ndefenses: [none, ft, fp]", source: "g", in: path, checkingData: false,
        progress: SilentProgress())
      var worker = SubmittedWorker(program: "/opt/anti dote")
      (worker.jobs, worker.threads) = (3, 2)
      worker.directives = ["--time=1:00:00"]
      let files = try SlurmScripts(grid, worker).write(to: "\(path)/submit")
      #expect(files.last == "\(path)/submit/submit.sh" && files.count == 5)
      let models = try FileSystem.readLines("\(path)/submit/models.txt")
      let cells = try FileSystem.readLines("\(path)/submit/cells.txt")
      let needed = Set(grid.plan.cells.compactMap(\.needs))
      #expect(Set(models) == Set(needed.map { "--cell \($0)" }) && models.count == 2 && cells.count == 4)
      #expect(Set(models + cells) == Set(grid.plan.all.map { "--cell \($0.id)" }))
      let script = try FileSystem.readText("\(path)/submit/cells.sbatch")
      for line in [
        "#SBATCH --array=0-3%3", "#SBATCH --cpus-per-task=2", "#SBATCH --job-name=a-b-cells", "#SBATCH --time=1:00:00",
        "exec '/opt/anti dote' grid run \(path) --jobs 1 --threads 2 ${cells[$SLURM_ARRAY_TASK_ID]}",
      ] { #expect(script.split(separator: "\n").contains { $0 == line }, "\(line): \(script)") }
      #expect(
        try FileSystem.readText(files[4]).contains("sbatch --parsable --dependency=afterany:\"${models%%;*}\" cells"))
    }
  }

  /// SLURM reads a directive in words, with quotes and backslashes, and `%` in a file's name as a pattern.
  @Test func directivesAreOneWord() {
    #expect(SlurmScripts.output("/a", "/b-%A.log") == "--output=/a/b-%A.log")
    #expect(SlurmScripts.output("/my 50% \"x\"", "/b-%A.log") == "\"--output=/my 50%% \\\"x\\\"/b-%A.log\"")
    #expect(
      SlurmScripts.quoted("--comment=a b") == "\"--comment=a b\"" && SlurmScripts.quoted("--time=1") == "--time=1")
    #expect(SlurmScripts.quoted("--comment='a b'") == "--comment='a b'")
    #expect(SlurmScripts.quoted("--comment=it's") == "\"--comment=it's\"")
  }

  @Test func arraysHaveALimit() {
    let tasks = SlurmScripts.tasks((0..<2500).map(String.init))
    #expect(
      tasks.count == 1000 && tasks[0] == "--cell 0 --cell 1000 --cell 2000" && tasks[999] == "--cell 999 --cell 1999")
    #expect(Set(tasks.flatMap { $0.split(separator: " ").filter { $0 != "--cell" } }).count == 2500)
  }

  @Test func kubernetesJobs() throws {
    try withTemporaryFolder { path in
      let grid = try Grid.make(
        "name: My_Grid 1\nattacks: [badnets]\ndefenses: [none]", source: "g", in: path, checkingData: false,
        progress: SilentProgress())
      var worker = SubmittedWorker(program: "antidote")
      worker.jobs = 7
      worker.gpus = 2
      let job = try JSONValue(yaml: KubernetesJob(grid, worker, image: "r/i:1", volumeClaim: "c").yaml)
      #expect(job["metadata"]?["name"] == "antidote-my-grid-1" && job["spec"]?["completionMode"] == "Indexed")
      #expect(job["spec"]?["completions"] == 7 && job["spec"]?["parallelism"] == 7)
      let pod = try #require(job["spec"]?["template"]?["spec"])
      let container = try #require(pod["containers"]?[0])
      #expect(
        container["command"] == ["antidote", "grid", "run", "/grid", "--jobs", "2", "--threads", "1"]
          && container["image"] == "r/i:1")
      #expect(container["resources"]?["limits"] == ["cpu": 2, "nvidia.com/gpu": 2])
      #expect(pod["volumes"]?[0]?["persistentVolumeClaim"]?["claimName"] == "c")
    }
  }
}
