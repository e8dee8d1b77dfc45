import Files
import Testing

@Suite struct NearestTests {
  @Test func findsMisspellings() {
    let names = ["rate", "target", "size", "weightDecay", "learningRate", "badnets", "blended", "wanet"]
    #expect(Nearest.names("rte", among: names) == ["rate"])
    #expect(Nearest.names("raet", among: names) == ["rate"])  // One swap; as two substitutions it would be too far.
    #expect(Nearest.names("weight_decay", among: names) == ["weightDecay"])
    #expect(Nearest.names("BadNet", among: names).first == "badnets")
    #expect(Nearest.names("learning", among: names) == ["learningRate"])
    #expect(Nearest.names("zzzz", among: names) == [])
    #expect(Nearest.names("", among: names) == [])
    #expect(Nearest.names("x", among: ["y"]) == [])
    // Nothing is near to what no person has typed, and the answer takes no time.
    #expect(Nearest.names(String(repeating: "rate", count: 51), among: names) == [])
  }

  @Test func orderedAndLimited() {
    #expect(
      Nearest.names("abcdef", among: ["abcdxy", "abcdex", "abcdef1", "abcdeg", "abcdeh"], limit: 2) == [
        "abcdef1", "abcdeg",
      ])
    #expect(
      Nearest.question("abcdef", among: ["abcdeg", "abcdeh"], prefix: "m.") == "Did you mean m.abcdeg or m.abcdeh?")
    #expect(Nearest.question("abcdef", among: ["q"]) == "")
  }
}
