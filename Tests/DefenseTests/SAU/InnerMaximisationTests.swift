import Backdoor
import Defenses
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The inner problem, iteration by iteration, against the plain implementation in `sau.py`.
@Suite struct InnerMaximisationTests {
  @Test(arguments: SAUGolden.cases, [MemoryFormat.contiguous, .channelsLast])
  func agrees(_ name: String, _ format: MemoryFormat) throws {
    let golden = try SAUGolden(name)
    let (student, reference) = (try golden.network("student").to(format), try golden.network("reference").to(format))
    let (images, labels) = (golden.images.contiguous(format), golden.labels)
    let adversary = try golden.configuration()
    let clean = noGrad { (student: student(images).argmax(1), reference: reference(images).argmax(1)) }

    var traces: [SharedAdversary.Trace] = []
    let delta = adversary.perturb(
      images, labels: labels, student: student, reference: reference, clean: clean, context: golden.context,
      generator: Generator(seed: 0), from: golden.start
    ) { traces.append($0) }
    #expect(traces.count == golden.settings["iterations"].int)
    let vanilla = adversary.inner == .vanilla

    for (step, trace) in traces.enumerated() {
      func expected(_ key: String) throws -> Tensor {
        try golden.tensors.tensor("inner/\(key)")[step..<(step + 1)].squeezed(0)
      }
      expectSame(trace.predictions, try expected("pred"), "predictions at step \(step)")
      if !vanilla {
        expectSame(trace.referencePredictions, try expected("pred_bd"), "the reference's predictions at step \(step)")
        expectSame(trace.shared.to(.uint8), try expected("shared"), "shared at step \(step)")
      }
      expectClose(trace.objective, try expected("objective"), tolerance: 2e-5, "objective at step \(step)")
      expectClose(
        trace.gradient.abs().to(.float64).sum([1, 2, 3]).to(.float32), try expected("grad_abs_sum"), tolerance: 2e-3,
        "size of the gradient at step \(step)")
      if golden.tensors.tensorIfAny("inner/grad_sign") != nil {
        try expectMostlySame(trace.gradient.sign().to(.int8), expected("grad_sign"), "gradient signs at step \(step)")
      }
      if golden.tensors.tensorIfAny("inner/coordinate") != nil {
        let largest: (values: Tensor, indices: Tensor) = trace.gradient.abs().flattened(1).max(1)
        let none = Tensor.full(largest.indices.shape, -1, dtype: .int64)
        expectSame(
          Tensor.where(largest.values .> 0, largest.indices, none), try expected("coordinate"),
          "moved coordinate at step \(step)")
      }
      if golden.tensors.tensorIfAny("inner/delta") != nil {
        try expectMostlySame(trace.delta, expected("delta"), "perturbation after step \(step)")
      }
    }
    if let first = golden.tensors.tensorIfAny("inner/grad_0") {
      expectClose(traces[0].gradient, first, tolerance: 2e-3, "first gradient")
    }
    try expectMostlySame(delta, golden.tensors.tensor("inner/delta_final"), "last perturbation")
    #expect(!delta.requiresGrad)
  }

  /// Equal but for one place in a thousand: where a gradient is nearly zero, rounding decides its sign.
  private func expectMostlySame(_ found: Tensor, _ expected: Tensor, _ what: String) throws {
    try #require(found.shape == expected.shape, "\(what)")
    let off = ((found.to(.float64) - expected.to(.float64)).abs() .> 2e-6).to(.float64).mean().item()
    #expect(off <= 0.001, "\(what): \(off) of the elements differ")
  }

  /// A sample that is shared has nothing left to gain: its gradient is zero and it stays where it is.
  @Test func sharedSamplesRest() throws {
    let golden = try SAUGolden("published")
    let (student, reference) = (try golden.network("student"), try golden.network("reference"))
    let clean = noGrad { (student: student(golden.images).argmax(1), reference: reference(golden.images).argmax(1)) }
    var last: Tensor?
    var rested = 0
    _ = try golden.configuration().perturb(
      golden.images, labels: golden.labels, student: student, reference: reference, clean: clean,
      context: golden.context,
      generator: Generator(seed: 0)
    ) { trace in
      for (row, shared) in trace.shared.array(Bool.self).enumerated() where shared {
        #expect(trace.gradient[row].abs().max().item() == 0)
        if let last { expectSame(trace.delta[row], last[row]) }
        rested += 1
      }
      last = trace.delta
    }
    #expect(rested > 0)
  }

  @Test func clampKeepsPixels() throws {
    let golden = try SAUGolden("published")
    let (student, reference) = (try golden.network("student"), try golden.network("reference"))
    let clean = noGrad { (student: student(golden.images).argmax(1), reference: reference(golden.images).argmax(1)) }
    var configuration = try golden.configuration()
    // Where the ascent starts, too.
    for (clamp, steps) in [(false, 5), (true, 5), (false, 0), (true, 0)] {
      (configuration.clamp, configuration.steps) = (clamp, steps)
      let delta = configuration.perturb(
        golden.images, labels: golden.labels, student: student, reference: reference, clean: clean,
        context: golden.context,
        generator: Generator(seed: 0))
      let sum = golden.images + delta
      let inside = sum.min().item() >= -1e-6 && sum.max().item() <= 1 + 1e-6
      #expect(inside == clamp)
      #expect(delta.abs().max().item() <= 0.2 + 1e-6)
    }
  }

  @Test(arguments: Norm.allCases, [SharedAdversary.Start.random, .uniform])
  func randomStartsLieInTheBall(_ norm: Norm, _ kind: SharedAdversary.Start) throws {
    let golden = try SAUGolden("published")
    let (student, reference) = (try golden.network("student"), try golden.network("reference"))
    var configuration = try golden.configuration()
    configuration.norm = norm
    configuration.radius = norm == .linf ? 0.1 : 1
    configuration.start = kind
    configuration.steps = 0
    func start(_ seed: UInt64) -> Tensor {
      configuration.perturb(
        golden.images, labels: golden.labels, student: student, reference: reference,
        clean: (golden.labels, golden.labels),
        context: golden.context, generator: Generator(seed: seed))
    }
    let (one, again, other) = (start(1), start(1), start(2))
    expectSame(one, again)
    #expect((one - other).abs().max().item() > 1e-4)
    let size =
      switch norm {
      case .linf: one.abs().max()
      case .l2: one.norm(2, [1, 2, 3]).max()
      case .l1: one.abs().sum([1, 2, 3]).max()
      }
    #expect(size.item() <= configuration.radius + 1e-5)
    #expect((one[0] - one[1]).abs().max().item() > 1e-4, "each image has its own start")
    // The authors' start has no negative value, and in a small L_inf ball most of it lies on the border.
    #expect((one.min().item() < 0) == (kind == .uniform))
    if norm == .linf {
      let border = (one .== one.max().item()).to(.float32).mean().item()
      #expect(kind == .random ? (0.88...0.92).contains(border) : border < 0.01, "\(border)")
    }
  }
}
