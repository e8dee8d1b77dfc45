import TestSupport
import Testing
import Torch

@Suite struct AutogradTests {
  @Test func backwardAccumulates() {
    let x = Tensor([1, 2, 3] as [Float]).requiresGrad_()
    #expect(x.grad == nil && x.requiresGrad)
    (x * x).sum().backward()
    #expect(x.grad?.array(Float.self) == [2, 4, 6])
    (x * x).sum().backward()
    #expect(x.grad?.array(Float.self) == [4, 8, 12])
    x.grad = nil
    #expect(x.grad == nil)
    (2 * x).backward(gradient: Tensor([1, 0, 2] as [Float]))
    #expect(x.grad?.array(Float.self) == [2, 0, 4])
  }

  @Test func inputsOnly() {
    let x = Tensor([1, 2] as [Float]).requiresGrad_()
    let w = Tensor([3, 4] as [Float]).requiresGrad_()
    let found = gradient(of: (x * w).sum(), at: x)
    #expect(found.array(Float.self) == [3, 4])
    #expect(x.grad == nil && w.grad == nil, "nothing is stored in leaves")
    #expect(!found.requiresGrad)
  }

  @Test func severalOutputsAndSeeds() {
    let x = Tensor([1, 2] as [Float]).requiresGrad_()
    let found = gradients(
      of: [x * 2, x * x], at: [x], seeds: [Tensor([1, 1] as [Float]), Tensor([0, 1] as [Float])])
    #expect(found[0].array(Float.self) == [2, 6])
    #expect(gradients(of: [x.sum(), (x * x).sum()], at: [x])[0].array(Float.self) == [3, 5])
  }

  @Test func retainedGraph() {
    let x = Tensor([2] as [Float]).requiresGrad_()
    let y = (x * x).sum()
    #expect(gradient(of: y, at: x, retainGraph: true).item() == 4)
    #expect(gradient(of: y, at: x).item() == 4)
  }

  @Test func unusedInputs() {
    let x = Tensor([1, 2] as [Float]).requiresGrad_()
    let unused = Tensor([1] as [Float]).requiresGrad_()
    let found = gradientsIfAny(of: [x.sum()], at: [x, unused])
    #expect(found[0]?.array(Float.self) == [1, 1] && found[1] == nil)
  }

  @Test func detaching() {
    let x = Tensor([1, 2] as [Float]).requiresGrad_()
    let y = x * 2
    #expect(y.requiresGrad && !y.detach().requiresGrad)
    #expect(gradient(of: (y.detach() * x).sum(), at: x).array(Float.self) == [2, 4])
  }

  @Test func recordingModes() throws {
    let x = Tensor([1] as [Float]).requiresGrad_()
    #expect((x * 2).requiresGrad)
    noGrad {
      #expect(!(x * 2).requiresGrad)
      withGrad { #expect((x * 2).requiresGrad) }
      #expect(!(x * 2).requiresGrad)
      noGrad {}
      #expect(!(x * 2).requiresGrad, "the inner one restores what it found")
    }
    #expect((x * 2).requiresGrad)
    struct Failure: Error {}
    #expect(throws: Failure.self) { try noGrad { throw Failure() } }
    #expect((x * 2).requiresGrad, "an error restores the mode")
    #expect(noGrad { 3 } == 3)
  }

  @Test func autocasting() {
    let x = pattern([4, 8], 0).requiresGrad_()
    let w = pattern([3, 8], 1).requiresGrad_()
    let exact = F.linear(x, w)
    let (low, found) = autocast(.bfloat16) {
      let y = F.linear(x, w)
      return (y, gradients(of: y.to(.float32).sum(), at: [x, w]))
    }
    #expect(low.dtype == .bfloat16)
    #expect(found.map(\.dtype) == [.float32, .float32])
    expectClose(low.to(.float32), exact, tolerance: 0.02)
    #expect(F.linear(x, w).dtype == .float32, "the mode ends with the closure")
    #expect(autocast(nil) { F.linear(x, w) }.dtype == .float32)
    let nested = autocast(.bfloat16) { autocast(.float16) { F.linear(x, w).dtype } }
    #expect(nested == .float16)
    let after = autocast(.bfloat16) { () -> DType in
      autocast(.float16) {}
      return F.linear(x, w).dtype
    }
    #expect(after == .bfloat16)
  }

  /// LibTorch keeps the weights that autocast converted until the region ends; such a copy must not outlive a change of
  /// mode or value.
  @Test func autocastKeepsNoStaleWeights() {
    let x = pattern([4, 8], 0)
    let w = pattern([3, 8], 1).requiresGrad_()
    autocast(.bfloat16) {
      noGrad { _ = F.linear(x, w) }
      let loss = F.linear(x, w).to(.float32).sum()
      #expect(gradientsIfAny(of: [loss], at: [w])[0] != nil, "a copy that was made without recording")
      let before = F.linear(x, w).to(.float32)
      noGrad { w.mul_(2) }
      expectClose(F.linear(x, w).to(.float32), 2 * before, "a copy of the weights before their update")
    }
  }
}

/// Analytic against numeric gradients in float64.
@Suite struct FiniteDifferenceTests {
  /// Central differences of a scalar function in every element of `x`.
  private func numericGradient(_ x: Tensor, step: Double = 1e-6, _ f: (Tensor) -> Tensor) -> Tensor {
    let values = x.array(Double.self)
    let slopes = values.indices.map { index in
      func at(_ change: Double) -> Double {
        var moved = values
        moved[index] += change
        return noGrad { f(Tensor(moved, shape: x.shape)).item() }
      }
      return (at(step) - at(-step)) / (2 * step)
    }
    return Tensor(slopes, shape: x.shape)
  }

