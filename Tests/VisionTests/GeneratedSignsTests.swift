import Testing
import Vision

@Suite("Generated signs")
struct GeneratedSignsTests {
  /// A change of these constants changes every result that was measured on the data set: do it knowingly, never to fix
  /// a test.
  @Test("The bytes of seed 0 are pinned")
  func pinnedBytes() {
    let train = GeneratedSigns().images(split: .train, count: 100)
    let test = GeneratedSigns().images(split: .test, count: 100)
    #expect(GeneratedHash.of(train.pixels) == 0x87B9_0D2A_0984_4C76)
    #expect(GeneratedHash.of(test.pixels) == 0x7D16_31BB_2D30_B5E6)
    #expect(train.labels.prefix(10) == [8, 1, 2, 5, 9, 4, 6, 7, 0, 3])
    #expect(test.labels.prefix(10) == [4, 7, 1, 2, 0, 8, 6, 9, 5, 3])
  }

  @Test("Two calls give the same images")
  func deterministic() {
    let first = GeneratedSigns(seed: 5).images(split: .train, count: 150)
    let second = GeneratedSigns(seed: 5).images(split: .train, count: 150)
    #expect(first.pixels == second.pixels)
    #expect(first.labels == second.labels)
  }

  @Test("An image does not depend on how many are asked for, nor on where the range starts")
  func subsets() {
    let signs = GeneratedSigns(seed: 1)
    let bytes = 3 * 32 * 32
    let all = signs.images(split: .train, count: 90)
    let few = signs.images(split: .train, count: 17)
    #expect(few.pixels == Array(all.pixels.prefix(17 * bytes)))
    #expect(few.labels == Array(all.labels.prefix(17)))
    let middle = signs.images(split: .train, range: 13..<81)
    #expect(middle.pixels == Array(all.pixels[(13 * bytes)..<(81 * bytes)]))
    #expect(middle.labels == Array(all.labels[13..<81]))
  }

  @Test("No images are as easy to ask for as many")
  func empty() {
    let none = GeneratedSigns().images(split: .test, count: 0)
    #expect(none.pixels.isEmpty)
    #expect(none.labels.isEmpty)
  }

