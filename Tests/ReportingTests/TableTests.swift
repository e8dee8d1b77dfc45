import Files
import Testing

@testable import Experiments
@testable import Reporting

struct TableTests {
  @Test func theTerminalTable() {
    let text = """
      BadNets against SAU
      run 9f2c4a7be1d0 · finished · 1h 30m

                                        Before     After    Change
      ACC                                93.2%     92.5%      −0.7
      ASR                                98.1%      0.9%     −97.2
      ASR without trigger                 0.9%      0.8%      −0.1
      R-ACC                               1.7%     90.1%     +88.4
      Shared adversarial risk            97.0%      5.4%     −91.6
      Universal sub-adversarial risk     75.0%     25.0%     −50.0
      DER                                          0.983

      ! few-test-images: Measured on 150 test images.
      This trigger works no better than mistakes do: attack success fell from 98.1% to 0.9% (95%: 0.7–1.1; without the trigger 0.8%); \
      accuracy went from 93.2% to 92.5%, no more than chance. Measured in one run and with this trigger alone.

      """
    #expect(Report.terminalTable(ReportExample.record) == text)
  }

  @Test func theRecordAsJSONSaysWhatMayBeSaid() throws {
    let tree = try JSONValue(json: try Report.json(ReportExample.record))
    #expect(tree["outcome"]?["tone"] == "good" && tree["outcome"]?["word"] == "Cured")
    #expect(tree["outcome"]?["sentence"] == .string(Verdict(ReportExample.record).sentence))
    #expect(tree["id"] == .string(ReportExample.record.id))
  }

  @Test func aTerminalTableOfOneModel() {
    var record = ReportExample.record
    record.measurements = [.init(label: "a longer name", accuracy: 0.5, cleanCount: 300)]
    record.stages = []
    record.flags = []
    record.title = "red \u{1B}[31m alert"
    let text = """
      red  [31m alert
      run 9f2c4a7be1d0 · finished

           A longer name
      ACC          50.0%

      No attack was measured, so this says nothing about a backdoor; clean accuracy is 50.0%.

      """
    #expect(Report.terminalTable(record) == text)
  }

  @Test func theMarkdownTable() {
    var bare = ReportExample.record
    bare.title = "a|b *c*\nd"
    bare.status = .interrupted
    bare.measurements = []
    bare.poison = nil
    bare.defense = nil
    bare.flags = []
    let text = """
      | Run | Attack | Poisoning rate | Defense | ACC before | ASR before | R-ACC before | \
      ACC after | ASR after | R-ACC after | DER | Flags |
      | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
      | BadNets against SAU | BadNets | 10.0% | SAU | 93.2% | 98.1% | 1.7% | 92.5% | 0.9% | 90.1% | 0.983 | few-test-images |
      | a\\|b \\*c\\* d | – | – | – | – | – | – | – | – | – | – | interrupted |

      """
    #expect(Report.markdownTable([ReportExample.record, bare]) == text)
  }

  @Test func aStoredRatingIsShownAsItIs() {
    var record = ReportExample.record
    record.defenseEffectiveness = 0.25
    #expect(ScoreTable(record).effectiveness == "0.250")
    record.defenseEffectiveness = nil
    record.measurements[1].attackSuccessRate = nil
    #expect(ScoreTable(record).effectiveness == nil)
  }

  @Test func numbers() {
    #expect(NumberText.percent(0.98149) == "98.1%")
    #expect(NumberText.percent(nil) == "–")
    #expect(NumberText.percent(-0.0001) == "0.0%")
    // 0.9825 and the same number by another way, which is a little less in binary.
    #expect(NumberText.fixed(0.9825, decimals: 3) == "0.983")
    #expect(NumberText.fixed((0.981 - 0.009 - (0.932 - 0.925) + 1) / 2, decimals: 3) == "0.983")
    #expect(NumberText.percent(.nan) == "NaN")
    #expect(NumberText.points(from: 0.9004, to: 0.9) == "0.0")
    #expect(NumberText.points(from: 0.9004, to: 0.901) == "+0.1")
    #expect(NumberText.points(from: 0.9666, to: 0.9444) == "−2.3")
    #expect(NumberText.points(from: nil, to: 0.9) == "–" && NumberText.points(from: 0.9, to: .nan) == "NaN")
    #expect(NumberText.short(-0.0) == "0")
    #expect(NumberText.short(.infinity) == "∞")
    // Wilson: 8 of 10 gives .490 to .943, none of 10 gives 0 to .278.
    #expect(NumberText.interval(0.8, count: 10) == "49.0–94.3")
    #expect(NumberText.interval(0, count: 10) == "0.0–27.8")
    #expect(NumberText.interval(0.5, count: 0) == nil)
    #expect(NumberText.interval(.nan, count: 10) == nil)
  }
}