  @Test func jensenShannonDivergence() {
    let other = F.softmax(pattern([3, 5], 0.9, 2).to(.float64), 1)
    func divergence(_ logits: Tensor) -> Tensor {
      let p = F.softmax(logits, 1)
      let m = (p + other) / 2
      return 0.5 * (p * p.log() + other * other.log()).sum() - 0.5 * (p * m.log() + other * m.log()).sum()
    }
    let x = pattern([3, 5], 0.5, 2).to(.float64).requiresGrad_()
    expectClose(gradient(of: divergence(x), at: x), numericGradient(x, divergence), tolerance: 1e-7)
  }

  @Test func convolutionNormReLU() {
    let inputs = pattern([2, 2, 5, 5], 0.5).to(.float64)
    let weight = pattern([3, 2, 3, 3], 0, 0.4).to(.float64)
    let scale = (1 + 0.1 * pattern([3], 1)).to(.float64)
    let shift = (0.1 * pattern([3], 2)).to(.float64)
    func normalised(_ x: Tensor, _ w: Tensor, _ scale: Tensor, _ shift: Tensor) -> Tensor {
      F.batchNorm(F.conv2d(x, w, padding: 1), mean: nil, variance: nil, weight: scale, bias: shift, training: true)
    }
    func loss(_ x: Tensor, _ w: Tensor, _ scale: Tensor, _ shift: Tensor) -> Tensor {
      weightedSum(normalised(x, w, scale, shift).relu())
    }
    #expect(
      normalised(inputs, weight, scale, shift).abs().min().item() > 1e-4, "no kink of the ReLU within reach of a step")
    let leaves = [inputs, weight, scale, shift].map { $0.clone().requiresGrad_() }
    let found = gradients(of: loss(leaves[0], leaves[1], leaves[2], leaves[3]), at: leaves)
    expectClose(found[0], numericGradient(inputs) { loss($0, weight, scale, shift) }, tolerance: 1e-6, "input")
    expectClose(found[1], numericGradient(weight) { loss(inputs, $0, scale, shift) }, tolerance: 1e-6, "weight")
    expectClose(found[2], numericGradient(scale) { loss(inputs, weight, $0, shift) }, tolerance: 1e-6, "scale")
    expectClose(found[3], numericGradient(shift) { loss(inputs, weight, scale, $0) }, tolerance: 1e-6, "shift")
  }

  /// One value of every second pixel. oneDNN's own backward pass writes past its buffers for these sizes, which ended
  /// the process later on.
  @Test func pointwiseConvolutionWithStride() {
    for (channels, size, batch) in [(2, 16, 1), (8, 32, 3), (12, 32, 1)] {
      let x = pattern([batch, channels, size, size], 0.5).contiguous(.channelsLast).requiresGrad_()
      let w = pattern([2 * channels, channels, 1, 1], 1).requiresGrad_()
      let picked = x.detach().narrowed(2, 0..<size, step: 2).narrowed(3, 0..<size, step: 2)
      let rows = picked.permuted(0, 2, 3, 1).reshaped(-1, channels)
      for _ in 0..<20 {
        let y = F.conv2d(x, w, stride: 2)
        let slope = pattern(y.shape, 2)
        let found = gradients(of: (y * slope).sum(), at: [x, w])
        let slopes = slope.permuted(0, 2, 3, 1).reshaped(-1, 2 * channels)
        let matrix = w.detach().reshaped(2 * channels, channels)
        expectClose(
          y.permuted(0, 2, 3, 1).reshaped(-1, 2 * channels), rows.matmul(matrix.transposed()), tolerance: 1e-4, "output"
        )
        expectClose(
          found[1].reshaped(2 * channels, channels), slopes.transposed().matmul(rows), tolerance: 1e-2, "weight")
        let grid = found[0].narrowed(2, 0..<size, step: 2).narrowed(3, 0..<size, step: 2)
        expectClose(grid.permuted(0, 2, 3, 1).reshaped(-1, channels), slopes.matmul(matrix), tolerance: 1e-4, "input")
        #expect((found[0].abs().sum() - grid.abs().sum()).abs().item() < 1e-2, "nothing reaches the pixels between")
      }
    }
  }

  @Test func withoutAutocasting() {
    let (x, w) = (pattern([4, 8], 0), pattern([3, 8], 1))
    let exact = F.linear(x, w)
    autocast(.bfloat16) {
      expectSame(withoutAutocast { F.linear(x, w) }, exact)
      #expect(withoutAutocast { autocast(.bfloat16) { F.linear(x, w).dtype } } == .bfloat16)
      #expect(F.linear(x, w).dtype == .bfloat16, "as before")
    }
    expectSame(withoutAutocast { F.linear(x, w) }, exact)
    #expect(F.linear(x, w).dtype == .float32)
  }
}
