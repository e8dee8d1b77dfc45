import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Audit

/// The three statistics against Python, a step and a short run each. `make_audit.py` says what the network and the images
/// are.
@Suite struct StatisticsGoldenTests {
  private let golden: Golden
  private let model: Classifier
  private let pixels: Tensor
  private let sources: Tensor
  private let targets = [7, 2]
  private let context = TrainingContext(precision: .float32)

  init() throws {
    golden = try Golden("audit")
    model = try ModelSpec(kind: "preactresnet18", shape: ModelShape(classes: 10, width: 4, imageSize: 16))
      .make(Generator(seed: 0))
    model.fillWithPattern(phaseOffset: 3.8).scaleWeights().eval().requiresGrad(false)
    pixels = (imagePattern([6, 3, 16, 16], 0.5) * 255).round().clamped(0, 255) / 255
    sources = noGrad { [model] in model(imagePattern([6, 3, 16, 16], 0.5).quantized().unitPixels()).argmax(1) }
  }

  private var pass: TargetedPass { TargetedPass(model: model, targets: targets, context: context) }

  private func expectSums(_ images: Tensor, _ name: String) throws {
    let found = pass.sums(at: images, sources: sources)
    for (row, expected) in try golden.settings[name]["sums"].list().enumerated() {
      for (column, value) in try expected.numbers().enumerated() {
        expectClose(found[row][column].item(), value, tolerance: 2e-4, floor: 1, "\(name) row \(row) target \(column)")
      }
    }
  }

  @Test func sourcesAreThePredictions() {
    #expect(sources.array(Int64.self).map(Int.init) == golden.settings["sources"].ints)
  }

  @Test func largestMargins() throws {
    let climb = MaximumMargin(starts: 3, steps: 4, step: 0.05)
    let starts = Tensor.stacked(targets.map { imagePattern([3, 3, 16, 16], Double(1 + $0)) })
    let found = try climb.largest(model, from: starts, targets: targets, context)
    for (value, expected) in zip(found, try golden.settings["margin"]["values"].numbers()) {
      expectClose(value, expected, tolerance: 1e-3)
    }
  }

  @Test func sparsePatch() throws {
    let search = SparsePatch(pixels: 5, steps: 4, batch: 6)
    var patches = SparsePatch.Patches(mask: .zeros([2, 1, 16, 16]), colour: .zeros([2, 3, 16, 16]))
    for number in 0..<4 {
      search.step(&patches, number, pass, pixels, sources: sources)
      if number == 0 {
        expectClose(patches.mask, try golden.tensor("patch/first_mask"))
        expectClose(patches.colour, try golden.tensor("patch/first_colour"))
      }
    }
    let found = search.opaque(patches)
    expectClose(found.mask, try golden.tensor("patch/mask"))
    expectClose(found.colour, try golden.tensor("patch/colour"), tolerance: 1e-4)
    try expectSums(found.stamp(pixels), "patch")
  }

  @Test func universalPerturbation() throws {
    let search = UniversalPerturbation(epsilon: 8 / 255, steps: 4, step: 0.2, batch: 6)
    var change = Tensor.zeros([2, 3, 16, 16])
    for number in 0..<4 { change = search.stepped(change, number, pass, pixels, sources: sources) }
    let expected = try golden.tensor("perturbation/change")
    // A gradient next to 0 may have either sign.
    let same = ((change - expected).abs() .< 1e-6).to(.float32).mean().item()
    #expect(same > 0.99)
    try expectSums(UniversalPerturbation.add(change, to: pixels), "perturbation")
  }
}
