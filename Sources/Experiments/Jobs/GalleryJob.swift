import Attacks
import Backdoor
public import Evaluation
import Files
import Foundation
public import Support
import Torch
import Training
import Vision

/// A picture of one test image under all attacks side by side: above the clean image, below it the triggered one, at the
/// bottom what changed, magnified around gray.
///
/// Triggers that follow from settings and seed are made here. Those of attacks that train networks are shown where a
/// `poison.json` says that they were learned.
public struct GalleryJob {
  /// A column of the picture.
  public struct Column: Sendable {
    public var attack: String
    public var task: String
    public var visibility: Visibility
    /// By which the difference is magnified.
    public var magnification: Double
  }

  public var configuration: ExperimentConfiguration
  /// The PNG file; it must not exist.
  public var output: String
  /// Paths of manifests whose triggers are shown too.
  public var manifests: [String]
  /// Position of the image in the test set; nil for the first one of a class other than class 0.
  public var image: Int?

  public init(
    _ configuration: ExperimentConfiguration, output: String, manifests: [String] = [], image: Int? = nil
  ) {
    self.configuration = configuration
    self.output = output
    self.manifests = manifests
    self.image = image
  }

  /// - Returns: the columns, from the left, and the names of attacks that are not shown.
  /// - Throws: `JobError`, `DataError`.
  public func run(progress: any ProgressReporter) throws -> (columns: [Column], missing: [String]) {
    guard !FileSystem.exists(output) else { throw JobError.invalid("\(output) exists. Name another file.") }
    try OutputCheck.file(output)
    let splits = try DatasetSplits.load(configuration.dataset) { progress.message($0) }
    let test = splits.test ?? splits.train
    let labels = test.labelArray()
    let position = image ?? labels.firstIndex { $0 != 0 } ?? 0
    guard labels.indices.contains(position) else {
      throw JobError.invalid("--image \(position): there are images 0 to \(labels.count - 1).")
    }
    let one = test.images[position..<(position + 1)].to(.cpu)

    let learned = try manifests.map { path in
      let manifest = try PoisonManifest(contentsOf: path)
      return (name: manifest.attack, tasks: try manifest.makeTasks(for: test, source: path), seed: Seed(manifest.seed))
    }
    var shown: [(name: String, task: BackdoorTask, seed: Seed)] = []
    var missing: [String] = []
    let context = AttackContext(
      train: splits.train, seed: configuration.seed.stream("attack"),
      training: TrainingContext(seed: configuration.seed, progress: progress))
    for kind in AttackKind.all where kind.id != LabelFlip.id {
      let known = learned.filter { $0.name == kind.id }
      if !known.isEmpty {
        shown += known.flatMap { one in one.tasks.prefix(1).map { (kind.id, $0, one.seed) } }
        continue
      }
      do {
        let task = try Self.task(of: kind.make([:]).attack, context)
        task.map { shown.append((kind.id, $0, configuration.seed)) } ?? missing.append(kind.id)
      } catch let interrupted as Interrupted {
        throw interrupted
      } catch {
        progress.message("\(kind.id) is not shown: \(error)")
      }
    }

    let columns = shown.map { name, task, seed in
      let triggered = task.trigger.stamp(one, Generator(seed: seed("evaluate/stamp", 0)))
      return (
        name: name, task: task.name, triggered: triggered, visibility: Visibility(clean: one, triggered: triggered)
      )
    }
    let cells = columns.map { column in
      let difference = (column.triggered.to(.float32) - one.to(.float32)) * (1 / 255.0)
      let largest = column.visibility.linf
      let magnification = largest > 0 ? max(1, (0.5 / largest * 10).rounded() / 10) : 1
      return (
        Column(
          attack: column.name, task: column.task, visibility: column.visibility, magnification: magnification),
        [one, column.triggered, (difference * magnification + 0.5).quantized()]
      )
    }
    try AtomicFile.write(try DecodedImage(Self.mosaic(cells.map(\.1))).encodePNG(), to: output)
    return (cells.map(\.0), missing)
  }

  /// The first trigger of an attack that trains no network for it, nil for others. Of attacks that train the model,
  /// those with a closed form do without.
  private static func task<A: Attack>(of attack: A, _ context: AttackContext) throws -> BackdoorTask? {
    if A.trainsNetworks, !(attack is any TrainingAttack) { return nil }
    let learned = A.trainsNetworks ? [:] : try attack.learn(context)
    do {
      return try attack.tasks(for: context.train.shape, seed: context.seed, learned: learned).first
    } catch BackdoorError.notLearned {
      return nil
    }
  }

  /// Images as columns of a white board, enlarged to about 96 pixels.
  /// - Parameter columns: of 1 x C x H x W, uint8, all alike.
  /// - Returns: C x H' x W'.
  private static func mosaic(_ columns: [[Tensor]]) -> Tensor {
    let gap = 4
    let strips = columns.map { column in
      Tensor.concatenated(
        column.map { image in
          let (height, width) = (image.dimension(2), image.dimension(3))
          let scale = max(1, 96 / max(height, width))
          let large = F.interpolate(
            image.to(.float32), height: height * scale, width: width * scale, mode: .nearest)
          return large.padded([0, gap, 0, gap], value: 255)
        }, 2)
    }
    return Tensor.concatenated(strips, 3)[0].padded([gap, 0, gap, 0], value: 255).to(.uint8).contiguous()
  }
}
