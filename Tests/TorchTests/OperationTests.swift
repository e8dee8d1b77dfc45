import Foundation
import TestSupport
import Testing
import Torch

@Suite struct PointwiseTests {
  let a = Tensor([1, 2, 3] as [Float])
  let b = Tensor([4, 0.5, -2] as [Float])

  @Test func arithmetic() {
    #expect((a + b).array(Float.self) == [5, 2.5, 1])
    #expect((a - b).array(Float.self) == [-3, 1.5, 5])
    #expect((a * b).array(Float.self) == [4, 1, -6])
    #expect((a / b).array(Float.self) == [0.25, 4, -1.5])
    #expect((1 + a).array(Float.self) == [2, 3, 4])
    #expect((1 - a).array(Float.self) == [0, -1, -2])
    #expect((a - 1).array(Float.self) == [0, 1, 2])
    #expect((2 * a).array(Float.self) == (a * 2).array(Float.self))
    #expect((6 / a).array(Float.self) == [6, 3, 2])
    #expect((a / 2).array(Float.self) == [0.5, 1, 1.5])
    #expect((-a).array(Float.self) == [-1, -2, -3])
  }

  @Test func broadcasting() {
    let column = Tensor([10, 20] as [Float], shape: [2, 1])
    #expect((column + a).shape == [2, 3])
    #expect((column + a).array(Float.self) == [11, 12, 13, 21, 22, 23])
    #expect((Tensor(1.0) + a).shape == [3])
    #expect((Tensor.zeros([0, 3]) + a).shape == [0, 3])
  }

  @Test func promotion() {
    let ints = Tensor([1, 2] as [Int64])
    let bytes = Tensor([250, 10] as [UInt8])
    #expect((ints + Tensor([0.5, 0.5] as [Float])).dtype == .float32)
    #expect((bytes + ints).dtype == .int64)
    #expect((ints + 1).dtype == .int64, "a whole scalar keeps integers")
    #expect((ints + 0.5).dtype == .float32)
    #expect((ints / 2).dtype == .float32, "division is true division")
    #expect((bytes + 10).array(UInt8.self) == [4, 20], "uint8 wraps, as PyTorch's does")
    #expect((0.5 - bytes).array(Float.self) == [-249.5, -9.5], "nothing wraps in fractions")
    #expect((Tensor.ones([2], dtype: .bfloat16) * 0.5).dtype == .bfloat16)
    #expect((Tensor.ones([2], dtype: .bfloat16) + Tensor.ones([2])).dtype == .float32)
    #expect((a .> 1).dtype == .bool)
    #expect((Tensor([1.0, 2.0] as [Double]) * Tensor(2.0)).dtype == .float64)
  }

  @Test func comparisons() {
    let c = Tensor([1, 5, 3] as [Float])
    #expect((a .== c).array(Bool.self) == [true, false, true])
    #expect((a .!= c).array(Bool.self) == [false, true, false])
    #expect((a .< c).array(Bool.self) == [false, true, false])
    #expect((a .<= c).array(Bool.self) == [true, true, true])
    #expect((a .> 2).array(Bool.self) == [false, false, true])
    #expect((a .>= 2).array(Bool.self) == [false, true, true])
    #expect((a .< .infinity).array(Bool.self) == [true, true, true])
    #expect((Tensor([1] as [Int64]) .< .infinity).array(Bool.self) == [true], "an infinite scalar against integers")
    #expect((Tensor([1] as [Int64]) .> -.infinity).array(Bool.self) == [true])
    let (yes, no) = (Tensor([true, true, false]), Tensor([true, false, false]))
    #expect((yes .& no).array(Bool.self) == [true, false, false])
    #expect((yes .| no).array(Bool.self) == [true, true, false])
    #expect((.!yes).array(Bool.self) == [false, false, true])
  }

