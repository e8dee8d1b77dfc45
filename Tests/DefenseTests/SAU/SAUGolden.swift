import Backdoor
import Defenses
import TestData
import TestSupport
import Torch
import TorchNN
import Training
import Vision

/// One case of `sau.json`: the networks, the batch and the settings that `make_sau.py` used.
struct SAUGolden {
  let tensors: Golden
  let settings: JSON
  private let index: JSON
  let context = TrainingContext(precision: .float32)

  /// Every case; a missing file gives a name whose test fails.
  static var cases: [String] { Golden.cases("sau") }

  init(_ name: String) throws {
    tensors = try Golden("sau_\(name)")
    let whole = try Golden("sau")
    settings = whole.settings(of: name)
    index = whole.settings
  }

  /// The student, or with the other phase the reference: a narrow network whose masks are all mixed.
  func network(_ which: String) throws -> Classifier {
    let facts = index["model"]
    guard let width = facts["width"].int, let offset = facts["\(which)_phase_offset"].double,
      let scale = facts["weight_scale"].double,
      let linearScale = facts["linear_weight_scale"].double
    else { throw GoldenError(description: "sau.json does not describe the model") }
    return PreActResNet18(classes: 10, width: width, Generator(seed: 0)).fillWithPattern(phaseOffset: offset)
      .scaleWeights(by: scale, linear: linearScale).eval()
  }

  var samples: [Int] { settings["samples"].ints }
  private var sampleIndex: Tensor { Tensor(samples.map(Int64.init)) }
  var images: Tensor {
    imagePattern(index["images"]["shape"].ints, index["images"]["phase"].double ?? .nan)[sampleIndex]
  }
  var labels: Tensor { Tensor(index["labels"].ints.map(Int64.init))[sampleIndex] }

  /// The settings as a user would give them, with one of the two outer problems.
  func configuration(outer: SharedAdversarialUnlearning.Outer = .shared) throws
    -> SharedAdversarialUnlearning.Configuration
  {
    var c = SharedAdversarialUnlearning.Configuration()
    let name = settings["norm"].string ?? ""
    guard let norm = Norm(rawValue: name.prefix { $0 != "_" }.description), let radius = settings["radius"].double,
      let step = settings["step"].double, let steps = settings["steps"].int,
      let inner = SharedAdversary.Objective(rawValue: settings["inner"].string ?? "")
    else { throw GoldenError(description: "sau.json: a setting is missing") }
    c.lambda1 = index["lambda"]["1"].double ?? .nan
    c.lambda2 = index["lambda"]["2"].double ?? .nan
    c.lambda3 = index["lambda"]["3"].double ?? .nan
    c.lambda4 = index["lambda"]["4"].double ?? .nan
    c.learningRate = index["optimizer"]["lr"].double ?? .nan
    c.weightDecay = index["optimizer"]["weight_decay"].double ?? .nan
    c.amsgrad = index["optimizer"]["amsgrad"].bool ?? false
    guard let samples = SharedAdversary.Samples(rawValue: settings["inner_samples"].string ?? ""),
      let mask = SharedAdversarialUnlearning.Mask(rawValue: settings["mask"].string ?? "")
    else { throw GoldenError(description: "sau.json: inner_samples or mask is missing") }
    (c.innerSamples, c.mask) = (samples, mask)
    c.norm = norm
    c.l1Projection = name.hasSuffix("_scaled") ? .rescaling : .euclidean
    c.radius = radius
    c.stepSize = step
    c.steps = steps
    c.stepRule = name == "l1" || name == "l2" ? .steepest : .sign
    c.start = SharedAdversary.Start(rawValue: settings["start"].string ?? "") ?? .uniform
    c.universal = settings["universal"].bool ?? false
    c.target = settings["target"].int
    c.inner = inner
    c.outer = outer
    return c
  }

  /// The start where the settings have no name for it.
  var start: Tensor? {
    SharedAdversary.Start(rawValue: settings["start"].string ?? "") == nil ? pattern(images.shape, 0.9, 0.2) : nil
  }
}
