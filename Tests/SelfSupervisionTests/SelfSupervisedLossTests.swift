import SelfSupervision
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Losses and updates against the plain definitions in `make_self_supervision.py`.
@Suite struct SelfSupervisedLossTests {
  private func unit(_ x: Tensor) -> Tensor { x / x.norm(2, [1], keep: true) }

  @Test(arguments: Golden.cases("self_supervision")) func ntXent(_ name: String) throws {
    let golden = try Golden("self_supervision")
    let settings = golden.settings(of: name)
    let (n, d) = (try #require(settings["n"].int), try #require(settings["d"].int))
    let x = pattern([2 * n, d], 0.4, 1.5).requiresGrad_()
    let anchors = try #require(NTXent.Anchors(rawValue: settings["anchors"].string ?? ""))
    let value = NTXent.loss(unit(x), temperature: try #require(settings["temperature"].double), anchors: anchors)
    expectClose(value, try golden.tensor("\(name)/value"), "value")
    expectClose(gradient(of: value, at: x), try golden.tensor("\(name)/grad"), tolerance: 1e-4, "gradient")
  }

  @Test func mocoAndBYOL() throws {
    let golden = try Golden("self_supervision")
    let (key, queue) = (unit(pattern([3, 4], 1.1)), unit(pattern([7, 4], 2.3)))
    let losses: [(String, (Tensor) -> Tensor)] = [
      ("moco", { MoCo.loss(self.unit($0), key: key, queue: queue, temperature: 0.1) }),
      ("byol", { BYOL.loss(self.unit($0), target: key) }),
    ]
    for (name, loss) in losses {
      let x = pattern([3, 4], 0.4).requiresGrad_()
      let value = loss(x)
      expectClose(value, try golden.tensor("\(name)/value"), name)
      expectClose(gradient(of: value, at: x), try golden.tensor("\(name)/grad"), tolerance: 1e-4, name)
    }
  }

  /// A student, its slow target and the queue over three steps.
  @Test func targetAndQueue() throws {
    final class Network: Module, Layer {
      let body = Sequential(
        named: [
          ("0", Linear(6, 5, Generator(seed: 0))), ("1", Lambda.relu()), ("2", Linear(5, 4, Generator(seed: 0))),
        ])
      func callAsFunction(_ x: Tensor) -> Tensor { body(x) }
    }
    let golden = try Golden("self_supervision")
    let (online, target) = (Network().fillWithPattern(), Network())
    let average = try ExponentialMovingAverage(of: online, in: target, decay: 0.9)
    let optimizer = SGD(online.parameters(), learningRate: 0.1)
    let queue = unit(pattern([7, 4], 2.3)).flipped(0).contiguous()
    for step in 0..<3 {
      let query = unit(online(pattern([3, 6], 0.2 + Double(step))))
      let key = noGrad { unit(target(pattern([3, 6], 0.7 + Double(step)))) }
      let value = MoCo.loss(query, key: key, queue: queue, temperature: 0.1)
      optimizer.zeroGrad()
      value.backward()
      optimizer.step()
      average.update(from: online)
      MoCo.enqueue(key, in: queue)
      expectClose(value, try golden.tensor("steps_\(step)/value"), "loss of step \(step)")
      expectClose(queue, try golden.tensor("steps_\(step)/queue"), "queue after step \(step)")
      for (name, tensor) in target.stateDict().entries {
        expectClose(
          tensor, try golden.tensor("steps_\(step)/target/\(name.dropFirst("body.".count))"),
          "\(name) after step \(step)")
      }
    }
  }

  @Test func queueOrder() {
    let queue = Tensor([1, 2, 3, 4, 5] as [Float], shape: [5, 1])
    MoCo.enqueue(Tensor([8, 9] as [Float], shape: [2, 1]), in: queue)
    #expect(queue.array(Float.self) == [8, 9, 1, 2, 3], "the newest first; the oldest fall out")
    MoCo.enqueue(Tensor([1, 2, 3, 4, 5, 6, 7] as [Float], shape: [7, 1]), in: queue)
    #expect(queue.array(Float.self) == [1, 2, 3, 4, 5], "a batch larger than the queue")
  }

  /// Identical views of images that are orthogonal: the least loss, by hand.
  @Test func ntXentByHand() {
    let z = Tensor.concatenated([Tensor.eye(3), Tensor.eye(3)])
    expectClose(NTXent.loss(z, temperature: 1).item(), -1 + (2.718281828 + 4.0).logarithm, tolerance: 1e-5)
    expectClose(BYOL.loss(Tensor.eye(3), target: Tensor.eye(3)).item(), 0, tolerance: 1e-4)
    expectClose(BYOL.loss(Tensor.eye(3), target: -Tensor.eye(3)).item(), 4)
  }
}

extension Double {
  fileprivate var logarithm: Double { Tensor(self, dtype: .float64).log().item() }
}