  /// Each function against Foundation's.
  @Test func functions() {
    let x = [0.1, 0.25, 0.5, 0.9]
    let t = Tensor(x)
    let cases: [(String, (Tensor) -> Tensor, (Double) -> Double)] = [
      ("abs", { $0.abs() }, { abs($0) }), ("exp", { $0.exp() }, { exp($0) }), ("log", { $0.log() }, { log($0) }),
      ("sqrt", { $0.sqrt() }, { $0.squareRoot() }), ("rsqrt", { $0.rsqrt() }, { 1 / $0.squareRoot() }),
      ("reciprocal", { $0.reciprocal() }, { 1 / $0 }), ("square", { $0.square() }, { $0 * $0 }),
      ("sin", { $0.sin() }, { sin($0) }), ("cos", { $0.cos() }, { cos($0) }), ("tanh", { $0.tanh() }, { tanh($0) }),
      ("atanh", { $0.atanh() }, { atanh($0) }), ("sigmoid", { $0.sigmoid() }, { 1 / (1 + exp(-$0)) }),
      ("pow", { $0.pow(1.5) }, { pow($0, 1.5) }), ("pow", { $0.pow(Tensor([2.0])) }, { $0 * $0 }),
      ("lerp", { $0.lerp(Tensor([2.0]), 0.25) }, { $0 + 0.25 * (2 - $0) }),
    ]
    for (name, function, expected) in cases {
      expectClose(function(t), Tensor(x.map(expected)), tolerance: 1e-12, name)
    }
  }

  @Test func roundingAndLimits() {
    let x = Tensor([-1.5, -0.5, 0.5, 1.5, 2.5] as [Float])
    #expect(x.round().array(Float.self) == [-2, 0, 0, 2, 2], "halves go to the even neighbour")
    #expect(x.floor().array(Float.self) == [-2, -1, 0, 1, 2])
    #expect(x.sign().array(Float.self) == [-1, -1, 1, 1, 1])
    #expect(x.relu().array(Float.self) == [0, 0, 0.5, 1.5, 2.5])
    #expect(x.remainder(2).array(Float.self) == [0.5, 1.5, 0.5, 1.5, 0.5], "the divisor's sign, as Python's")
    #expect(x.clamped(-1, 1).array(Float.self) == [-1, -0.5, 0.5, 1, 1])
    #expect(x.clamped(min: 0).array(Float.self) == [0, 0, 0.5, 1.5, 2.5])
    #expect(x.clamped(max: 0).array(Float.self) == [-1.5, -0.5, 0, 0, 0])
    #expect(x.clamped(Tensor(0.0), nil).array(Float.self) == [0, 0, 0.5, 1.5, 2.5])
    #expect(x.maximum(Tensor(1.0)).array(Float.self) == [1, 1, 1, 1.5, 2.5])
    #expect(x.minimum(Tensor(1.0)).array(Float.self) == [-1.5, -0.5, 0.5, 1, 1])
    let odd = Tensor([1, .nan, .infinity] as [Float])
    #expect(odd.isFinite().array(Bool.self) == [true, false, false])
    #expect(Tensor.where(odd.isFinite(), odd, Tensor(0.0)).array(Float.self) == [1, 0, 0])
  }

  @Test func inPlace() {
    let x = Tensor([1, 2, 3] as [Float])
    let same = x
    x.add_(1)
    x.mul_(2)
    x.add_(a, alpha: -1)
    x.sub_(a)
    #expect(same.array(Float.self) == [2, 2, 2])
    x.mul_(b)
    #expect(same.array(Float.self) == [8, 1, -4])
    x.clamp_(0, 3)
    #expect(same.array(Float.self) == [3, 1, 0])
    x.zero_()
    #expect(same.array(Float.self) == [0, 0, 0])
    let ints = Tensor([-5, 5] as [Int64])
    ints.clamp_(0, .infinity)
    #expect(ints.array(Int64.self) == [0, 5])
    let bytes = Tensor.zeros([2], dtype: .uint8)
    bytes.add_(3)
    #expect(bytes.array(UInt8.self) == [3, 3])
  }
}

@Suite struct ShapeTests {
  let x = Tensor.arange(6, dtype: .float32).reshaped(2, 3)

