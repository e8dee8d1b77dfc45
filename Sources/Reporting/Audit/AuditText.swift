import Audit
public import Experiments
import Files
import Foundation

/// What an audit found, for a terminal.
public enum AuditText {
  /// - Parameter wrap: folds a text into lines of which those after the first begin with so many spaces.
  public static func text(_ result: AuditResult, wrap: (_ text: String, _ indent: Int) -> String = { text, _ in text })
    -> String
  {
    var text = wrap(result.sentence, 0) + "\n\n"
    let facts = facts(result)
    let width = facts.map(\.name.count).max() ?? 0
    for fact in facts {
      let name = fact.name.padding(toLength: width, withPad: " ", startingAt: 0)
      text += "  \(name)  \(wrap(fact.text, width + 4))\n"
    }
    return text
  }

  /// The same facts as the page has, in order.
  static func facts(_ result: AuditResult) -> [(name: String, text: String)] {
    var facts: [(name: String, text: String)] = [
      ("model", "\(result.model) (\(result.architecture))"),
      (
        "images",
        "\(result.dataset): \(result.searchImages) to find triggers, \(result.heldOutImages) to measure them"
          + (result.hasLabels ? "" : "; without labels")
      ),
    ]
    if let accuracy = result.accuracy { facts.append(("accuracy", share(accuracy))) }
    facts.append(
      (
        "p",
        "\(AuditResult.number(result.pValue)): \(result.null). The smallest that this comparison can give is "
          + "\(AuditResult.number(result.smallestPValue))"
          + (result.smallestPValue > AuditVerdict.threshold(level: result.level)
            ? ", so that nothing can be called suspicious"
            : result.bank == nil || result.smallestPValue > result.level
              ? ", so that nothing can be called backdoored at level \(AuditResult.number(result.level))" : "")
      ))
    facts.append(("patch", "\(result.patchPixels) pixels: \(share(result.patchSuccess))"))
    if let success = result.perturbationSuccess {
      facts.append(("faint pattern", "at most \(AuditResult.number(result.epsilon))/255: \(share(success))"))
    }
    if let bank = result.bank {
      let accuracies = bank.accuracies.map { NumberText.percent($0) }.joined(separator: " to ")
      facts.append(
        (
          "clean models",
          "\(bank.models) of \(bank.architectures.joined(separator: ", ")) on \(bank.dataset)"
            + (accuracies.isEmpty ? "" : ", accuracy \(accuracies)")
        ))
      facts.append(("score", score(result, bank)))
      facts.append(("classes", classes(result, bank)))
    }
    if let c = result.confirmation {
      facts.append(
        (
          "purified copy",
          "the patch succeeds on \(NumberText.percent(c.successBefore.share)) before, "
            + "\(NumberText.percent(c.successAfter.share)) after; accuracy \(NumberText.percent(c.accuracyBefore.share)) "
            + "before, \(NumberText.percent(c.accuracyAfter.share)) after. \(reading(c))"
        ))
      if let file = c.file, let verdict = c.verdict, let p = c.pValue {
        facts.append(
          (
            "cleaned model",
            "\(file): audited again, \(verdict.rawValue) (p = \(AuditResult.number(p))"
              + (c.label.map { "; class \(result.classNames[$0]) stands out" } ?? "")
              + "; clean models were not purified)"
          ))
      }
    }
    if let images = result.images { facts.append(("your images", words(images, result))) }
    if let time = result.time { facts.append(("time", words(time, of: result.classNames.count))) }
    if !result.notTested.isEmpty { facts.append(("not tested", result.notTested.joined(separator: "; "))) }
    facts.append(("can see", AuditVerdict.sees(result.statisticsThatCount).joined(separator: "; ")))
    facts.append(("may miss", AuditVerdict.overlooks.joined(separator: "; ")))
    return facts
  }

  /// What the statistics say, each for the class that it names.
  private static func score(_ result: AuditResult, _ bank: AuditResult.Bank) -> String {
    let parts = AuditStatistic.allCases.compactMap { statistic -> String? in
      guard let values = bank.score.standardized[statistic.rawValue],
        let place = values.indices.max(by: { values[$0] < values[$1] })
      else { return nil }
      return
        "\(statistic.title) \(AuditResult.number(values[place])) (\(result.classNames[bank.score.labels[place]]))"
    }
    return "\(AuditResult.number(result.score)), the largest of a clean model "
      + "\(AuditResult.number(bank.score.cleanScores.max() ?? 0)): \(parts.joined(separator: ", "))"
  }

  /// The largest sums by class.
  private static func classes(_ result: AuditResult, _ bank: AuditResult.Bank) -> String {
    let order = bank.score.largestSums(3)
    let largest = bank.score.cleanSums.max() ?? 0
    return order.map {
      "\(result.classNames[bank.score.labels[$0]]) \(AuditResult.number(bank.score.sums[$0]))"
    }.joined(separator: ", ")
      + " (sums over the statistics; the largest of a clean model is \(AuditResult.number(largest)))"
  }

  /// What the purified copy says, in words; it is no test.
  static func reading(_ c: AuditResult.Confirmation) -> String {
    let (before, after) = (c.successBefore.share, c.successAfter.share)
    if before < 0.35 { return "The patch hardly worked to begin with, which says little." }
    return after < 0.2
      ? "The trigger dies with tuning, as backdoors do (triggers of clean models may, too)."
      : "The trigger survives tuning, which is more like a weakness of the task than a backdoor."
  }

  /// Which images seem to carry a trigger.
  static func words(_ images: AuditResult.Images, _ result: AuditResult) -> String {
    let names = images.flagged.prefix(5).map(Path.name).joined(separator: ", ")
    let more = images.flagged.count > 5 ? " and \(formatCount(images.flagged.count - 5)) more" : ""
    let answers = Dictionary(images.answers.map { ($0, 1) }, uniquingKeysWith: +)
    let most = answers.max { ($0.value, $1.key) < ($1.value, $0.key) }
    let answer =
      most.map { "; the model takes \(formatCount($0.value)) of them for \(result.classNames[$0.key])" } ?? ""
    return
      "\(formatCount(images.flagged.count)) of \(formatCount(images.count)) in \(images.folder) stand out (IBD-PSC "
      + "against \(formatCount(images.cleanImages)) clean images; of those that stand out "
      + "\(NumberText.percent(images.level)) at most are expected to carry no trigger)"
      + (images.flagged.isEmpty ? "" : ": \(names)\(more)\(answer)")
  }

  /// What a budget of time was spent on.
  static func words(_ time: AuditResult.Time, of classes: Int) -> String {
    let rounds = time.rounds.map { "\($0.classes) classes with 1/\($0.divisor) of the steps" }
    let full = classes - time.leftOut.count
    return "\(formatDuration(time.measuring)) of \(formatDuration(time.budget)) to measure "
      + (rounds + [
        "\(full == classes ? "all \(classes)" : "\(full) of \(classes)") classes in full"
      ])
      .joined(separator: ", then ")
  }

  static func share(_ interval: ShareInterval) -> String {
    "\(NumberText.percent(interval.share)) (95% interval \(NumberText.percent(interval.lower)) to "
      + "\(NumberText.percent(interval.upper)))"
  }
}
