import Testing
import Vision

@Suite("Generated patterns")
struct GeneratedPatternTests {
  @Test("Values lie in 0...1 and fill the shape", arguments: GeneratedPattern.allCases, [1, 3])
  func range(pattern: GeneratedPattern, channels: Int) {
    for size in [1, 7, 32] {
      let pixels = pattern.pixels(size: size, channels: channels, seed: 9)
      #expect(pixels.count == channels * size * size)
      #expect(pixels.allSatisfy { (0...1).contains($0) })
    }
  }

  @Test(
    "A pattern has enough contrast to be learned and is neither dark nor bright", arguments: GeneratedPattern.allCases)
  func contrast(pattern: GeneratedPattern) {
    for seed in 0..<10 as Range<UInt64> {
      let pixels = pattern.pixels(size: 32, seed: seed)
      let mean = pixels.reduce(0, +) / Float(pixels.count)
      let variance = pixels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(pixels.count)
      #expect((0.25...0.75).contains(mean), "seed \(seed): mean \(mean)")
      #expect(variance.squareRoot() > 0.15, "seed \(seed): deviation \(variance.squareRoot())")
    }
  }

  @Test("The same seed gives the same pattern, another seed another one", arguments: GeneratedPattern.allCases)
  func seeds(pattern: GeneratedPattern) {
    let pixels = pattern.pixels(size: 24, seed: 1)
    #expect(pixels == pattern.pixels(size: 24, seed: 1))
    #expect(pixels != pattern.pixels(size: 24, seed: 2))
  }

  @Test("No two patterns are alike")
  func distinct() {
    let all = Set(GeneratedPattern.allCases.map { $0.pixels(size: 16, seed: 0) })
    #expect(all.count == GeneratedPattern.allCases.count)
  }

  /// Attacks are compared across papers and machines by these bits.
  @Test(
    "The bits of seed 0 are pinned",
    arguments: [
      (GeneratedPattern.plasma, 0x19E0_87F9_8E48_4347),
      (.cells, 0x0229_B83C_4FCB_82FC),
      (.noise, 0x4FC2_2FF7_865C_62BA),
      (.gaussian, 0xF74C_A5C6_544C_8B9C),
      (.checkerboard, 0x298D_82F3_DB16_0725),
      (.rings, 0x2BCF_20BD_663B_8475),
    ] as [(GeneratedPattern, UInt64)])
  func pinnedBits(pattern: GeneratedPattern, expected: UInt64) {
    let bytes = pattern.pixels(size: 32, seed: 0).flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }
    #expect(GeneratedHash.of(bytes) == expected)
  }

  @Test("One channel is the luma of three")
  func grey() {
    let color = GeneratedPattern.plasma.pixels(size: 16, seed: 3)
    let grey = GeneratedPattern.plasma.pixels(size: 16, channels: 1, seed: 3)
    for position in 0..<256 {
      let luma = 0.299 * color[position] + 0.587 * color[256 + position] + 0.114 * color[512 + position]
      // Colours beyond the gamut are clipped after the luma is taken, hence not exactly equal.
      #expect(abs(luma - grey[position]) < 0.1)
    }
  }

  @Test("Names read back from a configuration", arguments: GeneratedPattern.allCases)
  func names(pattern: GeneratedPattern) {
    #expect(GeneratedPattern(rawValue: pattern.rawValue) == pattern)
  }
}
