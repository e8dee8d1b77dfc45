import Files
import TestFiles
import Testing

@Suite struct CSVTableTests {
  private func table(_ text: String) throws -> CSVTable { try CSVTable(text, path: "t.csv") }
  private func problem(_ text: String) -> String {
    let error = #expect(throws: ParseError.self) { _ = try table(text) }
    return error.map { "\($0)" } ?? ""
  }

  @Test func fieldsAndLines() throws {
    let found = try table("path,label\r\n\"a, b.png\",\"the \"\"x\"\"\"\r\n\r\nc.png,\"two\nlines\"\nd.png,\n")
    #expect(found.header == ["path", "label"])
    #expect(found.rows.map(\.fields) == [["a, b.png", "the \"x\""], ["c.png", "two\nlines"], ["d.png", ""]])
    #expect(found.rows.map(\.line) == [2, 4, 6])
    #expect(found.column("file", "PATH") == 0 && found.column("class") == nil)
  }

  @Test(arguments: [",", ";", "\t"]) func separators(_ separator: String) throws {
    let text = "path,label\na.png,cat".replacing(",", with: separator)
    #expect(try table(text).rows.map(\.fields) == [["a.png", "cat"]])
  }

  @Test func whatIsWrongIsSaidWithItsLine() {
    #expect(problem("").hasPrefix("t.csv: the table is empty"))
    #expect(
      problem("a,b\n1,2\n3\n") == "t.csv:3: 1 field, and the header names 2 columns. A field that holds the separator "
        + "stands in quotes.")
    #expect(problem("a,a\n1,2\n").hasPrefix("t.csv:1: the column a is there twice"))
    #expect(problem("a,b\n1,\"2\n").hasPrefix("t.csv:2: a quote that is not closed"))
    #expect(problem("a,b\n\n1,\"2\"3\n").hasPrefix("t.csv:3: text after a closing quote"))
  }

  @Test(arguments: ["plain", "a, b", "say \"x\"", "two\nlines", "a;b", ""]) func aFieldIsReadAsItWasWritten(
    _ text: String
  )
    throws
  {
    #expect(try table("x,y\n\(CSVTable.field(text)),1\n").rows.map(\.fields) == [[text, "1"]])
  }

  @Test func aMarkAtTheStartIsPassedOver() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("t.csv", "\u{FEFF}path,label\na,b\n")
    #expect(try CSVTable(contentsOf: path).header == ["path", "label"])
  }

  @Test func pathsAsSeenFromAFolder() {
    #expect(Path.relative("in/a.png", from: ".") == "in/a.png")
    #expect(Path.relative("./in/a.png", from: "in") == "a.png")
    #expect(Path.relative("in/a.png", from: "in/b/c") == "../../a.png")
    #expect(Path.relative("../in/a.png", from: "out") == "../../in/a.png")
    #expect(Path.relative("/in/a.png", from: "out") == "/in/a.png")
    #expect(
      Path.relative("in/a.png", from: "/out").hasPrefix("/") && Path.relative("a.png", from: "..").hasSuffix("/a.png"))
    #expect(Path.resolved("a.png", in: ".") == "a.png" && Path.resolved("a.png", in: "x") == "x/a.png")
    #expect(Path.resolved("/a.png", in: "x") == "/a.png")
  }

  /// A path that is missing is not explained by a folder whose name is only its beginning.
  @Test func onlyNearPathsAreSuggested() throws {
    let folder = try TemporaryFolder()
    for name in ["home/x", "images/x", "model.safetensors"] { try folder.write(name, "") }
    #expect(Path.similar(to: folder.path("homework")) == nil)
    #expect(Path.similar(to: folder.path("image")) == folder.path("images"))
    #expect(Path.similar(to: folder.path("model")) == folder.path("model.safetensors"))
  }
}
