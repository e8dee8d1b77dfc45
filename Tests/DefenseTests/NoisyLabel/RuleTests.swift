import Backdoor
import Defenses
import TestSupport
import Testing
import Torch
import TorchNN
import Training

/// The rules against `noisy_label.py`, and cases worked by hand.
@Suite struct NoisyLabelRuleTests {
  private static func rule(_ name: String, rate: Double) -> any NoisyLabelRule {
    var (spl, prl) = (SPL(), PRL())
    (spl.rate, prl.rate) = (rate, rate)
    switch name {
    case "spl": return spl
    case "prl": return prl
    default: return Bootstrap()
    }
  }

  /// Which samples are kept, ties included, the loss, and its gradient.
  @Test(arguments: ["spl", "prl", "bootstrap"]) func agrees(_ name: String) throws {
    let golden = try Golden("noisy_label")
    let labels = try golden.tensor("rules/labels")
    let rates = golden.settings["rates"].doubles
    #expect(rates.count == 6)
    for rate in rates {
      let rule = Self.rule(name, rate: rate)
      let logits = try golden.tensor("rules/logits").clone().requiresGrad_()
      let key = "rules/\(name)/\(rate)"
      let choice = rule.choose(logits.detach(), labels, epoch: 0)
      let rows = try golden.tensor("\(key)/rows")
      if name == "bootstrap" { #expect(choice.rows == nil) } else { expectSame(try #require(choice.rows), rows, key) }
      let loss = F.crossEntropy(choice.rows.map { logits[$0] } ?? logits, choice.targets)
      expectClose(loss.detach(), try golden.tensor("\(key)/loss"), "\(key) loss")
      expectClose(gradient(of: loss, at: logits), try golden.tensor("\(key)/grad_logits"), "\(key) gradient")
      if name != "bootstrap" {
        expectClose(rule.suspicion(logits.detach(), labels), try golden.tensor("rules/\(name)/score"), "score")
      }
    }
  }

  /// The label's weight is `alpha`, the prediction's the rest.
  @Test(arguments: [0.3, 1]) func bootstrapMixes(_ alpha: Double) throws {
    let golden = try Golden("noisy_label")
    let labels = try golden.tensor("rules/labels")
    var rule = Bootstrap()
    rule.alpha = alpha
    let logits = try golden.tensor("rules/logits").clone().requiresGrad_()
    let loss = F.crossEntropy(logits, rule.choose(logits.detach(), labels, epoch: 0).targets)
    let key = "rules/bootstrap_alpha/\(alpha)"
    expectClose(loss.detach(), try golden.tensor("\(key)/loss"), "loss")
    expectClose(gradient(of: loss, at: logits), try golden.tensor("\(key)/grad_logits"), "gradient")
  }

  /// exp(0), exp(log 3) and label 1: p = (1/4, 3/4).
  @Test func byHand() {
    let logits = Tensor([0, 1.0986123, 0, 1.0986123] as [Float], shape: [2, 2])
    let labels = Tensor([1, 0] as [Int64])
    expectClose(SampleScore.crossEntropy(logits, labels), Tensor([0.2876821, 1.3862944] as [Float]))
    expectClose(SampleScore.predictionDistance(logits, labels), Tensor([0.3535534, 1.0606602] as [Float]))
    let targets = Bootstrap().choose(logits, labels, epoch: 0).targets
    expectClose(targets, Tensor([0, 1, 0.8, 0.2] as [Float], shape: [2, 2]))
    expectClose(Bootstrap().suspicion(logits, labels), Tensor([0.2876821, 1.3862944] as [Float]))
  }

  @Test func ramp() throws {
    let ramps = try Golden("noisy_label").settings["ramps"].array
    #expect(ramps.count == 5)
    for ramp in ramps {
      var rule = PRL()
      rule.rate = try #require(ramp["rate"].double)
      rule.ramp = try #require(ramp["ramp"].int)
      for (epoch, expected) in try ramp["rates"].numbers().enumerated() {
        expectClose(rule.dropRate(epoch: epoch), expected, "\(rule) \(epoch)")
      }
      #expect(rule.dropRate(epoch: .max) == rule.rate, "the verdict is at the full rate")
    }
  }

  @Test(arguments: [
    (0.25, 128, 96), (0.15, 128, 108), (0.3, 10, 7), (0.45, 20, 11), (0.9, 10, 1), (1.0, 8, 1), (0.0, 8, 8),
    (0.5, 1, 1), (0.1, 7, 6),
  ]) func counts(_ rate: Double, _ count: Int, _ kept: Int) {
    var rule = SPL()
    rule.rate = rate
    #expect(rule.kept(of: count, epoch: 0) == kept)
    let rows = rule.choose(Generator(seed: 1).normal([count, 3]), Tensor.zeros([count], dtype: .int64), epoch: 0).rows
    #expect(rows?.count == kept)
  }

  /// Of equal samples the first are kept.
  @Test func tiesGoToTheEarlier() {
    var rule = PRL()
    rule.rate = 0.5
    let choice = rule.choose(Tensor.zeros([6, 3]), Tensor.zeros([6], dtype: .int64), epoch: 0)
    #expect(choice.rows?.array(Int64.self) == [0, 1, 2])
  }

  /// Cross entropy has no end where a confident prediction contradicts the label; the distance has. Samples whose
  /// logits are not numbers go first.
  @Test func extremes() {
    let logits = Tensor([1000, 0, 0, 20, 0, 0, .nan, 0, 0, 3, 0, 0] as [Float], shape: [4, 3])
    let labels = Tensor([1, 1, 0, 0] as [Int64])
    #expect(SampleScore.crossEntropy(logits, labels).array(Float.self)[0] == 1000)
    expectClose(Double(SampleScore.predictionDistance(logits, labels).array(Float.self)[0]), 2.0.squareRoot())
    for rule in [Self.rule("spl", rate: 0.25), Self.rule("prl", rate: 0.25)] {
      #expect(rule.choose(logits, labels, epoch: 0).rows?.array(Int64.self).contains(2) == false)
    }
  }
}
