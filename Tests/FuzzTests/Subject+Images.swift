import Files
import Formats
import Foundation
import Torch
@testable import Vision

extension Subject {
  /// Readers of images and data sets. Those that read folders get one below `work`, in which one file is the input.
  static func images(in work: String) throws -> [Subject] {
    let picture = DecodedImage(width: 6, height: 5, channels: 3, pixels: (0..<90).map { UInt8($0 * 2) })
    let ppm = Array("P6\n# six by five\n6 5\n255\n".utf8) + picture.pixels
    let pgm = Array("P5 6 5 100\n".utf8) + (0..<30).map { UInt8($0) }
    let pngs = try ["gray1", "gray16", "gray_alpha", "palette", "palette_transparent", "rgba"].map {
      try golden("vision/\($0).png")
    }
    let jpegs = try ["gray", "colour", "progressive", "cmyk"].map { try golden("vision/\($0).jpg") }
    func decode(_ bytes: [UInt8]) throws {
      _ = try DecodedImage.decode(bytes, name: "input", ImageDecoding(keepsAlpha: true)).image.encodePNG()
    }
    func others(_ name: String, _ files: [String], words: [String]) throws -> Subject {
      Subject(name: name, seeds: try files.map { try golden("vision/\($0).\(name)") }, words: words, read: decode)
    }

    return try [
      Subject(
        name: "png", seeds: [try picture.encodePNG()] + pngs, words: ["IHDR", "PLTE", "tRNS", "IDAT", "acTL", "iCCP"],
        repair: Repair.png,
        read: decode),
      Subject(name: "jpeg", seeds: jpegs, words: ["\u{FF}\u{D8}", "JFIF", "Adobe"], read: decode),
      try others("bmp", ["bits", "gray", "palette", "rgb"], words: ["BM"]),
      try others("gif", ["interlaced", "palette"], words: ["GIF89a", "!\u{F9}\u{4}", ",", ";"]),
      try others("tif", ["adobe_deflate", "gray", "lzw", "packbits", "palette"], words: ["II*\u{0}", "MM\u{0}*"]),
      try others(
        "webp", ["clear", "lossless", "lossy"], words: ["VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"]),
      Subject(name: "pnm", seeds: [ppm, pgm], words: ["P5", "P6", "#", "\n"], read: decode),
      Subject(
        name: "gzip", seeds: [Repair.gzip(ppm), try golden("vision/zeros.gz")],
        repair: { Repair.gzip(Array($0.dropFirst(15))) }
      ) {
        _ = try Gzip.inflate($0, limit: 1 << 24, name: "input")
      },
      try folder(
        "class-folder", in: work, file: "train/a/1.png", [try picture.encodePNG(), ppm] + jpegs,
        ["train/a/2.png": ppm, "train/b/1.ppm": ppm]
      ) {
        _ = try load("folder", $0, size: 16)
      },
      try folder(
        "image-list", in: work, file: "train.csv",
        [
          Array("path,label\n1.ppm,cat\n2.ppm,dog\n".utf8),
          Array("label;class;file\n7;\"a\"\"b\";1.ppm\n8;c;\"2.ppm\"\n".utf8),
        ],
        ["1.ppm": ppm, "2.ppm": ppm],
        words: [",", ";", "\t", "\"", "\"\"", "\n", "\r\n", "path", "label", "class", "1.ppm"]
      ) {
        _ = try load("csv", $0, size: 16)
      },
      try folder(
        "gtsrb-csv", in: work, file: "00000/GT-00000.csv", [gtsrb("1.ppm;6;5;1;1;4;3;0\r\n2.ppm;6;5;0;0;5;4;0\r\n")],
        ["00000/1.ppm": ppm, "00000/2.ppm": ppm], words: [";", "\n", "\r\n"]
      ) {
        _ = ImageDataset(
          name: "gtsrb",
          try GTSRBFiles.read($0, split: .train, cropToSign: true, size: 8, resize: Resizing.resize, classes: 1))
      },
      try folder(
        "tiny-imagenet", in: work, file: "val/val_annotations.txt",
        [Array("1.png\tn1\t0\t0\t5\t4\n2.png\tn2\t0\t0\t5\t4\n".utf8)],
        [
          "wnids.txt": Array("n1\nn2\n".utf8), "words.txt": Array("n1\tcat, feline\n".utf8), "val/images/1.png": ppm,
          "val/images/2.png": ppm,
        ]
      ) {
        _ = ImageDataset(name: "tiny", try TinyImageNetFiles.read($0, split: .test, size: 8, resize: Resizing.resize))
      },
      try folder(
        "tiny-imagenet-names", in: work, file: "words.txt", [Array("n1\tcat, feline\nn2\tdog\n".utf8)],
        [
          "wnids.txt": Array("n1\nn2\n".utf8), "val/val_annotations.txt": Array("1.png\tn1\n".utf8),
          "val/images/1.png": ppm,
        ]
      ) {
        _ = ImageDataset(name: "tiny", try TinyImageNetFiles.read($0, split: .test, size: 8, resize: Resizing.resize))
      },
    ] + records(in: work)
  }

