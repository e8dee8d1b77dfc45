import Foundation
import TestFiles
import Testing
import Vision

@Suite struct CIFARFilesTests {
  private static let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

  private static func pixel(_ record: Int, _ index: Int) -> UInt8 {
    UInt8((31 * record + 7 * index + index / 32) % 256)
  }

  private static func records(_ labels: [[UInt8]], from first: Int = 0) -> [UInt8] {
    labels.enumerated().flatMap { index, label in label + (0..<3072).map { pixel(first + index, $0) } }
  }

  private static func binary() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for batch in 0..<5 {
      try folder.write(
        "cifar-10-batches-bin/data_batch_\(batch + 1).bin",
        records([[UInt8(batch)], [UInt8(9 - batch)]], from: 2 * batch))
    }
    try folder.write("cifar-10-batches-bin/test_batch.bin", records([[7], [8], [9]], from: 50))
    try folder.write("cifar-10-batches-bin/batches.meta.txt", names.joined(separator: "\n") + "\n\n")
    return folder
  }

  @Test(.enabled(if: RealData.cifar10 != nil, RealData.absent))
  func realCIFAR10() throws {
    let path = try #require(RealData.cifar10)
    let images = try CIFAR10Files.read(path, split: .train)
    #expect(images.count == 50_000 && images.channels == 3 && images.height == 32 && images.width == 32)
    #expect(images.classNames == Self.names)
    // label, (0, 0, 0), (1, 5, 7), (2, 31, 31), sum of the image; computed with numpy from the files
    for (n, label, a, b, c, sum) in [
      (0, 6, 59, 77, 72, 317_790), (1, 9, 154, 118, 144, 400_427), (9_999, 5, 62, 114, 131, 380_993),
      (20_000, 8, 26, 9, 27, 286_831), (29_999, 1, 62, 66, 116, 291_638), (40_000, 1, 255, 169, 248, 501_355),
      (49_999, 1, 229, 96, 161, 405_136),
    ] {
      #expect(images.labels[n] == Int64(label))
      #expect([images[n, 0, 0, 0], images[n, 1, 5, 7], images[n, 2, 31, 31]].map(Int.init) == [a, b, c])
      #expect(images.pixels[n * 3072..<(n + 1) * 3072].reduce(0) { $0 + Int($1) } == sum)
    }
    let test = try CIFAR10Files.read((path as NSString).deletingLastPathComponent, split: .test)
    #expect(test.count == 10_000 && test.labels[0] == 3 && test.labels[9_999] == 7)
    #expect(test.pixels.reduce(0) { $0 + Int($1) } == 3_733_375_634)
    for label in Int64(0)..<10 { #expect(test.labels.count { $0 == label } == 1_000) }
  }

  @Test(.enabled(if: RealData.cifar10 != nil, RealData.absent))
  func pythonLayoutOfRealRecords() throws {
    let source = try CIFAR10Files.read(try #require(RealData.cifar10), split: .test)
    let folder = try TemporaryFolder()
    let labels = source.labels.prefix(12)
    let raw = Array(source.pixels.prefix(12 * 3072))
    // As Python 2 wrote the published files: protocol 2, 8-bit strings.
    func short(_ text: String) -> [UInt8] { [0x55, UInt8(text.utf8.count)] + Array(text.utf8) }
    func line(_ text: String) -> [UInt8] { Array(text.utf8) }
    var pickle: [UInt8] = [0x80, 2] + line("}q\u{1}(") + short("data")
    pickle +=
      line("cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\u{0}") + [0x85] + short("b") + [0x87]
      + line("R(K\u{1}K\u{c}M")
    pickle +=
      [0x00, 0x0c, 0x86] + line("cnumpy\ndtype\n") + short("u1") + line("K\u{0}K\u{1}") + [0x87] + line("R(K\u{3}")
      + short("|")
    pickle += line("NNNJ") + [255, 255, 255, 255] + line("J") + [255, 255, 255, 255] + line("K\u{0}tb") + [0x89]
    pickle += line("T") + [0x00, 0x90, 0x00, 0x00] + raw + line("tb") + short("labels") + line("](")
    pickle += labels.flatMap { [0x4b, UInt8($0)] } + line("eu.")
    try folder.write("test_batch", pickle)
    try folder.write("batches.meta", try golden("cifar10_meta.pkl"))
    let read = try CIFARPythonFiles.readCIFAR10(folder.path, split: .test, recordsPerFile: 12)
    #expect(read.labels == Array(labels) && same(read.pixels, raw) && read.classNames == Self.names)
  }

  @Test func binaryLayout() throws {
    let folder = try Self.binary()
    for path in [folder.path, folder.path + "/cifar-10-batches-bin", folder.path + "/cifar-10-batches-bin/"] {
      let train = try CIFAR10Files.read(path, split: .train, recordsPerFile: 2)
      #expect(train.labels == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5] && train.classNames == Self.names)
      #expect(same(train.pixels, (0..<10).flatMap { n in (0..<3072).map { Self.pixel(n, $0) } }))
      let test = try CIFAR10Files.read(path, split: .test, recordsPerFile: nil)
      #expect(test.labels == [7, 8, 9] && test[2, 1, 3, 4] == Self.pixel(52, 1024 + 3 * 32 + 4))
    }
  }

  @Test func binaryDamage() throws {
    let folder = try Self.binary()
    func read(_ split: DataSplit = .train, records: Int? = 2) -> String {
      message { _ = try CIFAR10Files.read(folder.path, split: split, recordsPerFile: records) }
    }
    let inside = folder.path + "/cifar-10-batches-bin"
    #expect(read(.unlabeled) == "\(folder.path): this data set has no unlabeled split. Choose one of: train, test.")
    #expect(
      read(.test, records: 10_000)
        == "\(inside)/test_batch.bin: 9,219 bytes, expected 30,730,000 (10,000 records of 3,073 bytes). "
        + "The file is truncated: copy or download it again.")
    let third = Self.records([[1], [2]])
    try folder.write("cifar-10-batches-bin/data_batch_3.bin", third + [0])
    #expect(
      read().contains("data_batch_3.bin: 6,147 bytes, expected 6,146 (2 records of 3,073 bytes). The file is too long"))
    try folder.write("cifar-10-batches-bin/data_batch_3.bin", Array(third.dropLast(100)))
    #expect(read(records: nil).contains("data_batch_3.bin: 6,046 bytes, expected 6,146"))
    try folder.write("cifar-10-batches-bin/data_batch_3.bin", [UInt8]())
    #expect(read(records: nil).contains("data_batch_3.bin: 0 bytes, expected 3,073"))
    try folder.write("cifar-10-batches-bin/data_batch_3.bin", Self.records([[1], [10]]))
    #expect(read().contains("data_batch_3.bin: record 1 has label 10, expected 0 to 9"))
    try folder.remove("cifar-10-batches-bin/data_batch_3.bin")
    #expect(read().contains("\(inside): not found here: data_batch_3.bin."))
    try folder.write("cifar-10-batches-bin/data_batch_3.bin", third)
    try folder.write("cifar-10-batches-bin/batches.meta.txt", "one\ntwo\n")
    #expect(read().contains("batches.meta.txt: 2 class names, expected 10"))
  }

  @Test func missingPathsGetSuggestions() throws {
    let folder = try Self.binary()
    let typo = message { _ = try CIFAR10Files.read(folder.path + "/cifar10-batches-bin", split: .test) }
    #expect(
      typo
        == "\(folder.path)/cifar10-batches-bin: no such file or folder. Did you mean "
        + "\(folder.path)/cifar-10-batches-bin?"
    )
    try folder.write("other/readme.txt", "")
    let neighbour = message { _ = try CIFAR10Files.read(folder.path + "/other", split: .test) }
    #expect(
      neighbour.contains(
        "not found here: test_batch.bin, batches.meta.txt. Did you mean \(folder.path)/cifar-10-batches-bin?"))
  }

  @Test func cifar100Binary() throws {
    let folder = try TemporaryFolder()
    try folder.write("cifar-100-binary/train.bin", Self.records([[19, 99], [0, 5]]))
    try folder.write("cifar-100-binary/fine_label_names.txt", (0..<100).map { "fine \($0)" }.joined(separator: "\n"))
    try folder.write("cifar-100-binary/coarse_label_names.txt", (0..<20).map { "coarse \($0)" }.joined(separator: "\n"))
    let fine = try CIFAR100Files.read(folder.path, split: .train, records: 2)
    #expect(fine.labels == [99, 5] && fine.classNames[99] == "fine 99")
    #expect(same(fine.pixels, (0..<2).flatMap { n in (0..<3072).map { Self.pixel(n, $0) } }))
    let coarse = try CIFAR100Files.read(folder.path, split: .train, labels: .coarse, records: 0)
    #expect(coarse.labels == [19, 0] && coarse.classNames.count == 20 && same(coarse.pixels, fine.pixels))
    #expect(
      message { _ = try CIFAR100Files.read(folder.path, split: .train) }
        .contains("6,148 bytes, expected 153,700,000 (50,000 records of 3,074 bytes)"))
    #expect(message { _ = try CIFAR100Files.read(folder.path, split: .test) }.contains("not found here: test.bin."))
    try folder.write("cifar-100-binary/train.bin", Self.records([[19, 99], [20, 5]]))
    #expect(
      message { _ = try CIFAR100Files.read(folder.path, split: .train, labels: .coarse, records: 2) }
        .contains("record 1 has label 20, expected 0 to 19"))
    try folder.write("cifar-100-binary/train.bin", Self.records([[19, 100]]))
    #expect(
      message { _ = try CIFAR100Files.read(folder.path, split: .train, records: 1) }.contains("record 0 has label 100"))
  }

  @Test(arguments: ["protocol0", "protocol2", "protocol4", "protocol5", "fortran4", "fortran5"])
  func pythonLayout(kind: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("cifar-10-batches-py/test_batch", try golden("cifar10_\(kind).pkl"))
    try folder.write("cifar-10-batches-py/batches.meta", try golden("cifar10_meta.pkl"))
    let images = try CIFAR10Files.read(folder.path, split: .test, recordsPerFile: 3)
    #expect(images.labels == [3, 0, 9] && images.classNames == Self.names && images.channels == 3)
    #expect(same(images.pixels, (0..<3).flatMap { n in (0..<3072).map { Self.pixel(n, $0) } }))
    #expect(
      message { _ = try CIFAR10Files.read(folder.path, split: .test) }.contains("test_batch: 3 images, expected 10,000")
    )
    #expect(
      message { _ = try CIFAR10Files.read(folder.path, split: .train) }.contains(
        "not found here: data_batch_1, data_batch_2"))
  }

  @Test func pythonLayoutDamage() throws {
    let folder = try TemporaryFolder()
    try folder.write("batches.meta", try golden("cifar10_meta.pkl"))
    func read(_ batch: [UInt8]) throws -> String {
      try folder.write("test_batch", batch)
      return message { _ = try CIFARPythonFiles.readCIFAR10(folder.path, split: .test, recordsPerFile: nil) }
    }
    let whole = try golden("cifar10_protocol4.pkl")
    #expect(try read(Array(whole.dropLast(2_000))).contains("ends early"))
    #expect(try read(Array("(dS'labels'\n(lI1\nas.".utf8)).contains("test_batch: no numpy array under the key 'data'"))
    #expect(try read(Array("cos\nsystem\n(S'true'\ntR.".utf8)).contains("test_batch: the pickle asks for os.system"))
    #expect(try read(Array("I1\n.".utf8)).contains("no numpy array"))
    // The label list [3, 0, 9] as written by protocol 4: make the 9 a 10, then drop one label.
    let list: [UInt8] = [0x4b, 3, 0x4b, 0, 0x4b, 9]
    let at = try #require((0..<whole.count - 6).first { Array(whole[$0..<$0 + 6]) == list })
    var wrong = whole
    wrong[at + 5] = 10
    #expect(try read(wrong).contains("record 2 has label 10, expected 0 to 9"))
    wrong.replaceSubrange(at + 4..<at + 6, with: [0x30, 0x4e])
    #expect(try read(wrong) != "no error")
    try folder.write("batches.meta", Array("(dS'label_names'\n(lS'cat'\nas.".utf8))
    #expect(try read(whole).contains("batches.meta: no list of 10 class names"))
  }

  @Test func cifar100Python() throws {
    let folder = try TemporaryFolder()
    let names = { (count: Int) in "(l" + (0..<count).map { "S'n\($0)'\na" }.joined() }
    try folder.write(
      "cifar-100-python/meta", "(dS'fine_label_names'\n\(names(100))sS'coarse_label_names'\n\(names(20))s.")
    let array =
      "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nI3072\nt"
      + "cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'\(String(repeating: "A", count: 3072))'\ntb"
    try folder.write(
      "cifar-100-python/test", "(dS'data'\n\(array)sS'fine_labels'\n(lI99\nasS'coarse_labels'\n(lI19\nas.")
    let fine = try CIFAR100Files.read(folder.path, split: .test, records: 1)
    #expect(
      fine.labels == [99] && same(fine.pixels, [UInt8](repeating: 65, count: 3072)) && fine.classNames[99] == "n99")
    #expect(try CIFARPythonFiles.readCIFAR100(folder.path, split: .test, labels: .coarse, records: 1).labels == [19])
    #expect(message { _ = try CIFAR100Files.read(folder.path, split: .test) }.contains("1 images, expected 10,000"))
  }
}
