import Files
import Support
import Testing

@Suite struct SeedTests {
  // The numbers are from an independent computation with Python's hashlib.
  @Test func streamsAreFixedForever() {
    let seed: Seed = 7
    #expect(seed("poison") == 2_564_485_204_640_335_969)
    #expect(seed("augment", 3) == 6_055_436_506_823_431_803)
    #expect(seed.stream("attack")("poison") == 7_002_971_865_466_618_385)
    #expect(Seed.derive(7, "poison") == seed("poison"))
  }

  @Test func streamsDiffer() {
    var seen: Set<UInt64> = []
    for root in 0..<20 as Range<UInt64> {
      for name in ["init", "poison", "augment"] {
        seen.insert(Seed(root)(name))
        for epoch in 0..<5 { seen.insert(Seed(root)(name, epoch)) }
      }
    }
    #expect(seen.count == 20 * 3 * 6)
    #expect(seen.allSatisfy { $0 <= UInt64(Int64.max) })
  }

  @Test func storedAsANumber() throws {
    #expect(try JSONValue(encoding: Seed(5)) == 5)
    #expect(try JSONValue.int(5).decode(Seed.self) == 5)
  }
}
