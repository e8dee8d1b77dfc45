import Foundation
import Synchronization
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
    defer { Runtime.threadCount = threads }
    Runtime.threadCount = 1
    let expected = (0..<count).map(fit)
    Runtime.threadCount = count
    nonisolated(unsafe) var found = [Tensor?](repeating: nil, count: count)
    try found.withUnsafeMutableBufferPointer { places in
      nonisolated(unsafe) let places = places
      try Runtime.concurrently(count) { number in places[number] = fit(number) }
    }
    for (number, (a, b)) in zip(found, expected).enumerated() {
      expectClose(try #require(a), b, "body \(number)")
    }
    #expect(Runtime.threadCount == count)
  }

  @Test func theFirstErrorIsThrownWhenAllHaveEnded() {
    nonisolated(unsafe) var ended = [false, false, false, false]
    let threads = Runtime.threadCount
    Runtime.threadCount = 4
    defer { Runtime.threadCount = threads }
    let error = #expect(throws: Failure.self) {
      try ended.withUnsafeMutableBufferPointer { places in
        nonisolated(unsafe) let places = places
        try Runtime.concurrently(4) { number in
          places[number] = true
          if number % 2 == 1 { throw Failure(number: number) }
        }
      }
    }
    // The third may have seen the error of the second and not begun.
    #expect(error == Failure(number: ended[1] ? 1 : 3) && ended[0])
    #expect(Runtime.threadCount == 4)
    #expect(throws: Failure.self) { try Runtime.concurrently(1) { throw Failure(number: $0) } }
  }

  @Test(arguments: [1, 2, 3, 8]) func noMoreAtOnceThanThreads(_ threads: Int) throws {
    let before = Runtime.threadCount
    Runtime.threadCount = threads
    defer { Runtime.threadCount = before }
    let now = Atomic(0)
    let most = Atomic(0)
    let done = Atomic(0)
    try Runtime.concurrently(6) { _ in
      let running = now.add(1, ordering: .relaxed).newValue
      most.max(running, ordering: .relaxed)
      #expect(Runtime.threadCount == max(1, threads / min(6, threads)))
      Thread.sleep(forTimeInterval: 0.01)
      now.subtract(1, ordering: .relaxed)
      done.add(1, ordering: .relaxed)
    }
    #expect(done.load(ordering: .relaxed) == 6 && most.load(ordering: .relaxed) <= threads)
  }

  @Test func nothingToDo() throws { try Runtime.concurrently(0) { _ in Issue.record("called") } }
}
