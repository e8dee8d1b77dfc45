import Files
import Testing

@Suite struct FormatTests {
  @Test(arguments: [
    (0.0, "0.0 ms"), (0.0008, "0.8 ms"), (0.35, "350 ms"), (0.9996, "1.0 s"), (12.34, "12.3 s"), (59.96, "1m 00s"),
    (125, "2m 05s"),
    (3599.6, "1h 00m"), (3720, "1h 02m"), (86399, "1d 00h"), (183_600, "2d 03h"), (-1, "--"), (.nan, "--"),
    (.infinity, "--"),
  ])
  func durations(_ seconds: Double, text: String) { #expect(formatDuration(seconds) == text) }

  @Test(arguments: [
    ("90s", 90.0), ("10m", 600), ("1h", 3600), ("1.5h", 5400), ("0s", 0), ("", nil), ("s", nil),
    ("10", nil), ("5x", nil),
    ("-1s", nil), ("1e3s", nil), ("0x10s", nil), ("1h30m", nil), ("infs", nil), (" 1s", nil),
    ("9999999h", nil),
  ])
  func parsedDurations(_ text: String, seconds: Double?) { #expect(parseDuration(text) == seconds) }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (12345, "12,345"), (-1_234_567, "-1,234,567"),
    (.min, "-9,223,372,036,854,775,808"),
  ])
  func counts(_ count: Int, text: String) { #expect(formatCount(count) == text) }

  @Test func names() {
    #expect(formatNames([]).isEmpty && formatNames(["a", "b"]) == "a, b")
    #expect(formatNames(["a", "b", "c"], most: 2) == "a, b and 1 more")
  }

  @Test(arguments: [
    (12345.4, "12,345 images/s"), (184.4, "184 images/s"), (99.96, "100 images/s"), (18.44, "18.4 images/s"),
    (2.346, "2.35 images/s"),
    (0.05, "3.00 images/min"), (0.001, "3.60 images/h"), (0, "0.00 images/s"), (.nan, "-- images/s"),
  ])
  func rates(_ rate: Double, text: String) { #expect(formatRate(rate, unit: "images") == text) }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (46_871_347, "44.7 MiB"), (1_048_575, "1.0 MiB"),
    (1 << 40, "1.0 TiB"),
  ])
  func bytes(_ bytes: Int, text: String) { #expect(formatBytes(bytes) == text) }

  @Test func percents() {
    #expect(formatPercent(0.9321) == "93.2%")
    #expect(formatPercent(1, digits: 0) == "100%")
    #expect(formatPercent(.nan) == "--")
  }

  /// Half a unit in the last place goes up, also where binary fractions put it a little below; zero has no sign.
  @Test func ties() {
    #expect(formatPercent(0.9825) == "98.3%" && formatPercent(0.0005) == "0.1%" && formatPercent(-0.00001) == "0.0%")
    #expect([0.2, 1.005, 3, -0.449].map(formatRounded) == ["0.2", "1.0", "3.0", "-0.45"])
  }

  @Test func columns() {
    let rows = [["name", "", "n"], ["é", "", "10"], ["four", "", "9"]]
    #expect(alignedLines(rows, right: [2]) == ["name     n", "é       10", "four     9"])
    #expect(alignedLines(rows, right: [2], keepsEmpty: false) == ["name   n", "é     10", "four   9"])
    #expect(alignedLines([["a", ""], ["bcd", ""]]) == ["a", "bcd"] && alignedLines([]).isEmpty)
  }

  /// The difference of the percentages as they are written.
  @Test(arguments: [
    (0.967, 0.944, "-2.3"), (0.9666, 0.9444, "-2.3"), (0.9674, 0.9436, "-2.3"), (0.5, 0.5004, "0.0"),
    (0.1, .nan, "--"),
  ])
  func points(_ first: Double, _ second: Double, text: String) {
    #expect(formatPoints(from: first, to: second) == text)
  }
}
