public import Files
import Foundation

/// The file of a Kubernetes indexed Job (`batch/v1`): so many workers on one grid, whose folder all of them mount.
///
/// There is one Job, not one for the models and one for the rest: the workers' claims keep the order. A worker takes a
/// cell when the cell that trains its model is finished, and trains one of the missing models otherwise. A pod that
/// fails, or whose machine does, is started again, and other workers take over its cell when its lease has expired.
public struct KubernetesJob {
  public static let fileName = "job.yaml"
  private static let mount = "/grid"

  private let grid: Grid
  private let worker: SubmittedWorker
  private let image: String
  private let volumeClaim: String

  /// - Parameters:
  ///   - image: a container image that has antidote, and the data sets at the paths of the plan.
  ///   - volumeClaim: the name of the PersistentVolumeClaim that holds the grid's folder as its root; it must be one that
  ///     several machines may write (`ReadWriteMany`).
  public init(_ grid: Grid, _ worker: SubmittedWorker, image: String, volumeClaim: String) {
    self.grid = grid
    self.worker = worker
    self.image = image
    self.volumeClaim = volumeClaim
  }

  /// Writes the file, over one of an earlier call.
  /// - Returns: its path.
  /// - Throws: `FileError`.
  public func write(to folder: String) throws(FileError) -> String {
    try FileSystem.createFolder(folder)
    let path = Path.join(folder, Self.fileName)
    try AtomicFile.write(yaml, to: path)
    return path
  }

  /// A name as Kubernetes has them: lower case letters, digits and `-`.
  private var name: String {
    let safe = Path.safeName(grid.plan.title.lowercased()).replacing("_", with: "-")
    let letters = safe.drop { !$0.isLetter && !$0.isNumber }.prefix(40)
    return ("antidote-" + letters).trimmingCharacters(in: CharacterSet(charactersIn: "-"))
  }

  var yaml: String {
    let count = worker.jobs ?? 4
    func quoted(_ text: String) -> String { JSONValue.string(text).compactJSON }
    let command = ([worker.program, "grid", "run", Self.mount] + worker.runOptions).map(quoted).joined(separator: ", ")
    let gpus = worker.gpus > 0 ? "\n              nvidia.com/gpu: \(worker.gpus)" : ""
    return """
      # kubectl apply -f \(Self.fileName)
      # \(count) workers; each does any cell that is ready, and the claims in the grid's folder keep the order.
      apiVersion: batch/v1
      kind: Job
      metadata:
        name: \(name)
      spec:
        completions: \(count)
        parallelism: \(count)
        completionMode: Indexed
        backoffLimitPerIndex: 5
        podFailurePolicy:
          rules:
            # Cells failed, which is written down in the grid: nothing to try again.
            - action: FailIndex
              onExitCodes:
                containerName: worker
                operator: In
                values: [1]
        template:
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 60
            containers:
              - name: worker
                image: \(quoted(image))
                command: [\(command)]
                resources:
                  requests:
                    cpu: \(worker.cpus)
                  limits:
                    cpu: \(worker.cpus)\(gpus)
                volumeMounts:
                  - name: grid
                    mountPath: \(Self.mount)
            volumes:
              - name: grid
                persistentVolumeClaim:
                  claimName: \(quoted(volumeClaim))

      """
  }
}
