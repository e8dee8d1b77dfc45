import Testing
import Torch
import Vision

struct ClassNamesTests {
  private func positions(_ names: [String], of other: [String]) throws -> [Int]? {
    try ClassNames(names).positions(of: ClassNames(other), source: "a", otherSource: "b")
  }

  @Test func namesOfFoldersAreThoseOfTheirClasses() throws {
    let names = ["T-shirt/top", "Trouser", "Ankle boot"]
    #expect(try positions(names, of: ["Ankle boot", "T-shirt_top", "Trouser"]) == [2, 0, 1])
    #expect(try positions(names, of: ["0-T-shirt-top", "1-Trouser", "2-Ankle-boot"]) == [0, 1, 2])
    #expect(try positions(names, of: ["Trouser"]) == [1])
  }

  @Test func accentsAreOneNameUnlessBothFormsAreThere() throws {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    #expect(try positions([composed, "dog"], of: ["dog", decomposed]) == [1, 0])
    #expect(try positions([decomposed, composed], of: [composed, decomposed]) == [1, 0])
    #expect(throws: ClassNameError.self) { try positions([composed, "dog"], of: [composed, decomposed]) }
  }

  /// The usual names of ImageNet have three of them twice.
  @Test func namesThatAreThereTwice() throws {
    let cranes = ["crane", "egret", "crane", "forklift"]
    #expect(try positions(cranes, of: cranes) == nil)
    #expect(try positions(cranes, of: ["egret", "forklift"]) == [1, 3])
    #expect(throws: ClassNameError.self) { try positions(cranes, of: ["egret", "crane"]) }
  }

  @Test func barePositionsMatchAnything() throws {
    #expect(try positions(["cat", "dog"], of: ["0", "1"]) == nil)
    #expect(try positions(["Stop", "Yield"], of: ["00000", "00001"]) == nil)
    #expect(try positions(["0", "1", "2"], of: ["0", "1"]) == [0, 1])
    #expect(throws: ClassNameError.self) { try positions(["0", "1", "10", "2"], of: ["0", "1", "2"]) }
    #expect(throws: ClassNameError.self) { try positions(["cat", "dog"], of: ["cat", "cow"]) }
  }

  @Test func labelsAreNumberedAnew() throws {
    let data = ImageDataset(
      name: "mine", images: Tensor([UInt8](repeating: 0, count: 4), shape: [4, 1, 1, 1]),
      labels: Tensor([0, 1, -1, 2] as [Int64]),
      classNames: ["boot", "shirt", "top_a"])
    var notes: [String] = []
    let same = try data.numbered(as: ["top/a", "boot", "shirt"], of: "the model") { notes.append($0) }
    #expect(same.labelArray() == [1, 2, -1, 0] && same.classNames == ["top/a", "boot", "shirt"])
    #expect(notes == ["the classes of the data set mine are matched with those of the model by name (top_a is top/a)"])
  }
}
