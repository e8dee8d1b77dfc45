import Backdoor
import Defenses
import TestSupport
import Torch
import TorchNN
import Training
import Vision

/// `noisy_label.safetensors`: the network, the batch and the settings that `make_noisy_label.py` used.
struct NoisyLabelGolden {
  let golden: Golden
  let context = TrainingContext(precision: .float32)

  /// Every case of a step; a missing file gives a name whose test fails.
  static var cases: [String] { Golden.cases("noisy_label") }

  init() throws { golden = try Golden("noisy_label") }

  var images: Tensor { imagePattern([12, 3, 8, 8], 0.5) }
  var labels: Tensor { Tensor(golden.settings["labels"].ints.map(Int64.init)) }

  var indices: Tensor { Tensor.arange(12) }

  func network() throws -> GoldenNetwork {
    guard let scale = golden.settings["linear_scale"].double, let offset = golden.settings["phase_offset"].double else {
      throw GoldenError(description: "noisy_label.json does not describe the network")
    }
    let model = GoldenNetwork().fillWithPattern(phaseOffset: offset)
    noGrad { model.linear.weight.mul_(scale) }
    return model
  }

  /// The training that a case asks for, by the settings that a user would give.
  func training(_ name: String) throws -> NoisyLabelTraining {
    let settings = golden.settings(of: name)
    let variant = RuleVariant(rawValue: settings["variant"].string ?? "both") ?? .both
    func filter<R: FilteringRule>(_ rule: R) -> R {
      var rule = rule
      rule.rate = settings["eps"].double ?? 0.25
      return rule
    }
    let rule: any NoisyLabelRule
    switch settings["rule"].string {
    case "spl": rule = filter(SPL())
    case "prl": rule = filter(PRL())
    case "bootstrap": rule = Bootstrap()
    default: throw GoldenError(description: "\(name): no such rule")
    }
    return NoisyLabelTraining(
      rule: [.both, .outer].contains(variant) ? rule : EverySample(),
      adversary: name.hasSuffix("plain") ? nil : try adversary(name),
      innerRule: [.both, .inner].contains(variant) ? rule : EverySample())
  }

  private func adversary(_ name: String) throws -> FastGradientSign {
    let settings = golden.settings(of: name)
    var adversary = FastGradientSign()
    adversary.tau = settings["tau"].double ?? 0.05
    adversary.perturbAll = settings["perturb_all"].bool
    guard let form = FastGradientSign.Form(rawValue: settings["form"].string ?? "per-sample"),
      let mode = FastGradientSign.Mode(rawValue: settings["mode"].string ?? "train")
    else { throw GoldenError(description: "\(name): a setting is unknown") }
    adversary.form = form
    adversary.mode = mode
    return adversary
  }
}

/// A convolution with BatchNorm and a linear layer; it notes whether its weights would get gradients, and its mode, in
/// each pass.
final class GoldenNetwork: Classifier {
  let conv = Conv2d(3, 6, kernel: 3, padding: 1, bias: false, Generator(seed: 0))
  let bn = BatchNorm2d(6)
  let linear = Linear(24, 5, Generator(seed: 0))
  private(set) var passes: [Pass] = []

  struct Pass: Equatable {
    let frozen: Bool
    let training: Bool
  }

  init() { super.init(classes: 5, normalization: .none) }
  override func features(normalized x: Tensor) -> Features {
    passes.append(Pass(frozen: parameters().allSatisfy { !$0.requiresGrad }, training: isTraining))
    let h = bn(conv(x), relu: true)
    return Features(stages: [h], penultimate: F.adaptiveAvgPool2d(h, 2, 2).flattened(1))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}

extension NoisyLabelRule {
  /// The choice in a batch of the first samples, without memory.
  func choose(_ logits: Tensor, _ labels: Tensor, epoch: Int) -> NoisyLabelChoice {
    choose(
      NoisyLabelBatch(logits: logits, labels: labels, indices: Tensor.arange(labels.count), epoch: epoch), nil)
  }
}
