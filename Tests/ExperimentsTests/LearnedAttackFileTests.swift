import TestFiles
import TestSupport
import Testing
import Torch

@testable import Experiments

/// `attack.safetensors` comes from anywhere, and everything after it computes with its tensors.
@Suite struct LearnedAttackFileTests {
  private func read(_ tensor: Tensor) throws -> [String: Tensor] {
    try withTemporaryFolder { folder in
      let path = "\(folder)/\(LearnedAttack.fileName)"
      try LearnedAttack.write(["trigger": tensor], to: path)
      return try LearnedAttack.read(path)
    }
  }

  @Test func whatAttacksWriteComesBack() throws {
    for tensor in [Tensor([0.5, -1] as [Float]), Tensor([3, -4] as [Int64]), Tensor([7, 255] as [UInt8])] {
      expectSame(try #require(try read(tensor)["trigger"]), tensor)
    }
    #expect(try read(Tensor.zeros([0]))["trigger"]?.count == 0)
  }

  @Test(arguments: [DType.float64, .float16, .bfloat16, .int32, .bool])
  func otherTypesAreRefused(_ type: DType) throws {
    let error = #expect(throws: JobError.self) { try read(Tensor.zeros([2], dtype: type)) }
    #expect(error.map { "\($0)" }?.contains("tensor trigger is") == true)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func valuesThatAreNotFiniteAreRefused(_ value: Float) {
    let error = #expect(throws: JobError.self) { try read(Tensor([1, value, 0])) }
    #expect(error.map { "\($0)" }?.contains("not finite") == true)
  }
}
