import Backdoor
import Defenses
import Foundation
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The outer problem and one optimizer step, against `sau.py`. The ablations of the paper: A+B and A+D are the two
/// outer problems of `published`, C+B and C+D those of `vanilla`.
@Suite struct OuterMinimisationTests {
  private typealias Engine = AdversarialUnlearning<SharedAdversarialUnlearning>

  private func outer(_ key: String) -> SharedAdversarialUnlearning.Outer { key == "outer_b" ? .shared : .vanilla }

  /// From the stored perturbation: the loss, its parts, and all gradients.
  @Test(arguments: SAUGolden.cases) func lossAndGradients(_ name: String) throws {
    let golden = try SAUGolden(name)
    for key in try golden.settings["outer"].list().compactMap(\.string) {
      func expected(_ name: String) throws -> Tensor { try golden.tensors.tensor("\(key)/\(name)") }
      let (student, reference) = (try golden.network("student"), try golden.network("reference"))
      let (images, labels) = (golden.images, golden.labels)
      let referenceClasses = noGrad { reference(images).argmax(1) }
      expectSame(referenceClasses, try expected("clean_bd"))
      let delta = try golden.tensors.tensor("inner/delta_final")
      let losses = Engine(try golden.configuration(outer: outer(key)), stage: "test").objective(
        .init(images: images, labels: labels, referenceClasses: referenceClasses), delta: delta,
        cleanLogits: student(images),
        student: student, reference: reference, context: golden.context)
      let tolerance = lossTolerance(golden, key)
      expectClose(losses.total.detach(), try expected("loss"), tolerance: tolerance, "\(key) loss")
      expectClose(losses.clean.detach(), try expected("ce"), tolerance: 2e-5, "\(key) clean loss")
      let adversarial = try expected(key == "outer_b" ? "l_sar" : "ce_adv")
      expectClose(losses.adversarial.detach(), adversarial, tolerance: tolerance, "\(key) adversarial loss")
      losses.total.backward()
      let norms = try expected("grad_norms").to(.float64).array(Double.self)
      try #require(norms.count == student.parameters().count)
      for ((parameter, tensor), norm) in zip(student.namedParameters(), norms) {
        let gradient = try #require(tensor.grad, "\(parameter) has no gradient")
        expectClose(
          gradient.to(.float64).norm().item(), norm, tolerance: 50 * tolerance, "\(key) gradient of \(parameter)")
        if let kept = golden.tensors.tensorIfAny("\(key)/grad/\(parameter)") {
          expectClose(gradient, kept, tolerance: 50 * tolerance, "\(key) gradient of \(parameter)")
        }
      }
      #expect(reference.parameters().allSatisfy { $0.grad == nil }, "the reference is never trained")
    }
  }

