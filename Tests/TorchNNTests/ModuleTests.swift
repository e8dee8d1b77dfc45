import TestSupport
import Testing
import Torch
import TorchNN

@Suite struct ModuleTests {
  @Test func modes() {
    let model = Sample()
    model.bn1.eval()
    #expect(model.isTraining && !model.bn1.isTraining)
    model.withMode(training: false) { #expect(model.modules().allSatisfy { !$0.module.isTraining }) }
    #expect(model.isTraining && model.conv1.isTraining && !model.bn1.isTraining, "each module has its own mode again")
    struct Failure: Error {}
    #expect(throws: Failure.self) { try model.withMode(training: false) { throw Failure() } }
    #expect(model.isTraining)
    #expect(model.train().modules().allSatisfy { $0.module.isTraining })
  }

  @Test func frozenParametersGetNoGradients() {
    let model = Sample()
    let x = pattern([2, 3, 5, 5], 0).requiresGrad_()
    model.conv1.weight.requiresGrad_(false)
    model.eval().withFrozenParameters {
      #expect(model.parameters().allSatisfy { !$0.requiresGrad })
      model(x).sum().backward()
    }
    #expect(x.grad != nil && model.parameters().allSatisfy { $0.grad == nil })
    #expect(!model.conv1.weight.requiresGrad && model.bn1.weight.requiresGrad, "each parameter has its own mark again")
    model(x).sum().backward()
    #expect(model.bn1.weight.grad != nil)
    model.zeroGrad()
    #expect(model.bn1.weight.grad == nil)
  }

  @Test func sharedModulesCountOnce() {
    final class Tied: Module {
      let first: Linear
      let second: Linear
      init(_ layer: Linear) { (first, second) = (layer, layer) }
    }
    let tied = Tied(Linear(2, 2, Generator(seed: 0)))
    #expect(tied.parameters().count == 2, "an optimizer must step each tensor once")
    #expect(tied.stateDict().keys == ["first.weight", "first.bias", "second.weight", "second.bias"])
  }

  @Test func initialisation() {
    let (a, b, c) = (
      Linear(100, 50, Generator(seed: 1)), Linear(100, 50, Generator(seed: 1)), Linear(100, 50, Generator(seed: 2))
    )
    expectSame(a.weight.detach(), b.weight.detach())
    #expect(a.weight.array(Float.self) != c.weight.array(Float.self))
    let weight = a.weight.detach()
    #expect(weight.abs().max().item() <= 0.1 && weight.abs().max().item() > 0.098, "U(-1/sqrt(fan in), 1/sqrt(fan in))")
    expectClose(weight.standardDeviation().item(), 0.1 / 3.0.squareRoot(), tolerance: 0.03)
    #expect(
      Conv2d(4, 8, kernel: 5, groups: 2, Generator(seed: 1)).weight.detach().abs().max().item() <= 1 / 50.0.squareRoot()
    )
    let normal = Initialization.kaimingNormal([200, 100], fan: 50, Generator(seed: 3))
    expectClose(normal.standardDeviation().item(), 0.2, tolerance: 0.02)
  }

  @Test func bareTensorsTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Bare: Module { var hidden = Tensor.zeros([1]) }
      _ = Bare().parameters()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains("Bare.hidden: a bare Tensor would stay out of the state dict. Declare it @Parameter or @Buffer"),
      "\(text)")
  }

  @Test func listsOfTensorsTrap() async {
    await #expect(processExitsWith: .failure) {
      final class Bare: Module { var hidden = [Tensor.zeros([1])] }
      _ = Bare().parameters()
    }
    await #expect(processExitsWith: .failure) {
      final class Bare: Module { var hidden: Tensor? = Tensor.zeros([1]) }
      _ = Bare().parameters()
    }
  }

  @Test func dictionariesOfModulesTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      final class Bare: Module { var parts = ["a": BatchNorm2d(1)] }
      _ = Bare().parameters()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("dictionaries of modules have no order"))
  }
}

@Suite struct DropoutTests {
  private let ones = Tensor.ones([100, 100])

  @Test func statistics() {
    let y = Dropout(0.3, seed: 5)(ones)
    let kept = (y .> 0).to(.float32).mean().item()
    #expect(abs(kept - 0.7) < 0.02)
    #expect(
      y.masked(y .> 0).array(Float.self).allSatisfy { abs($0 - 1 / 0.7) < 1e-6 },
      "kept elements are scaled by 1 / (1 - p)")
    #expect(abs(y.mean().item() - 1) < 0.03)
  }

  @Test func streams() {
    let layer = Dropout(0.5, seed: 1)
    let (first, second) = (layer(ones), layer(ones))
    #expect(first.array(Float.self) != second.array(Float.self), "every call draws anew")
    expectSame(Dropout(0.5, seed: 1)(ones), first)
    let model = Sequential([Dropout(0.5), Dropout(0.5)])
    func draw(_ seed: UInt64) -> Tensor {
      model.reseedDropout(seed)
      return model(ones)
    }
    let before = draw(3)
    #expect(draw(4).array(Float.self) != before.array(Float.self))
    expectSame(draw(3), before)
    #expect(abs((before .> 0).to(.float32).mean().item() - 0.25) < 0.02, "the two layers draw apart from one another")
  }

  @Test func identities() {
    let layer = Dropout(0.5).eval()
    #expect(layer(ones) === ones)
    #expect(Dropout(0)(ones) === ones)
    #expect(F.dropout(ones, p: 1, generator: Generator(seed: 0)).abs().max().item() == 0, "p = 1 gives zeros")
  }

  @Test func gradients() {
    let x = ones.clone().requiresGrad_()
    let y = Dropout(0.5, seed: 2)(x)
    expectSame(gradient(of: y.sum(), at: x), y.detach())
    #expect(Dropout(0.5)(Tensor.ones([4], dtype: .bfloat16)).dtype == .bfloat16)
  }
}
