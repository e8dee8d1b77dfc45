import TestSupport
import Testing
import Torch

@Suite struct GeneratorTests {
  @Test func sameSeedSameNumbers() {
    let draws = [7, 7, 8].map { Generator(seed: $0).normal([100]) }
    expectSame(draws[0], draws[1])
    #expect(draws[0].array(Float.self) != draws[2].array(Float.self))
    let generator = Generator(seed: 7)
    expectSame(generator.normal([100]), draws[0])
    #expect(generator.normal([100]).array(Float.self) != draws[0].array(Float.self), "a stream goes on")
    generator.reseed(7)
    expectSame(generator.normal([100]), draws[0])
  }

  @Test func streamsAreIndependent() {
    let (a, b) = (Generator(seed: 1), Generator(seed: 1))
    _ = b.uniform([3])
    _ = Generator(seed: 2).uniform([1000])
    let first = a.uniform([5])
    expectSame(first, Generator(seed: 1).uniform([5]))
  }

  @Test func stateContinues() {
    let generator = Generator(seed: 3)
    // An odd count leaves half a pair of normal numbers in the stream: the state must hold it too.
    _ = generator.normal([3])
    let state = generator.state
    #expect(state.dtype == .uint8)
    let next = [generator.normal([9]), generator.uniform([9]), generator.permutation(9)]
    let other = Generator(seed: 99)
    other.state = state
    for (index, tensor) in [other.normal([9]), other.uniform([9]), other.permutation(9)].enumerated() {
      expectSame(tensor, next[index])
    }
  }

  @Test func distributions() {
    let generator = Generator(seed: 11)
    let uniform = generator.uniform([100_000], -2, 4)
    #expect(uniform.min().item() >= -2 && uniform.max().item() < 4)
    #expect(abs(uniform.mean().item() - 1) < 0.02)
    let normal = generator.normal([100_000], dtype: .float64)
    #expect(normal.dtype == .float64 && abs(normal.mean().item()) < 0.02 && abs(normal.variance().item() - 1) < 0.03)
    let integers = generator.integers(3..<6, [3000])
    #expect(
      integers.dtype == .int64
        && integers.bincount().array(Int64.self).dropFirst(3).allSatisfy { (900...1100).contains($0) })
    #expect(generator.permutation(100).sorted().values.array(Int64.self) == (0..<100).map(Int64.init))
    let drawn = generator.multinomial(Tensor([0, 1, 3] as [Float]), count: 4000, replacement: true).bincount(
      minimumLength: 3)
    #expect(drawn.array(Int64.self)[0] == 0 && abs(drawn.array(Int64.self)[2] - 3000) < 150)
    let all = generator.multinomial(Tensor([1, 1, 1] as [Float]), count: 3)
    #expect(all.sorted().values.array(Int64.self) == [0, 1, 2], "without replacement")
  }
}
