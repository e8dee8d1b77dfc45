import Backdoor
package import Torch
import TorchNN
package import Training
package import Vision

/// The smallest trigger that leads to each class: for all classes at the same time, which share batches and never touch
/// each other.
package struct TriggerSearch {
  let rule: CostSchedule.Rule
  let epochs: Int
  let batch: Int
  let learningRate: Double
  /// Classes in one forward pass.
  let together: Int
  static let stage = "nc-search"

  struct Found {
    var trigger: ReconstructedTrigger
    /// L1 norm of the mask, in pixels.
    var norm: Double
    /// Whether it ever reached the wanted success.
    var worked: Bool
  }

  /// - Parameter model: in evaluation mode on the context's device.
  func run(_ model: Classifier, _ clean: ImageDataset, _ context: TrainingContext) throws -> [Found] {
    let classes = model.classes
    let shape = [clean.channels, clean.height, clean.width]
    let candidates = TriggerCandidates(classes: classes, shape: shape, context)
    let optimizer = Adam(candidates.parameters(), learningRate: learningRate, betas: (0.5, 0.9))
    var schedules = [CostSchedule](repeating: CostSchedule(rule), count: classes)
    let state = TrainingState([
      "mask": Tensor.zeros([classes, 1] + shape.dropFirst(), device: context.device),
      "pattern": Tensor.zeros([classes] + shape, device: context.device),
      "schedules": Tensor.zeros([classes, schedules[0].numbers.count], dtype: .float64),
    ])
    func note() {
      let numbers = schedules.flatMap(\.numbers)
      noGrad { state["schedules"].copy_(Tensor(numbers, shape: state["schedules"].shape)) }
    }
    note()
    let ranges = Batches(count: clean.count, size: batch).ranges
    let loop = EpochLoop(
      stage: Self.stage, epochs: epochs, imagesPerEpoch: clean.count, context: context, isMeasured: false)
    func read() -> [CostSchedule] {
      let numbers = state["schedules"].array(Double.self)
      let size = numbers.count / classes
      return (0..<classes).map { CostSchedule(numbers: Array(numbers[($0 * size)..<(($0 + 1) * size)])) }
    }
    try model.withFrozenParameters {
      try loop.run(
        model: candidates, optimizer: optimizer, states: ["search": state],
        until: { read().allSatisfy(\.isStopped) }
      ) { epoch, meter in
        schedules = read()
        let active = (0..<classes).filter { !schedules[$0].isStopped }
        let order = context.generator("\(Self.stage)/shuffle", epoch).permutation(clean.count)
        var sums = Tensor.zeros([2, active.count], dtype: .float64, device: context.device)
        let parts = Batches(count: active.count, size: together).ranges.map { Array(active[$0]) }
        for range in ranges {
          let pixels = clean.pixels(at: order[range])
          optimizer.zeroGrad()
          var (losses, values): ([Tensor], [Tensor]) = ([], [])
          for part in parts {
            let step = Self.losses(
              model, pixels, masks: part.map { candidates.list[$0].mask },
              patterns: part.map { candidates.list[$0].pattern }, targets: part, costs: part.map { schedules[$0].cost },
              context)
            step.total.backward()
            losses.append(step.total.detach())
            values.append(noGrad { Tensor.stacked([step.success, step.norms]).to(.float64) })
          }
          optimizer.step()
          sums = noGrad { sums + Tensor.concatenated(values, 1) }
          let total = noGrad { Tensor.stacked(losses).sum() / Double(active.count) }
          try meter.step(images: range.count, ["loss": total])
        }
        let means = (sums / Double(ranges.count)).array(Double.self)
        for (place, number) in active.enumerated() {
          let isBest = schedules[number].update(
            success: means[place], norm: means[active.count + place], rule)
          // Until one has worked, the last one stands for the class.
          guard isBest || !schedules[number].best.isFinite else { continue }
          noGrad {
            state["mask"][number].copy_(candidates.list[number].shownMask)
            state["pattern"][number].copy_(candidates.list[number].shownPattern)
          }
        }
        note()
      }
    }
    return zip(0..<classes, read()).map { number, schedule in
      let trigger = ReconstructedTrigger(
        mask: state["mask"][number].clone(), pattern: state["pattern"][number].clone())
      return Found(trigger: trigger, norm: trigger.mask.sum().item(), worked: schedule.best.isFinite)
    }
  }

  /// A number in (0, 1) from one without bounds, as the authors'.
  static func unit(_ x: Tensor) -> Tensor { x.tanh() / (2 + 1e-7) + 0.5 }

  /// The losses of several classes on one batch: the sum over classes of cross entropy towards the class (the mean over
  /// the images) plus cost times the mask's L1 norm.
  /// - Parameters:
  ///   - masks: before `unit`, 1 x H x W each; patterns: C x H x W each.
  /// - Returns: the sum, and of each class the share of images that get it and the norm.
  package static func losses(
    _ model: Classifier, _ pixels: Tensor, masks: [Tensor], patterns: [Tensor], targets: [Int], costs: [Double],
    _ context: TrainingContext
  ) -> (total: Tensor, success: Tensor, norms: Tensor) {
    let (count, size) = (targets.count, pixels.dimension(0))
    let mask = unit(Tensor.stacked(masks)).unsqueezed(1)
    let stamped = (1 - mask) * pixels.unsqueezed(0) + mask * unit(Tensor.stacked(patterns)).unsqueezed(1)
    let images = stamped.reshaped([count * size] + pixels.shape.dropFirst()).contiguous(.channelsLast)
    let logits = context.compute { model(images) }
    let wanted = Tensor(targets.map(Int64.init)).to(pixels.device).unsqueezed(1).expanded([count, size]).reshaped(-1)
    let entropy = F.crossEntropy(logits, wanted, reduction: .none).reshaped(count, size).mean([1])
    let norms = mask.abs().sum([1, 2, 3, 4])
    let cost = Tensor(costs.map { Float($0) }).to(pixels.device)
    let success = noGrad { (logits.argmax(1) .== wanted).to(.float32).reshaped(count, size).mean([1]) }
    return ((entropy + cost * norms).sum(), success, norms.detach())
  }
}

/// Mask and pattern of every class, before the map to (0, 1): uniform there at first.
private final class TriggerCandidates: Module {
  final class Candidate: Module {
    @Parameter var mask: Tensor
    @Parameter var pattern: Tensor
    init(shape: Shape, _ generator: Generator) {
      func start(_ shape: Shape) -> Tensor {
        ((generator.uniform(shape) - 0.5) * 2).clamped(-0.999999, 0.999999).atanh()
      }
      mask = start([1] + shape.dropFirst())
      pattern = start(shape)
    }
    var shownMask: Tensor { noGrad { TriggerSearch.unit(mask) } }
    var shownPattern: Tensor { noGrad { TriggerSearch.unit(pattern) } }
  }
  let list: [Candidate]

  init(classes: Int, shape: Shape, _ context: TrainingContext) {
    list = (0..<classes).map {
      Candidate(shape: shape, context.generator("\(TriggerSearch.stage)/start", $0))
    }
  }
}