  /// Inner and outer problem and the optimizer step as a run does them.
  ///
  /// A start of random numbers is other numbers here: its step goes from the stored perturbation.
  @Test(arguments: SAUGolden.cases) func parametersAfterOneStep(_ name: String) throws {
    let golden = try SAUGolden(name)
    for key in try golden.settings["outer"].list().compactMap(\.string) {
      let (student, reference) = (try golden.network("student"), try golden.network("reference"))
      let before = student.parameters().map { $0.detach().clone() }
      let configuration = try golden.configuration(outer: outer(key))
      let engine = Engine(configuration, stage: "test")
      let step = Engine.Step(
        images: golden.images, labels: golden.labels, referenceClasses: noGrad { reference(golden.images).argmax(1) })
      let losses =
        name == "random_start"
        ? engine.objective(
          step, delta: try golden.tensors.tensor("inner/delta_final"), cleanLogits: student(golden.images),
          student: student, reference: reference, context: golden.context)
        : engine.losses(
          step, student: student, reference: reference, context: golden.context, generator: Generator(seed: 0))
      configuration.makeOptimizer(for: student).step(minimizing: losses.total)
      expectClose(
        losses.total.detach(), try golden.tensors.tensor("\(key)/loss"), tolerance: lossTolerance(golden, key),
        "\(key) loss")

      let sums = try golden.tensors.tensor("\(key)/update_abs_sum").to(.float64).array(Double.self)
      for (number, (parameter, tensor)) in student.namedParameters().enumerated() {
        let moved = (tensor.detach() - before[number]).to(.float64)
        expectClose(moved.abs().sum().item(), sums[number], tolerance: 0.01, floor: 1e-5, "\(key) way of \(parameter)")
        guard let kept = golden.tensors.tensorIfAny("\(key)/updated/\(parameter)") else { continue }
        // Adam's first step goes by each gradient's sign: where one is nearly zero, rounding decides, and float64
        // decides otherwise too.
        let distance = (tensor.detach() - kept).abs()
        #expect(distance.max().item() <= 2.1 * configuration.learningRate, "\(key) \(parameter)")
        let far = (distance .> 2e-6).to(.float64).mean().item()
        #expect(far <= 0.005, "\(key) \(parameter): \(far) of the elements differ")
      }
      #expect(
        zip(reference.parameters(), try golden.network("reference").parameters()).allSatisfy {
          ($0 - $1).abs().max().item() == 0
        })
    }
  }

  /// Some times the distance between float32 and float64 that the golden records, and at least rounding.
  private func lossTolerance(_ golden: SAUGolden, _ key: String) -> Double {
    let facts = golden.settings["float64"][key]
    guard let loss = facts["loss"].double, let exact = facts["loss_float64"].double else { return 0 }
    return max(2e-5, 5 * abs(loss - exact) / abs(exact))
  }

  /// Equation 11 by hand: sum over the mask of log terms, over 2B.
  @Test func sharedRiskByHand() {
    let p = [[0.7, 0.2, 0.1], [0.1, 0.0, 0.9], [0.25, 0.25, 0.5], [0.998, 0.001, 0.001], [0.0005, 0.999, 0.0005]]
    let logits = Tensor(p.map { $0.map { Float($0 == 0 ? -80 : log($0)) } }.flatMap { $0 }, shape: [5, 3])
    let misled = Tensor([0, 1, 2, 0, 0] as [Int64])
    let mask = Tensor([1, 1, 0, 1, 1] as [Float])
    func term(_ pt: Double) -> Double { -log(1e-6 + min(1 - pt, 0.999)) - log(1 + 1e-6 - max(pt, 0.001)) }
    let expected = (term(0.7) + term(0) + term(0.998) + term(0.0005)) / 10
    let found = AdversarialUnlearning<SharedAdversarialUnlearning>.sharedRisk(logits, misled: misled, mask: mask)
    expectClose(found.item(), expected, tolerance: 1e-4)
    #expect(found.shape == [])
  }

  /// The two ends of the clamps: no pull once the class has vanished, and a finite pull where it is certain.
  @Test func sharedRiskSaturates() {
    typealias Engine = AdversarialUnlearning<SharedAdversarialUnlearning>
    func slope(_ logit: Float) -> Double {
      let logits = Tensor([logit, 0] as [Float], shape: [1, 2]).requiresGrad_()
      return gradient(
        of: Engine.sharedRisk(logits, misled: Tensor([0] as [Int64]), mask: Tensor([1] as [Float])), at: logits)[0]
        .array(Float.self).map(
          Double.init)[0]
    }
    #expect(slope(-20) == 0)
    #expect(slope(0) > 0.4 && slope(0) < 0.6)
    #expect(slope(30).isFinite)
  }

  @Test func weightsOfTheParts() throws {
    let golden = try SAUGolden("published")
    let (student, reference) = (try golden.network("student"), try golden.network("reference"))
    let batch = Engine.Step(
      images: golden.images, labels: golden.labels, referenceClasses: noGrad { reference(golden.images).argmax(1) })
    let delta = try golden.tensors.tensor("inner/delta_final")
    var configuration = try golden.configuration()
    configuration.lambda1 = 3
    configuration.lambda2 = 0.5
    configuration.adversarialWeight = 0.25
    let losses = Engine(configuration, stage: "test").objective(
      batch, delta: delta, cleanLogits: student(golden.images), student: student, reference: reference,
      context: golden.context)
    let (ce, risk) = (try golden.tensors.tensor("outer_b/ce").item(), try golden.tensors.tensor("outer_b/l_sar").item())
    let adversarial = try golden.tensors.tensor("outer_d/ce_adv").item()
    expectClose(losses.total.item(), 3 * ce + 0.5 * risk + 0.25 * adversarial, tolerance: 2e-5)
  }
}