  @Test func views() {
    #expect(x.reshaped(3, -1).shape == [3, 2])
    #expect(x.permuted(1, 0).array(Float.self) == [0, 3, 1, 4, 2, 5])
    #expect(x.transposed().shape == [3, 2])
    #expect(
      x.unsqueezed(0).shape == [1, 2, 3] && x.unsqueezed(-1).shape == [2, 3, 1]
        && x.unsqueezed(0).squeezed(0).shape == [2, 3])
    #expect(x.flattened().shape == [6] && Tensor.zeros([2, 3, 4]).flattened(1).shape == [2, 12])
    #expect(Tensor([1, 2] as [Float], shape: [2, 1]).expanded([2, 3]).array(Float.self) == [1, 1, 1, 2, 2, 2])
    #expect(Tensor([1, 2] as [Float]).repeated(2, 2).array(Float.self) == [1, 2, 1, 2, 1, 2, 1, 2])
    #expect(x.flipped(1).array(Float.self) == [2, 1, 0, 5, 4, 3])
    #expect(x.rolled(1, 1).array(Float.self) == [2, 0, 1, 5, 3, 4])
  }

  @Test func joining() {
    #expect(Tensor.concatenated([x, x]).shape == [4, 3] && Tensor.concatenated([x, x], 1).shape == [2, 6])
    #expect(Tensor.stacked([x, x], 1).shape == [2, 2, 3])
    #expect(Tensor.arange(5).chunked(2).map { $0.array(Int64.self) } == [[0, 1, 2], [3, 4]])
    #expect(x.chunked(3, 1).map(\.shape) == [[2, 1], [2, 1], [2, 1]])
  }

  @Test func padding() {
    let image = x.reshaped(1, 1, 2, 3)
    #expect(image.padded([1, 0, 0, 1], value: 9).array(Float.self) == [9, 0, 1, 2, 9, 3, 4, 5, 9, 9, 9, 9])
    #expect(image.padded([1, 1, 0, 0], .reflect).array(Float.self) == [1, 0, 1, 2, 1, 4, 3, 4, 5, 4])
  }
}

@Suite struct IndexingTests {
  let x = Tensor.arange(12, dtype: .float32).reshaped(3, 4)

  @Test func slices() {
    #expect(x[1].array(Float.self) == [4, 5, 6, 7] && x[-1].array(Float.self) == [8, 9, 10, 11])
    #expect(x[1..<3].shape == [2, 4] && x[0..<0].shape == [0, 4])
    #expect(x.selected(1, 2).array(Float.self) == [2, 6, 10])
    #expect(x.narrowed(1, 0..<4, step: 2).array(Float.self) == [0, 2, 4, 6, 8, 10])
  }

  @Test func byTensors() {
    #expect(x[Tensor([2, 0] as [Int64])].array(Float.self) == [8, 9, 10, 11, 0, 1, 2, 3])
    #expect(x[Tensor([false, true, false])].array(Float.self) == [4, 5, 6, 7])
    let rows = Tensor([0, 2] as [Int64])
    #expect(x.indexed([rows, Tensor([1, 3] as [Int64])]).array(Float.self) == [1, 11])
    #expect(x.indexed([nil, rows]).shape == [3, 2])
    #expect(x.gathered(1, Tensor([0, 1, 2] as [Int64], shape: [3, 1])).array(Float.self) == [0, 5, 10])
    #expect(x.masked(x .> 9).array(Float.self) == [10, 11])
    #expect((x .> 9).nonzero().array(Int64.self) == [2, 2, 2, 3])
    #expect(x.filled(where: x .> 1, with: -1).sum().item() == -9)
  }

  @Test func writing() {
    let y = x.clone()
    y.put_([Tensor([0, 0] as [Int64]), Tensor([1, 1] as [Int64])], Tensor([10, 20] as [Float]), accumulate: true)
    #expect(y.array(Float.self)[1] == 31)
    y.put_([nil, Tensor([0] as [Int64])], Tensor(5.0))
    #expect(y.selected(1, 0).array(Float.self) == [5, 5, 5])
    let index = Tensor([1, 0, 1] as [Int64], shape: [3, 1])
    #expect(Tensor.zeros([3, 2]).scattered(1, index, value: 1).array(Float.self) == [0, 1, 1, 0, 0, 1])
    #expect(Tensor.zeros([3, 2]).scattered(1, index, Tensor.ones([3, 1])).array(Float.self) == [0, 1, 1, 0, 0, 1])
  }

  @Test func oneHot() {
    #expect(Tensor([1, 0] as [Int64]).oneHot(3).array(Int64.self) == [0, 1, 0, 1, 0, 0])
  }
}

@Suite struct ReductionTests {
  let x = Tensor([3, 1, 2, -1, 5, 4] as [Float], shape: [2, 3])