  @Test("Every ten images hold every class, each time in another order")
  func balance() {
    for split in GeneratedSigns.Split.allCases {
      let labels = GeneratedSigns(seed: 2).images(split: split, count: 200).labels
      let blocks = stride(from: 0, to: 200, by: 10).map { Array(labels[$0..<($0 + 10)]) }
      for block in blocks { #expect(block.sorted() == Array(0..<10)) }
      #expect(Set(blocks).count == blocks.count)
      #expect(Set(blocks.map(\.[0])).count > 4)
    }
  }

  @Test("Seeds and splits share no image")
  func distinct() {
    let count = 60
    var seen = Set<UInt64>()
    for seed in [0, 1, 2, UInt64.max] {
      for split in GeneratedSigns.Split.allCases {
        let pixels = GeneratedSigns(seed: seed).images(split: split, count: count).pixels
        let bytes = pixels.count / count
        for image in 0..<count { seen.insert(GeneratedHash.of(pixels[(image * bytes)..<((image + 1) * bytes)])) }
      }
    }
    #expect(seen.count == 8 * count)
    let train = GeneratedSigns().images(split: .train, count: count).labels
    #expect(train != GeneratedSigns().images(split: .test, count: count).labels)
    #expect(train != GeneratedSigns(seed: 1).images(split: .train, count: count).labels)
  }

  @Test("There are ten classes with different names")
  func classNames() {
    #expect(GeneratedSigns.classNames.count == 10)
    #expect(Set(GeneratedSigns.classNames).count == 10)
  }

  @Test("A size that the classes would not survive traps")
  func unsupportedSize() async {
    await #expect(processExitsWith: .failure) { _ = GeneratedSigns(size: 27) }
    await #expect(processExitsWith: .failure) { _ = GeneratedSigns(size: 65) }
  }

  @Test("Every size is filled, and every image has contrast", arguments: [28, 32, 48, 64])
  func sizes(size: Int) {
    let count = 40
    let (pixels, labels) = GeneratedSigns(seed: 3, size: size).images(split: .train, count: count)
    let bytes = 3 * size * size
    #expect(pixels.count == count * bytes)
    #expect(labels.count == count)
    for image in 0..<count {
      let values = pixels[(image * bytes)..<((image + 1) * bytes)]
      let spread = Int(values.max() ?? 0) - Int(values.min() ?? 0)
      #expect(spread >= 50, "image \(image)")
    }
    let mean = Float(pixels.reduce(0) { $0 + Int($1) }) / Float(pixels.count)
    #expect((80...175).contains(mean), "the data are neither dark nor bright on the whole: \(mean)")
    #expect((pixels.min() ?? 255) < 10)
    #expect((pixels.max() ?? 0) > 245)
  }

  @Test("Another size shows the same scenes")
  func sameSceneAtTwoSizes() {
    let count = 20
    let small = GeneratedSigns(seed: 4, size: 32).images(split: .train, count: count)
    let large = GeneratedSigns(seed: 4, size: 64).images(split: .train, count: count)
    #expect(small.labels == large.labels)
    var total = 0
    for plane in 0..<(3 * count) {
      for y in 0..<32 {
        for x in 0..<32 {
          let corner = plane * 4096 + 2 * y * 64 + 2 * x
          let four = [0, 1, 64, 65].reduce(2) { $0 + Int(large.pixels[corner + $1]) } / 4
          total += abs(four - Int(small.pixels[plane * 1024 + y * 32 + x]))
        }
      }
    }
    let difference = Float(total) / Float(small.pixels.count)
    #expect(difference < 8, "mean absolute difference in grey levels: \(difference)")
  }

  /// Half the pictures are a light sign on dark ground and half the reverse, so that the mean picture of a class says
  /// next to nothing.
  @Test("The nearest class mean on pixels stays near chance")
  func nearestClassMean() {
    let signs = GeneratedSigns()
    let train = signs.images(split: .train, count: 600)
    let test = signs.images(split: .test, count: 300)
    let bytes = 3 * 32 * 32
    var means = [Float](repeating: 0, count: 10 * bytes)
    for (image, label) in train.labels.enumerated() {
      for position in 0..<bytes {
        means[Int(label) * bytes + position] += Float(train.pixels[image * bytes + position]) / 60
      }
    }
    var correct = 0
    for (image, label) in test.labels.enumerated() {
      var best = (distance: Float.infinity, label: -1)
      for candidate in 0..<10 {
        var distance: Float = 0
        for position in 0..<bytes {
          let difference = Float(test.pixels[image * bytes + position]) - means[candidate * bytes + position]
          distance += difference * difference
        }
        if distance < best.distance { best = (distance, candidate) }
      }
      if best.label == Int(label) { correct += 1 }
    }
    let accuracy = Float(correct) / Float(test.labels.count)
    #expect(accuracy < 0.3, "accuracy \(accuracy)")
  }

  /// A white patch in the corner is the classic trigger: it has to stand out from most pictures to be a fair one.
  @Test("The bottom right corner differs between images and is seldom white")
  func cornerVaries() {
    let count = 300
    let (pixels, _) = GeneratedSigns().images(split: .train, count: count)
    let corners = (0..<count).map { image in Float(pixels[image * 3072 + 1023]) }
    let mean = corners.reduce(0, +) / Float(count)
    let variance = corners.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(count)
    #expect(variance.squareRoot() > 30)
    #expect(corners.filter { $0 > 235 }.count < count / 4, "a white patch would go unnoticed")
  }
}

/// FNV-1a in 64 bits: enough to notice a change, and short enough to be read.
enum GeneratedHash {
  static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash
  }
}
