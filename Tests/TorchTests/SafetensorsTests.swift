import Files
import Formats
import Foundation
import TestFiles
import TestSupport
import Testing
import Torch

/// The tensors of `make_io.py`: one of each dtype.
func ioTensor(_ dtype: DType) -> Tensor {
  switch dtype {
  case .bool: Tensor([false, true, false, true, true, false], shape: [2, 3])
  case .uint8: Tensor([0, 40, 80, 120, 160, 200] as [UInt8], shape: [2, 3])
  case .int8, .int16, .int32, .int64: Tensor([-60, -40, -20, 0, 20, 40] as [Int64], shape: [2, 3]).to(dtype)
  default: (10 * pattern([2, 3], 0.5)).to(dtype)
  }
}

@Suite struct SafetensorsTests {
  private func everything() -> [(key: String, tensor: Tensor)] {
    DType.allCases.map { ($0.description, ioTensor($0)) } + [
      ("empty", Tensor.zeros([0, 3])), ("scalar", Tensor(-1.5, dtype: .float64)),
      ("größe \"重み\" \\ \t", Tensor([7] as [UInt8])),
    ]
  }
  private let note = "zwei\n\"Zeilen\" \\ 重み \u{1}"

  @Test func readsPython() throws {
    let file = try Safetensors.load(Golden.file("io.safetensors"))
    #expect(file.metadata == ["format": "pt", "note": note])
    #expect(Set(file.tensors.map(\.key)) == Set(everything().map(\.key)))
    for (key, tensor) in everything() { expectSame(try #require(file[key]), tensor, key) }
  }

  @Test func roundTrip() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/all.safetensors"
      try Safetensors.save(everything(), metadata: ["note": note, "a": ""], to: path)
      let file = try Safetensors.load(path)
      #expect(file.metadata == ["note": note, "a": ""])
      for (key, tensor) in everything() { expectSame(try #require(file[key]), tensor, key) }
      #expect(file.tensors.count == everything().count)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder) == ["all.safetensors"], "no temporary file stays")
    }
  }

  @Test func layout() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.safetensors"
      try Safetensors.save(everything(), to: path)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      #expect(length % 8 == 0, "the data begin at a multiple of 8")
      let header = try #require(try JSONSerialization.jsonObject(with: bytes[8..<8 + length]) as? [String: Any])
      #expect(header["__metadata__"] == nil, "no empty metadata")
      for (key, tensor) in everything() {
        let offsets = try #require((header[key] as? [String: Any])?["data_offsets"] as? [Int])
        #expect(offsets[0] % tensor.dtype.size == 0, "\(key) is aligned to its elements")
      }
      let order = try Safetensors.load(path).tensors.map(\.key)
      #expect(order.prefix(3) == ["int64", "float64", "scalar"], "order is kept among equal sizes: \(order)")
    }
  }

  @Test func nothingAtAll() throws {
    try withTemporaryFolder { folder in
      try Safetensors.save([], to: "\(folder)/none.safetensors")
      #expect(try Safetensors.load("\(folder)/none.safetensors").tensors.isEmpty)
    }
  }

  @Test func anyMemoryOrder() throws {
    try withTemporaryFolder { folder in
      let x = pattern([2, 3, 4, 5], 0)
      let tensors = [
        ("last", x.contiguous(.channelsLast)), ("view", x.permuted(3, 0, 1, 2)), ("leaf", x.clone().requiresGrad_()),
      ]
      try Safetensors.save(tensors.map { (key: $0.0, tensor: $0.1) }, to: "\(folder)/x.safetensors")
      let file = try Safetensors.load("\(folder)/x.safetensors")
      expectSame(try #require(file["last"]), x)
      expectSame(try #require(file["view"]), x.permuted(3, 0, 1, 2))
      #expect(file["leaf"]?.requiresGrad == false && file["absent"] == nil)
    }
  }

  @Test func replacesWhole() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.safetensors"
      try Safetensors.save([("a", Tensor.zeros([100]))], to: path)
      try Safetensors.save([("b", Tensor.ones([1]))], to: path)
      #expect(try Safetensors.load(path).tensors.map(\.key) == ["b"])
    }
  }