  @Test func sums() {
    #expect(x.sum().item() == 14 && x.sum().shape == [])
    #expect(x.sum([0]).array(Float.self) == [2, 6, 6] && x.sum([-1], keep: true).shape == [2, 1])
    #expect(x.sum([0, 1]).item() == 14)
    #expect(x.mean([1]).array(Float.self) == [2, Float(8) / 3])
    expectClose(x.variance().item(), 4.666666, tolerance: 1e-6)
    expectClose(x.variance([1], correction: 0), Tensor([2.0 / 3, 62.0 / 9] as [Float]))
    expectClose(x.standardDeviation().item(), 2.160247)
    #expect(x.cumulativeSum(1).array(Float.self) == [3, 4, 6, -1, 4, 8])
    #expect(Tensor([true, true, false]).sum().intItem() == 2)
  }

  @Test func norms() {
    expectClose(x.norm().item(), 56.0.squareRoot())
    #expect(x.norm(1).item() == 16 && x.norm(.infinity).item() == 5 && x.norm(0, [1]).array(Float.self) == [3, 3])
    #expect(x.norm(.infinity, [0], keep: true).array(Float.self) == [3, 5, 4])
  }

  @Test func extrema() {
    #expect(x.max().item() == 5 && x.min().item() == -1)
    #expect(x.max([0]).array(Float.self) == [3, 5, 4] && x.min([1]).array(Float.self) == [1, -1])
    let (values, indices) = x.max(1)
    #expect(values.array(Float.self) == [3, 5] && indices.array(Int64.self) == [0, 1])
    #expect(x.min(1).indices.array(Int64.self) == [1, 0])
    #expect(x.argmax(1).array(Int64.self) == [0, 1] && x.argmin(0, keep: true).array(Int64.self) == [1, 0, 0])
  }

  @Test func ordering() {
    let (values, indices) = x.sorted(descending: true)
    #expect(values.array(Float.self) == [3, 2, 1, 5, 4, -1] && indices.array(Int64.self) == [0, 2, 1, 1, 2, 0])
    #expect(Tensor([1, 0, 1, 0] as [Float]).argsort().array(Int64.self) == [1, 3, 0, 2], "stable")
    let top = x.topK(2)
    #expect(top.values.array(Float.self) == [3, 2, 5, 4] && top.indices.array(Int64.self) == [0, 2, 1, 2])
    #expect(x.topK(1, largest: false).values.array(Float.self) == [1, -1])
  }

  @Test func logic() {
    let mask = x .> 0
    #expect(mask.all().item() == 0 && mask.any().item() == 1)
    #expect(mask.all(1).array(Bool.self) == [true, false] && mask.any(0).array(Bool.self) == [true, true, true])
    #expect(Tensor([0, 2, 2] as [Int64]).bincount(minimumLength: 4).array(Int64.self) == [1, 0, 2, 0])
  }
}

@Suite struct LinearAlgebraTests {
  @Test(arguments: ["svd_pattern", "svd_full_rank"]) func singularValues(_ name: String) throws {
    let golden = try Golden("gradients")
    let w =
      name == "svd_pattern"
      ? pattern([6, 4], 0.2, 2) : pattern([6, 4], 0.2) + 1.2 * Tensor.eye(6)[0..<6].narrowed(1, 0..<4)
    let expected = try golden.tensor("\(name)/s")
    expectClose(w.singularValues(), expected)
    let (u, s, vt) = w.svd()
    expectClose(s, expected)
    #expect(u.shape == [6, 4] && vt.shape == [4, 4])
    expectClose((u * s).matmul(vt), w)
    expectClose(w.truncatingSingularValues(at: 1), try golden.tensor("\(name)/truncated"))
    expectClose(w / w.singularValues()[0], try golden.tensor("\(name)/spectral"))
    expectClose(
      w.truncatingSingularValues(at: 1).singularValues(), expected.clamped(max: 1), floor: 1, "the cut values")
  }

  @Test func products() {
    let a = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    #expect(a.matmul(a).array(Float.self) == [7, 10, 15, 22])
    #expect(a.matmul(Tensor([1, 1] as [Float])).array(Float.self) == [3, 7])
    #expect(Tensor.ones([5, 2, 3]).matmul(Tensor.ones([3, 4])).shape == [5, 2, 4])
  }
}