  private static func records(in work: String) throws -> [Subject] {
    let names = Array((0..<10).map { "class \($0)\n" }.joined().utf8)
    let record = (0..<3072).map { UInt8(truncatingIfNeeded: $0) }
    let stl = [UInt8](repeating: 9, count: 96 * 96 * 3 * 2)
    let idxImages: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4] + (0..<24).map { UInt8($0) }
    let idxLabels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 2, 7, 9]
    let meta = try golden("vision/cifar10_meta.pkl")
    let batches = try ["protocol0", "protocol2", "protocol4", "fortran5"].map { try golden("vision/cifar10_\($0).pkl") }
    let values = try (0...5).map { try golden("vision/values_protocol\($0).pkl") }
    let opcodes = [
      "c_codecs\nencode\n", "cnumpy.core.multiarray\n_reconstruct\n", "cnumpy\ndtype\n", "cnumpy\nndarray\n", "(", "t",
      "R", "b", "2", "0",
      "u", "e", "s", "a", "l", "d", "q\u{0}", "h\u{0}", "\u{85}", "\u{86}", "\u{87}", "I1\n", "L1L\n", "F1\n", "S'a'\n",
      "p0\n", "g0\n",
    ]

    func set(_ name: String, _ raw: RawImages) { _ = ImageDataset(name: name, raw) }
    let image = values + batches.suffix(1)
    return [
      Subject(name: "pickle", seeds: image, words: opcodes) { _ = try SafePickle().load($0, name: "input") },
      try folder("cifar10-python", in: work, file: "test_batch", batches, ["batches.meta": meta], words: opcodes) {
        set("cifar10", try CIFAR10Files.read($0, split: .test, recordsPerFile: nil))
      },
      try folder(
        "cifar10-python-names", in: work, file: "batches.meta", [meta], ["test_batch": batches[1]], words: opcodes
      ) {
        set("cifar10", try CIFAR10Files.read($0, split: .test, recordsPerFile: nil))
      },
      try folder(
        "cifar10-binary", in: work, file: "test_batch.bin", [[3] + record + [9] + record], ["batches.meta.txt": names]
      ) {
        set("cifar10", try CIFAR10Files.read($0, split: .test, recordsPerFile: nil))
      },
      try folder("cifar10-names", in: work, file: "batches.meta.txt", [names], ["test_batch.bin": [3] + record]) {
        set("cifar10", try CIFAR10Files.read($0, split: .test, recordsPerFile: nil))
      },
      try folder("stl10", in: work, file: "train_X.bin", [stl], ["class_names.txt": names, "train_y.bin": [1, 10]]) {
        set("stl10", try STL10Files.read($0, split: .train, records: 0))
      },
      try folder(
        "idx-images", in: work, file: "t10k-images-idx3-ubyte", [idxImages, Repair.gzip(idxImages)],
        ["t10k-labels-idx1-ubyte": idxLabels],
        repair: Repair.gzip
      ) {
        set("mnist", try IDXFiles.mnist.read($0, split: .test))
      },
      try folder(
        "idx-labels", in: work, file: "t10k-labels-idx1-ubyte", [idxLabels, Repair.gzip(idxLabels)],
        ["t10k-images-idx3-ubyte": idxImages],
        repair: Repair.gzip
      ) {
        set("mnist", try IDXFiles.mnist.read($0, split: .test))
      },
    ]
  }

  private static func gtsrb(_ rows: String) -> [UInt8] {
    Array("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n\(rows)".utf8)
  }

  static func load(_ name: String, _ path: String, size: Int? = nil) throws -> ImageDataset {
    var settings = DatasetSettings()
    (settings.name, settings.path, settings.size) = (name, path, size)
    return try ImageDataset.load(settings, .train)
  }

  /// A committed file of Tests/Goldens.
  static func golden(_ name: String) throws -> [UInt8] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: tests.appendingPathComponent("Goldens/\(name)")))
  }

  /// A reader of a folder in which one file is the input and the others stay as they are.
  static func folder(
    _ name: String, in work: String, file: String, _ seeds: [[UInt8]], _ others: [String: [UInt8]] = [:],
    words: [String] = [],
    repair: @escaping ([UInt8]) -> [UInt8] = { $0 }, read: @escaping (String) throws -> Void
  ) throws -> Subject {
    let folder = "\(work)/\(name)"
    func write(_ bytes: [UInt8], to file: String) throws {
      let url = URL(fileURLWithPath: "\(folder)/\(file)")
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: url)
    }
    for (other, bytes) in others { try write(bytes, to: other) }
    try write([], to: file)
    let input = ScratchFile("\(folder)/\(file)")
    return Subject(name: name, seeds: seeds, words: words, repair: repair) { bytes in
      input.set(bytes)
      try read(folder)
    }
  }
}