  @Test func refusedNames() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.safetensors"
      let one = Tensor(1.0)
      var error = #expect(throws: FormatError.self) { try Safetensors.save([("a", one), ("a", one)], to: path) }
      #expect(error?.description == "\(path): two tensors have the key 'a'. Give each its own.")
      error = #expect(throws: FormatError.self) { try Safetensors.save([("__metadata__", one)], to: path) }
      #expect(error?.description.contains("reserved") == true)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left == [])
    }
  }

  @Test func failedWritesLeaveNothing() throws {
    try withTemporaryFolder { folder in
      let one = [(key: "a", tensor: Tensor(1.0))]
      let target = "\(folder)/folder"
      try FileManager.default.createDirectory(atPath: "\(target)/inside", withIntermediateDirectories: true)
      var error = #expect(throws: FileError.self) { try Safetensors.save(one, to: target) }
      #expect(error?.description.hasPrefix("cannot write \(target): it is a folder") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["folder"])

      error = #expect(throws: FileError.self) { try Safetensors.save(one, to: "\(folder)/absent/x.safetensors") }
      #expect(error?.description.contains("the folder \(folder)/absent does not exist") == true)
      // A folder that not even root can write to.
      error = #expect(throws: FileError.self) { try Safetensors.save(one, to: "/proc/self/x.safetensors") }
      #expect(error?.description.hasPrefix("cannot write /proc/self/x.safetensors: ") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["folder"])
    }
  }

  @Test func unreadable() throws {
    try withTemporaryFolder { folder in
      var error = #expect(throws: FileError.self) { try Safetensors.load("\(folder)/absent") }
      #expect(error?.description == "cannot read \(folder)/absent: there is no such file or folder. Check the path.")
      error = #expect(throws: FileError.self) { try Safetensors.load(folder) }
      #expect(
        error?.description
          == "cannot read \(folder): it is a folder, and a file is expected. Name a file, or remove the folder.")
    }
  }

  /// A checkpoint of PreAct-ResNet18's size.
  @Test func loadsFast() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/large.safetensors"
      try Safetensors.save((0..<60).map { ("layer.\($0)", pattern([8], 0).repeated(23_437)) }, to: path)
      let clock = ContinuousClock()
      var best = Duration.seconds(99)
      // About 10 ms on an idle machine; where other work runs beside this test, one of several tries finds a quiet
      // moment.
      for _ in 0..<20 where best > .milliseconds(100) {
        best = min(best, try clock.measure { _ = try Safetensors.load(path) })
      }
      #expect(best < .milliseconds(100), "45 MB took \(best)")
    }
  }
}

