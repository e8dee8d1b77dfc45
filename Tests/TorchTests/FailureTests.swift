import Foundation
import Testing
import Torch

/// Mistakes in tensor math stop the program with the operation, the operands and LibTorch's reason.
@Suite struct TrapTests {
  private func expectText(
    _ result: ExitTest.Result?, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    for part in parts { #expect(text.contains(part), "standard error: \(text)", sourceLocation: sourceLocation) }
  }

  @Test func matmul() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([2, 3]).matmul(Tensor.zeros([4, 5]))
    }
    expectText(result, "matmul(float32 [2, 3], float32 [4, 5])", "mat1 and mat2 shapes cannot be multiplied")
  }

  @Test func broadcasting() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([2, 3]) + Tensor.zeros([2, 4], dtype: .int64)
    }
    expectText(result, "+(float32 [2, 3], int64 [2, 4])", "must match the size of tensor b")
  }

  @Test func convolution() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = F.conv2d(Tensor.zeros([1, 3, 8, 8]), Tensor.zeros([4, 2, 3, 3]))
    }
    expectText(result, "conv2d(float32 [1, 3, 8, 8], float32 [4, 2, 3, 3])", "channels")
  }

  @Test func unusedInput() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let x = Tensor.ones([2]).requiresGrad_()
      let unused = Tensor.ones([2]).requiresGrad_()
      _ = gradients(of: x.sum(), at: [unused])
    }
    expectText(result, "gradients(float32 [])", "not have been used")
  }

  @Test func wrongElementType() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.ones([2], dtype: .int64).array(Float.self)
    }
    expectText(result, "array(Float) of a int64 tensor: convert it with to(.float32) first")
  }
}

/// A tensor of 1 MB that stays behind in each of 300 rounds would show as 300 MB.
@Suite struct MemoryTests {
  @Test func temporariesAreFreed() async {
    await #expect(processExitsWith: .success) {
      expectConstantMemory { round in
        let x = Tensor.full([1024, 256], Double(round))
        precondition((x + 1).flattened()[0].item() == Double(round + 1))
      }
    }
  }

  @Test func graphsAreFreed() async {
    await #expect(processExitsWith: .success) {
      let w = Tensor.ones([256, 1024]).requiresGrad_()
      expectConstantMemory { _ in
        w.grad = nil
        (w * 2).relu().sum().backward()
        let found = gradient(of: (w * w).sum(), at: w, createGraph: true)
        precondition(found.requiresGrad)
      }
    }
  }
}

/// Stops the process if the peak of its memory rises while `body` is repeated.
private func expectConstantMemory(_ body: (_ round: Int) -> Void) {
  for round in 0..<30 { body(round) }
  let before = peakMegabytes()
  for round in 0..<300 { body(round) }
  let risen = peakMegabytes() - before
  precondition(risen < 100, "the peak of resident memory rose by \(risen) MB")
}

private func peakMegabytes() -> Int {
  let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
  return (Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? .max) / 1024
}
