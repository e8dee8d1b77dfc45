import Files
import Formats
import TestFiles
import Testing

@Suite struct SafePickleTests {
  private func load(_ bytes: [UInt8]) throws -> PickleValue { try SafePickle().load(bytes, name: "p.pkl") }
  private func load(_ text: String) throws -> PickleValue { try load(Array(text.utf8)) }

  @Test(arguments: 0...5)
  func pythonValues(protocolVersion: Int) throws {
    let value = try load(try golden("values_protocol\(protocolVersion).pkl"))
    #expect(value["none"] == PickleValue.none)
    #expect(value["true"] == .bool(true) && value["false"] == .bool(false))
    #expect(value["int"] == .int(-123_456))
    #expect(value["big"] == .bigInt([0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0]))
    #expect(value["float"] == .float(-0.15625))
    #expect(value["text"] == .string("café 中 \\ \n"))
    #expect(value["bytes"] == .bytes(Array(0...255)))
    #expect(value["list"] == .list([.int(1), .list([.int(2), .tuple([.int(3), .int(4), .int(5), .int(6)])])]))
    #expect(value["tuple"] == .tuple([]) && value["empty"] == .dict([]))
    #expect(value["shared"] == .list([.list([.string("x")]), .list([.string("x")])]))
    #expect(value["f4"]?.array?.shape == [2, 2] && value["f4"]?.array?.floats == [1.5, -2, 0.25, 3e8])
    #expect(value["i2big"]?.array?.dtype == .int16 && value["i2big"]?.integers == [1, -2, 300])
    #expect(value["scalar"] == .int(77))
    #expect(value["flag"]?.array?.dtype == .bool && value["flag"]?.array?.bytes == [1, 0])
    #expect(
      value["ints"]?.integers
        == [255, 256, 65_535, 65_536, 2_147_483_647, -2_147_483_648, 2_147_483_648, .max, .min])
  }

  @Test func python2Strings() throws {
    #expect(try load("S'a\\'b\\\\\\x41\\n\\102\\q'\n.") == .bytes(Array("a'b\\A\nB\\q".utf8)))
    #expect(try load("(dS'key'\nI7\ns.")["key"] == .int(7))
    #expect(try load("L-18446744073709551616L\n.") == .bigInt([0, 0, 0, 0, 0, 0, 0, 0, 0xff]))
    #expect(try load("L-9223372036854775808L\n.") == .int(.min))
  }

  @Test(arguments: [
    ("cos\nsystem\n(S'true'\ntR.", "os.system"), ("cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
    ("ccopy_reg\n_reconstructor\n.", "copy_reg._reconstructor"),
    ("ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
    ("(S'true'\nios\nsystem\n.", "os.system"),
    ("cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
    ("c_codecs\ndecode\n.", "_codecs.decode"),
  ])
  func functionsAreRefusedByName(pickle: String, global: String) {
    let text = message { _ = try load(pickle) }
    #expect(text.contains("p.pkl: the pickle asks for \(global), which"))
    #expect(text.contains("will not be executed"))
  }

  @Test func stackGlobalIsRefusedByName() {
    let bytes: [UInt8] =
      [0x80, 4, 0x8c, 2] + Array("os".utf8) + [0x8c, 6] + Array("system".utf8) + [0x93] + Array(".".utf8)
    #expect(message { _ = try load(bytes) }.contains("asks for os.system"))
  }

  @Test func everyTruncationIsAnError() throws {
    for file in (0...5).map({ "values_protocol\($0).pkl" }) + ["cifar10_protocol4.pkl"] {
      let whole = try golden(file)
      for count in stride(from: 0, to: whole.count, by: whole.count > 2_000 ? 37 : 1) {
        #expect(throws: FormatError.self, "\(file) cut to \(count)") { _ = try load(Array(whole.prefix(count))) }
      }
    }
  }

  @Test func noiseNeverCrashes() throws {
    var noise = SystemRandomNumberGenerator()
    for file in (0...5).map({ "values_protocol\($0).pkl" }) {
      let whole = try golden(file)
      for _ in 0..<2_000 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...4, using: &noise) {
          bytes[.random(in: 0..<bytes.count, using: &noise)] = .random(in: 0...255, using: &noise)
        }
        _ = try? load(bytes)
      }
    }
  }

  @Test(arguments: [
    ("B\u{7f}\u{7f}\u{7f}\u{7f}abc", "ends early"), ("]", "ends early"), (".", "0 values at the end"),
    ("a.", "empty stack"),
    ("]]].", "3 values at the end"), ("h\u{5}.", "no memo 5"),
    ("t.", "no mark"), ("(1.", "0 values at the end"), ("(I1\nu.", "key without a value"),
    ("}I1\na.", "no list"), ("]I1\nI2\ns.", "no dict"), ("I12x\n.", "where an integer belongs"),
    ("Fabc\n.", "where a number belongs"),
    ("I1\n(tR.", "no name"), ("Pid\n.", "outside of the pickle"), ("]q\u{0}h\u{0}a.", "contains itself"),
    ("I1\nI2\nb.", "takes none"),
    ("cnumpy\nndarray\n(tR.", "numpy.ndarray"), ("I1\n.x", "1 bytes follow the end"),
    ("Vabc\\u12\n.", "hexadecimal"), ("V\\u\n.", "hexadecimal"),
    ("S'abc\n.", "quotes"), ("S'\\x4'\n.", "hexadecimal"), ("p1\n.", "empty stack"), ("g-1\n.", "no number"),
  ])
  func malformed(pickle: String, expected: String) {
    let text = message { _ = try load(pickle) }
    #expect(text.contains("p.pkl: ") && text.contains(expected))
  }

  @Test func hugeSizes() {
    #expect(message { _ = try load([0x8e] + [UInt8](repeating: 0xff, count: 8)) }.contains("a size of"))
    #expect(message { _ = try load([0x8e] + [UInt8](repeating: 0xff, count: 7) + [0x7f]) }.contains("ends early"))
    #expect(message { _ = try load([0x95] + [UInt8](repeating: 0x7f, count: 8)) }.contains("a frame of"))
    #expect(message { _ = try load([0x80, 9, 0x4e, 0x2e]) }.contains("protocol 9"))
    #expect(message { _ = try load([0x97, 0x2e]) }.contains("opcode 0x97"))
  }

  @Test func deepNesting() {
    let lists = String(repeating: "]", count: 30_000) + String(repeating: "a", count: 29_999) + "."
    #expect(message { _ = try load(lists) }.contains("nested more than 100 deep"))
    // Each list gets the next one only after it was itself put away, so no depth shows while reading.
    let chain = "]q\u{0}q\u{1}0" + String(repeating: "h\u{1}]q\u{1}a0", count: 30_000) + "h\u{0}."
    #expect(message { _ = try load(chain) }.contains("nested more than 100 deep"))
    let tuples = [0x4e] + [UInt8](repeating: 0x85, count: 100_000) + [0x2e]
    #expect(message { _ = try load(tuples) }.contains("nested more than 100 deep"))
    #expect(message { _ = try load(String(repeating: "(", count: 100_000)) }.contains("ends early"))
  }

  @Test func depthCountsSharedParts() {
    // Chains of 60 lists, each ending in the chain before: no single one is too deep, together they are.
    var bytes = Array("]q\u{0}0(".utf8)
    for _ in 0..<3 { bytes += Array("h\u{0}".utf8) + [UInt8](repeating: 0x85, count: 60) + Array("q\u{0}".utf8) }
    bytes += Array("l.".utf8)
    #expect(message { _ = try load(bytes) }.contains("nested more than 100 deep"))
  }

  @Test func memoBombs() {
    // Every list holds the one before twice: 2^60 values for whoever walks it.
    let doubling = (1...60).map { level in
      let last = UnicodeScalar(UInt8(level - 1)), next = UnicodeScalar(UInt8(level))
      return "(h\(last)h\(last)lq\(next)0"
    }
    #expect(
      message { _ = try load("]q\u{0}0" + doubling.joined() + "h\u{3c}.") }.contains("more than 4,000,000 values"))
    #expect((try? load("]q\u{0}0" + doubling.prefix(10).joined() + "h\u{a}."))?.list?.count == 2)
    // One text turned into bytes again and again.
    let text = String(repeating: "a", count: 60_000)
    let repeated = "V\(text)\np0\n0(" + String(repeating: "c_codecs\nencode\n(g0\nVlatin1\ntR", count: 1_000) + "l."
    #expect(message { _ = try load(repeated) }.contains("far more bytes than the file holds"))
  }

  @Test func arraysMustFitTheirShape() throws {
    func array(_ shape: String, _ raw: String, type: String = "u1") -> String {
      "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(\(shape)t"
        + "cnumpy\ndtype\n(S'\(type)'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'\(raw)'\ntb."
    }
    #expect(try load(array("I2\nI3\n", "abcdef")).array?.shape == [2, 3])
    #expect(try load(array("I2\nI3\n", "abcdef")).array?.bytes == Array("abcdef".utf8))
    #expect(
      message { _ = try load(array("I2\nI3\n", "abcde")) }.contains(
        "shape [2, 3] and type uint8 with 5 bytes, expected 6"))
    #expect(message { _ = try load(array("I-1\nI-6\n", "abcdef")) }.contains("shape [-1, -6]"))
    #expect(
      message { _ = try load(array("I4611686018427387904\nI4611686018427387904\n", "")) }.contains("an array of shape"))
    #expect(message { _ = try load(array("I1\n", "abcdefgh", type: "O8")) }.contains("type 'O8'"))
  }

  @Test func laterReadersExtendTheTable() throws {
    let pickle =
      "ccollections\nOrderedDict\n(tR(S'w'\nctorch._utils\n_rebuild_tensor_v2\n(S'storage'\nQI0\n(I2\ntI00\ntRu."
    #expect(message { _ = try load(pickle) }.contains("collections.OrderedDict"))
    var reader = SafePickle()
    reader.builders[PickleGlobal("collections", "OrderedDict")] = { .dict($0.items) }
    reader.builders[PickleGlobal("torch._utils", "_rebuild_tensor_v2")] = SafePickle.record
    reader.persistent = { .tuple([.string("resolved"), $0]) }
    let value = try reader.load(Array(pickle.utf8), name: "p.pkl")
    #expect(
      value["w"]
        == .object(
          PickleObject(
            global: PickleGlobal("torch._utils", "_rebuild_tensor_v2"),
            arguments: [
              .tuple([.string("resolved"), .bytes(Array("storage".utf8))]), .int(0), .tuple([.int(2)]), .bool(false),
            ])))
    let (first, end) = try reader.loadPrefix(Array("I1\n.I2\n.".utf8), from: 0, name: "two")
    #expect(first == .int(1) && end == 4)
    #expect(try reader.loadPrefix(Array("I1\n.I2\n.".utf8), from: end, name: "two").value == .int(2))
  }
}