/// Every way in which a file can break the format, with the error that says so.
@Suite struct SafetensorsDamageTests {
  /// A file of a short header and the given data.
  private func write(_ header: String, _ data: Data, to path: String) throws {
    let bytes = Data([UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0]) + Data(header.utf8) + data
    try bytes.write(to: URL(fileURLWithPath: path))
  }
  private func expectRefusal(
    _ header: String, data: Int = 8, _ parts: String..., length: UInt64? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/bad.safetensors"
      var bytes = withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Data($0) }
      bytes += Data(header.utf8) + Data(repeating: 0, count: data)
      try bytes.write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) { try Safetensors.load(path) }
      for part in ["\(path): "] + parts {
        #expect(
          error?.description.contains(part) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
      }
    }
  }
  private func entry(_ fields: String) -> String { "{\"w\":{\(fields)}}" }
  private func tensor(_ key: String, _ begin: Int, _ end: Int) -> String {
    "\"\(key)\":{\"dtype\":\"U8\",\"shape\":[\(end - begin)],\"data_offsets\":[\(begin),\(end)]}"
  }
  private let offsets = "\"data_offsets\":[0,8]"

  @Test func headerLength() throws {
    try expectRefusal("", data: 0, "follow", length: 2)
    try expectRefusal("{}", data: 0, "claim a header of 18446744073709551615 bytes", "100000000", ".pt", length: .max)
    try expectRefusal("{}", data: 0, "claim a header of 100000001 bytes", length: 100_000_001)
    try expectRefusal("{}", data: 0, "takes 99 bytes, but only 2 follow", "truncated", length: 99)
    try withTemporaryFolder { folder in
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: "\(folder)/x"))
      let error = #expect(throws: FormatError.self) { try Safetensors.load("\(folder)/x") }
      #expect(error?.description.contains("3 bytes are too few") == true)
    }
  }

  @Test func grammar() throws {
    try expectRefusal("", "must begin with '{'")
    try expectRefusal(" {}", "must begin with '{'")
    try expectRefusal("[]", "must begin with '{'")
    try expectRefusal("{", "A key in double quotes is expected", "header:1:2")
    try expectRefusal("{\"w\"}", "A colon is expected")
    try expectRefusal("{\"w\":[]}", "a list, not an object")
    try expectRefusal("{\"w\":{}}", "lacks dtype, shape, data_offsets")
    try expectRefusal("{}x", data: 0, "text after the end")
    try expectRefusal("{\"w:{}", "not closed")
    try expectRefusal("{\"\\x\":{}}", "not an escape that JSON knows")
    try expectRefusal("{\"\\u12\":{}}", "four hexadecimal digits")
    try expectRefusal("{\"\\ud800\":{}}", "Half of a surrogate pair")
    try expectRefusal("{\"\\ud800\\u0041\":{}}", "Half of a surrogate pair")
    try expectRefusal("{\"a\nb\":{}}", "a raw control character")
    try expectRefusal("{\(tensor("a", 0, 8)),}", "A key in double quotes")
    try expectRefusal("{\(tensor("a", 0, 8)) \(tensor("b", 8, 8))}", "A comma or a closing brace")
  }

  @Test func notUTF8() throws {
    try withTemporaryFolder { folder in
      let header = Data("{\"".utf8) + Data([0xFF, 0xFE]) + Data("\":{}}".utf8)
      let bytes = Data([UInt8(header.count), 0, 0, 0, 0, 0, 0, 0]) + header
      try bytes.write(to: URL(fileURLWithPath: "\(folder)/x"))
      let error = #expect(throws: FormatError.self) { try Safetensors.load("\(folder)/x") }
      #expect(error?.description.contains("not UTF-8") == true)
    }
  }

  @Test func duplicates() throws {
    try expectRefusal("{\(tensor("a", 0, 4)),\(tensor("a", 4, 8))}", "The key \"a\" appears twice")
    try expectRefusal("{\(tensor("a", 0, 4)),\(tensor("\\u0061", 4, 8))}", "The key \"a\" appears twice")
    try expectRefusal(
      entry("\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[8],\(offsets)"), "The key \"dtype\" appears twice")
    try expectRefusal("{\"__metadata__\":{\"x\":\"1\",\"x\":\"2\"}}", data: 0, "The key \"x\" appears twice")
    try expectRefusal("{\"__metadata__\":{},\"__metadata__\":{}}", data: 0, "The key \"__metadata__\" appears twice")
  }

  @Test func metadata() throws {
    try expectRefusal("{\"__metadata__\":{\"x\":1}}", data: 0, "not a text")
    try expectRefusal("{\"__metadata__\":\"x\"}", data: 0, "not an object")
  }

  @Test func fields() throws {
    try expectRefusal(entry("\"dtype\":\"U8\",\"shape\":[8]"), "tensor 'w': lacks data_offsets")
    try expectRefusal(entry("\"shape\":[8],\(offsets)"), "tensor 'w': lacks dtype")
    try expectRefusal(entry("\"dtype\":\"U8\",\"shape\":[8],\(offsets),\"x\":1"), "tensor 'w': unknown field 'x'")
  }

  @Test(arguments: ["U16", "F8_E4M3", "C64", "f32", ""]) func dtypes(_ name: String) throws {
    try expectRefusal(
      entry("\"dtype\":\"\(name)\",\"shape\":[2],\(offsets)"), "tensor 'w': dtype '\(name)' is not supported",
      "BOOL, U8, I8, I16, I32, I64, F16, BF16, F32, F64")
  }

  @Test func shapes() throws {
    func refuse(_ shape: String, _ parts: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      try expectRefusal(entry("\"dtype\":\"F32\",\"shape\":\(shape),\(offsets)"), parts, sourceLocation: sourceLocation)
    }
    try refuse("[-2]", "the number -2, not a whole number")
    try refuse("[2.0]", "not a whole number")
    try refuse("[2e0]", "not a whole number")
    try refuse("[02]", "not a JSON number")
    try refuse("[\"2\"]", "not a whole number")
    try refuse("[99999999999999999999]", "fits 64 bits")
    try refuse("[9223372036854775807]", "tensor 'w': shape [9223372036854775807] is too large")
    try refuse("[4294967296,4294967296]", "is too large")
    try refuse("[0,4294967296,4294967296]", "is too large")
    try refuse("[\(Array(repeating: "1", count: 65).joined(separator: ","))]", "is too large")
    try refuse("[2,]", "A value cannot start")
    try refuse("2", "not a list")
    try refuse("[3]", "tensor 'w': F32 [3] takes 12 bytes, but data_offsets [0, 8] hold 8")
    try refuse("[]", "F32 [] takes 4 bytes")
  }

  @Test func offsetsOfOne() throws {
    func refuse(_ offsets: String, _ parts: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      try expectRefusal(
        entry("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":\(offsets)"), parts, sourceLocation: sourceLocation)
    }
    try refuse("[8,0]", "data_offsets [8, 0] must be [begin, end]")
    try refuse("[0]", "must be [begin, end]")
    try refuse("[0,4,8]", "must be [begin, end]")
    try refuse("[0,9]", "hold 9")
    try refuse("[-8,0]", "the number -8, not a whole number")
    try refuse("[4,12]", "tensor 'w': ends at byte 12 of the data, but there are only 8. The file is truncated")
  }

  @Test func layout() throws {
    try expectRefusal(
      "{\(tensor("a", 0, 5)),\(tensor("b", 4, 8))}", "tensor 'b': begins at byte 4, inside 'a', which ends at 5")
    try expectRefusal("{\(tensor("a", 0, 8)),\(tensor("b", 0, 8))}", "tensor 'b': begins at byte 0, inside 'a'")
    try expectRefusal(
      "{\(tensor("a", 0, 3)),\(tensor("b", 4, 8))}", "tensor 'b': begins at byte 4, but the data before it end at 3")
    try expectRefusal("{\(tensor("a", 1, 8))}", "tensor 'a': begins at byte 1, but the data before it end at 0")
    try expectRefusal(
      "{\(tensor("a", 0, 8))}", data: 7, "tensor 'a': ends at byte 8 of the data, but there are only 7", "truncated")
    try expectRefusal("{\(tensor("a", 0, 8))}", data: 10, "2 bytes follow the last tensor")
    try expectRefusal("{}", data: 1, "1 bytes follow the last tensor. Cut the file to 10 bytes")
    try expectRefusal(
      "{\(tensor("a", 0, 4)),\(tensor("e", 2, 2)),\(tensor("b", 4, 8))}", "tensor 'e': begins at byte 2, inside 'a'")
  }

  @Test func booleans() throws {
    try withTemporaryFolder { folder in
      try write("{\"m\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}", Data([1, 2]), to: "\(folder)/x")
      let error = #expect(throws: FormatError.self) { try Safetensors.load("\(folder)/x") }
      #expect(error?.description.contains("tensor 'm': a BOOL byte is neither 0 nor 1") == true)
    }
  }

  /// Cutting a good file anywhere, or changing any byte of its header, gives an error or other tensors: never a trap.
  @Test func everyCutAndFlip() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.safetensors"
      try Safetensors.save(
        [("a", Tensor.ones([3])), ("b", Tensor([1, 2] as [UInt8]))], metadata: ["k": "v"], to: path)
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      for length in 0..<bytes.count {
        try bytes.prefix(length).write(to: URL(fileURLWithPath: path))
        #expect(throws: FormatError.self) { try Safetensors.load(path) }
      }
      for index in 0..<bytes.count - 14 {
        for mask in [1, 2, 16, 128] as [UInt8] {
          var changed = bytes
          changed[index] ^= mask
          try changed.write(to: URL(fileURLWithPath: path))
          _ = try? Safetensors.load(path)
        }
      }
    }
  }

  @Test func acceptedOddities() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/x.safetensors"
      let empty = "\"b\" : {\"shape\":[4,0],\"data_offsets\":[4,4],\"dtype\":\"F32\"}"
      try write("{ \(empty) ,\n\t\(tensor("\\ud83d\\ude00\\/", 4, 8)),\(tensor("a", 0, 4)) } \n", Data(1...8), to: path)
      let file = try Safetensors.load(path)
      #expect(file.tensors.map(\.key) == ["a", "b", "😀/"], "in the order of their bytes")
      #expect(file["😀/"]?.array(UInt8.self) == [5, 6, 7, 8] && file["b"]?.shape == [4, 0])
    }
  }
}
