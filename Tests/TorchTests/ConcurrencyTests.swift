import TestSupport
import Testing
import Torch

/// Independent computations side by side. Serialised: the number of threads belongs to the process.
@Suite(.serialized) struct ConcurrencyTests {
  private struct Failure: Error, Equatable { let number: Int }

  /// A few steps of a small regression, with gradients and autocast, whose result depends on `number` alone.
  private func fit(_ number: Int) -> Tensor {
    let random = Generator(seed: UInt64(number + 1))
    let (x, y) = (random.normal([64, 3, 8, 8]), random.normal([64]))
    let weight = (random.normal([4, 3, 3, 3]) * 0.1).requiresGrad_()
    for _ in 0..<10 {
      weight.grad = nil
      let out = autocast(.bfloat16) { F.conv2d(x, weight, padding: 1) }.to(.float32).mean([1, 2, 3])
      (out - y).square().mean().backward()
      if let slope = weight.grad { noGrad { weight.copy_(weight.detach() - slope * 0.5) } }
    }
    return weight.detach()
  }

  @Test(arguments: [1, 2, 3, 7]) func resultsAreThoseOfOneAfterTheOther(_ count: Int) throws {
    let threads = Runtime.threadCount
    Runtime.threadCount = 1
    let expected = (0..<count).map(fit)
    Runtime.threadCount = threads
    nonisolated(unsafe) var found = [Tensor?](repeating: nil, count: count)
    try found.withUnsafeMutableBufferPointer { places in
      nonisolated(unsafe) let places = places
      try Runtime.concurrently(count) { number in places[number] = fit(number) }
    }
    for (number, (a, b)) in zip(found, expected).enumerated() {
      if count > 1 { expectSame(try #require(a), b, "body \(number)") } else { expectClose(try #require(a), b) }
    }
    #expect(Runtime.threadCount == threads)
  }

  @Test func theFirstErrorIsThrownWhenAllHaveEnded() {
    nonisolated(unsafe) var ended = [false, false, false, false]
    let threads = Runtime.threadCount
    let error = #expect(throws: Failure.self) {
      try ended.withUnsafeMutableBufferPointer { places in
        nonisolated(unsafe) let places = places
        try Runtime.concurrently(4) { number in
          places[number] = true
          if number % 2 == 1 { throw Failure(number: number) }
        }
      }
    }
    #expect(error == Failure(number: 1) && ended == [true, true, true, true])
    #expect(Runtime.threadCount == threads)
    #expect(throws: Failure.self) { try Runtime.concurrently(1) { throw Failure(number: $0) } }
  }

  @Test func nothingToDo() throws { try Runtime.concurrently(0) { _ in Issue.record("called") } }
}
