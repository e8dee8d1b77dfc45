import Files
import Foundation
import Support
import TestFiles
import Testing

@testable import Experiments
@testable import Reporting

struct ReportTests {
  @Test func thePageHoldsTheNumbers() throws {
    let html = try ReportExample().html()
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.hasSuffix("</html>\n"))
    #expect(
      html.contains(
        "This trigger works no better than mistakes do: attack success fell from 98.1% to 0.9% (95%: 0.7–1.1; without the "
          + "trigger 0.8%); accuracy went from 93.2% to 92.5%, no more than chance."))
    let flags = try #require(html.range(of: "id=\"flags\"")), verdict = try #require(html.range(of: "class=\"verdict"))
    #expect(flags.lowerBound < verdict.lowerBound, "what limits the numbers stands above what they say")
    #expect(html.contains("points, within the intervals") && html.contains("points, better"))
    for text in [
      "<b>93.2%</b><small>9,320 of 10,000</small><small>95%: 92.7–93.7</small>", "<b>98.1%</b>",
      "<b>0.9%</b><small>81 of 9,000</small>",
      "<b>90.1%</b>", "class=\"better\"><b>−97.2</b>", "class=\"same\"><b>−0.7</b>", "<b>0.983</b>",
      "<b>5.4%</b><small>54 of 1,000</small>", "<b>25.0%</b><small>220 of 880</small>",
      "<small>perturbations: linf radius 0.2, 5 steps of 0.2 from max, as in the defense</small>",
      "<dd>4,999 training images</dd>", "10.0% of the attacker&#39;s training set asked for", "airplane (label 0)",
      "antidote run badnets.yaml --seed 7",
      "<dd>2.9.1</dd>",
      "Measured on 150 test images.", "are within chance", "<td>185</td><td>2.0 GiB</td>",
      "<code>patch.size</code></th><td>3</td>",
      "<code>milestones</code></th><td>60, 90</td>", "2025-11-21 07:32 UTC",
    ] { #expect(html.contains(text), "\(text)") }
    #expect(!html.contains("{{") && !html.contains("Optional("))
  }

  /// What is the same on all images stands beside the first one alone.
  @Test func aPatchIsShownOnce() throws {
    let html = try ReportExample { record in
      record.samples = (1...3).map { number in
        var sample = ReportExample.sample()
        sample.parts = [
          .init(name: "the patch", picture: "samples/trigger.png"),
          .init(name: "its mask", picture: "samples/\(number).png"),
        ]
        return sample
      }
    }.html()
    #expect(html.components(separatedBy: ">the patch<").count == 2)
    #expect(html.components(separatedBy: ">its mask<").count == 4)
  }

  @Test func nothingComesFromTheNetwork() throws {
    let html = try ReportExample { $0.samples = [ReportExample.sample()] }.html()
    #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("src=\"//"))
    #expect(html.contains("default-src 'none'"))
  }

  @Test func whatARecordSaysIsEscapedEverywhere() throws {
    // The second quotation mark carries an accent: one character to Swift, the end of an attribute to a browser.
    let evil = "</script><img src=x onerror=alert(1)>\"'&\"\u{301} onload=\"x"
    let example = try ReportExample { record in
      record.title = evil
      record.command = evil
      record.configuration = .object([evil: .object([evil: .string(evil)])])
      record.dataset?.classNames = Array(repeating: evil, count: 10)
      record.dataset?.name = evil
      record.poison?.attack = evil
      record.poison?.summary = evil
      record.poison?.mapping = evil
      record.defense = .init(name: evil, summary: evil)
      record.stages[0].name = evil
      record.measurements[0].label = evil
      record.environment.cpu = evil
      record.flags[0].message = evil
      record.flags[0].id = evil
      record.samples = [ReportExample.sample(clean: evil)]
      record.perturbations = [
        .init(
          index: 1, label: 2, clean: evil, perturbation: evil, perturbed: evil,
          predictions: [.init(model: evil, prediction: .init(label: 1, confidence: 0.5))])
      ]
    }
    try example.directory.metrics.append(MetricsEntry(stage: evil, epoch: 1, values: ["accuracy": 0.5]))
    let script = try example.folder.write("plotly.js", "var Plotly;")
    for html in [try example.html(), try example.html(plotly: script)] {
      #expect(
        html.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;&quot;\u{301} onload=&quot;x"))
      #expect(html.unicodeScalars.count > 10_000)
      let scalars = String(html.unicodeScalars.filter { $0 != "\u{301}" })
      #expect(!scalars.contains("<img src=x"))
      #expect(!scalars.contains("\" onload="))
      #expect(scalars.components(separatedBy: "<script").count == scalars.components(separatedBy: "</script>").count)
    }
  }

  @Test func imagesAreInsideThePage() throws {
    let example = try ReportExample { $0.samples = [ReportExample.sample()] }
    try example.write(ReportExample.png, to: "samples/a.png")
    let html = try example.html()
    #expect(
      html.contains(
        "<img src=\"data:image/png;base64,\(ReportExample.png.base64EncodedString())\" width=\"3\" height=\"3\""))
    #expect(html.contains("class=\"pixels\"") && html.contains("image-rendering: pixelated"))
    #expect(html.contains("cat <small>test image 17</small>"))
    // Right, target and wrong, each with its word.
    #expect(html.contains("title=\"right: cat, 91.2%\"") && html.contains("title=\"target: airplane, 98.7%\""))
    #expect(html.contains("title=\"wrong: dog, 60.0%\"") && html.contains("title=\"right: cat, 80.0%\""))
  }

  @Test func onlyImagesOfTheRunAreInlined() throws {
    let elsewhere = try TemporaryFolder()
    let absolute = try elsewhere.write("outside.png", ReportExample.png)
    for file in [
      absolute, "../outside.png", "samples/../../outside.png", "samples/link.png", "samples/text.png",
      "samples/none.png", "",
    ] {
      let example = try ReportExample { $0.samples = [ReportExample.sample(clean: file, triggered: file)] }
      let outside = try example.folder.write("outside.png", ReportExample.png)
      try FileManager.default.createSymbolicLink(
        atPath: example.path + "/samples/link.png", withDestinationPath: outside)
      try example.write(Data("secret: 12345, and more than 24 bytes".utf8), to: "samples/text.png")
      let html = try example.html()
      #expect(!html.contains("data:image/png"), "\(file)")
      #expect(html.contains("image not found"))
    }
  }

  @Test func withoutPlotlyTheCurvesAreDrawn() throws {
    let example = try ReportExample()
    let html = try example.html()
    #expect(html.contains("The curves are static drawings: plotly.min.js was not at hand."))
    #expect(html.contains("<polyline class=\"line s1\""))
    #expect(html.contains("<title>Attack success rate, epoch 2: 77.0%</title>"))
    #expect(html.contains("<title>Shared adversarial risk, epoch 1: 12.3%</title>"))
    #expect(html.contains("<title>Universal risk, epoch 1: 80.0%</title>"))
    #expect(html.contains("<title>Targeted sub-adversarial risk, epoch 1: 30.0%</title>"))
    #expect(html.contains("<h3>Training</h3>") && html.contains("<h3>Purification</h3>"))
    #expect(!html.contains("<script src") && !html.contains("id=\"chart-data\""))
    let missing = try example.html(plotly: "/nowhere/plotly.min.js")
    #expect(
      missing.contains("there is no plotly.min.js at /nowhere/plotly.min.js.") && !missing.contains("<script src"))
  }

  @Test func withPlotlyTheCurvesHaveTheirData() throws {
    let example = try ReportExample()
    let script = try example.folder.write("plotly.js", "/* plotly */")
    // What lies in the folder already is not trusted.
    try example.write(Data("alert(1)".utf8), to: "plotly.min.js")
    #expect(try !example.html().contains("<script src"))
    let html = try example.html(plotly: script)
    #expect(html.contains("<script src=\"plotly.min.js\"></script>") && !html.contains("not at hand"))
    #expect(
      html.contains("\"name\":\"Attack success rate\",\"right\":false,\"style\":1,\"x\":[1,2,3],\"y\":[0.4,0.77,0.981]")
    )
    #expect(html.contains("\"name\":\"Training loss\",\"right\":false,\"style\":5,\"x\":[1],\"y\":[null]"))
    #expect(html.contains("<polyline"))  // For paper, and in case that the script is blocked.
    #expect(try String(contentsOfFile: example.path + "/plotly.min.js", encoding: .utf8) == "/* plotly */")
  }

  @Test func aBareRecordHasAPage() throws {
    let example = try ReportExample { record in
      record = RunRecord(
        id: record.id, title: "bare", status: .failed, failure: "no memory", configuration: .null,
        environment: record.environment)
    }
    try FileManager.default.removeItem(atPath: example.path + "/metrics.jsonl")
    let html = try example.html()
    #expect(html.contains("The run failed: no memory."))
    for section in [
      "id=\"scores\"", "id=\"curves\"", "id=\"samples\"", "id=\"settings\"", "id=\"flags\"", "id=\"times\"",
    ] {
      #expect(!html.contains(section), "\(section)")
    }
  }

  @Test func damageIsAnError() throws {
    let example = try ReportExample()
    try example.write(Data("nonsense\n".utf8), to: "metrics.jsonl")
    let error = #expect(throws: RunStoreError.self) { try Report.write(runDirectory: example.path) }
    guard case .damagedLine(_, 1, _) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(!FileManager.default.fileExists(atPath: example.path + "/report.html"))
    #expect(throws: RunStoreError.notARun(directory: "/nowhere")) { try Report.write(runDirectory: "/nowhere") }
  }

  @Test func aLinkInTheFolderIsNotWrittenThrough() throws {
    let example = try ReportExample()
    let outside = try example.folder.write("outside", "mine")
    try FileManager.default.createSymbolicLink(atPath: example.path + "/report.html", withDestinationPath: outside)
    #expect(try example.html().contains("</html>"))
    #expect(try String(contentsOfFile: outside, encoding: .utf8) == "mine")
  }
}
