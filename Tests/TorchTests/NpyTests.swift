import Foundation
import TestFiles
import TestSupport
import Testing
import Torch

@Suite struct NpyTests {
  private static let dtypes = DType.allCases.filter { $0 != .bfloat16 }

  @Test(arguments: dtypes) func readsPython(_ dtype: DType) throws {
    expectSame(try Npy.load(Golden.file("io_\(dtype).npy")), ioTensor(dtype))
  }

  /// Byte for byte what NumPy writes.
  @Test(arguments: dtypes) func writesAsPython(_ dtype: DType) throws {
    try withTemporaryFolder { folder in
      try Npy.save(ioTensor(dtype), to: "\(folder)/x.npy")
      let ours = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/x.npy"))
      #expect(ours == (try Data(contentsOf: URL(fileURLWithPath: Golden.file("io_\(dtype).npy")))))
    }
  }

  @Test func otherForms() throws {
    expectSame(try Npy.load(Golden.file("io_fortran.npy")), Tensor.arange(24, dtype: .int32).reshaped(2, 3, 4))
    expectSame(try Npy.load(Golden.file("io_version2.npy")), ioTensor(.float32))
    expectSame(try Npy.load(Golden.file("io_version3.npy")), ioTensor(.float32))
    expectSame(try Npy.load(Golden.file("io_scalar.npy")), Tensor(-1.5, dtype: .float64))
    expectSame(try Npy.load(Golden.file("io_empty.npy")), Tensor.zeros([0, 3]))
  }

  @Test func roundTrips() throws {
    try withTemporaryFolder { folder in
      for tensor in [Tensor(1.5), Tensor.zeros([0]), Tensor([1] as [Int64]), pattern([2, 3, 4, 5], 0).contiguous(.channelsLast)] {
        try Npy.save(tensor, to: "\(folder)/x.npy")
        expectSame(try Npy.load("\(folder)/x.npy"), tensor)
      }
    }
  }

  private func expectRefusal(_ path: String, _ part: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: NpyError.self, sourceLocation: sourceLocation) { try Npy.load(path) }
    let text = error?.description ?? "no error"
    #expect(text.hasPrefix("\(path): ") && text.contains(part), "\(text)", sourceLocation: sourceLocation)
  }

  @Test func refusedDtypes() {
    expectRefusal(Golden.file("io_big_endian.npy"), "dtype '>f4' is big-endian. Save it again as '<f4'")
    expectRefusal(Golden.file("io_structured.npy"), "a structured dtype")
    expectRefusal(Golden.file("io_uint16.npy"), "dtype '<u2' is not supported. Convert it to one of b1, u1, i1, i2, i4, i8, f2, f4, f8")
  }

  @Test func damage() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.npy"
      func refuse(_ bytes: Data, _ part: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try bytes.write(to: URL(fileURLWithPath: path))
        expectRefusal(path, part, sourceLocation: sourceLocation)
      }
      func file(_ header: String, data: Int = 0, version: [UInt8] = [1, 0]) -> Data {
        let start = Data([0x93]) + Data("NUMPY".utf8) + Data(version) + Data([UInt8(header.utf8.count), 0])
        return start + Data(header.utf8) + Data(repeating: 0, count: data)
      }
      func fields(_ descr: String = "'<f4'", _ order: String = "False", _ shape: String = "(2,)") -> String {
        "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
      }
      let good = try Data(contentsOf: URL(fileURLWithPath: Golden.file("io_float32.npy")))
      for length in 0..<good.count { try refuse(good.prefix(length), length < 10 ? "does not begin as a .npy file" : "truncated") }
      try refuse(good + Data([0]), "takes 24 bytes, but 25 follow the header. Cut the file to 152 bytes")
      try refuse(Data("PK\u{3}\u{4}123456".utf8), ".npz archive must be unpacked")
      try refuse(file(fields(), data: 8, version: [4, 0]), "format version 4.0 is unknown")
      try refuse(file(fields("'|O'"), data: 8), "dtype '|O' is not supported")
      try refuse(file(fields("'<f4'", "0"), data: 8), "expected a string, True, False or a tuple")
      try refuse(file(fields("'<f4'", "'True'"), data: 8), "fortran_order is not True or False")
      try refuse(file(fields("'<f4'", "False", "(2)"), data: 8), "a tuple of one number needs a comma")
      try refuse(file(fields("'<f4'", "False", "(-2,)"), data: 8), "expected a whole number")
      try refuse(file(fields("'<f4'", "False", "(9223372036854775807,)"), data: 8), "is too large")
      try refuse(file(fields("'<f4'", "False", "'x'"), data: 8), "shape is not a tuple")
      try refuse(file("{'descr': '<f4'}", data: 8), "not descr, fortran_order and shape")
      try refuse(file("{'descr': '<f4', 'descr': '<f4'}", data: 8), "occurs twice")
      try refuse(file(fields() + "x", data: 8), "text after the dictionary")
      try refuse(file("{'descr': __import__('os')}", data: 8), "expected a string, True, False or a tuple")
      try refuse(file(fields("'|b1'")) + Data([0, 2]), "a bool byte is neither 0 nor 1")
      try file(fields("\"=f4\"", "True", "( 2 ,)"), data: 8).write(to: URL(fileURLWithPath: path))
      #expect(try Npy.load(path).shape == [2])
    }
  }

  @Test func failedWrites() throws {
    try withTemporaryFolder { folder in
      var error = #expect(throws: NpyError.self) { try Npy.save(Tensor.ones([1], dtype: .bfloat16), to: "\(folder)/x.npy") }
      #expect(error?.description == "\(folder)/x.npy: NumPy has no bfloat16. Convert the tensor to float32 first.")
      error = #expect(throws: NpyError.self) { try Npy.save(Tensor(1.0), to: "\(folder)/absent/x.npy") }
      #expect(error?.description.contains("No such file or directory") == true)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left == [])
    }
  }
}
