import Vision

/// What to say where a filter rejects so much that its verdicts are worth little.
///
/// The published settings are for 50,000 samples, where a weak learner takes some 1,800 steps. On small sets components
/// collapse to the classes that are learned first, and learners vote for these alone.
enum RejectionWarning {
  /// - Parameter path: of the filter's settings, such as `defense.filter`.
  /// - Returns: nil where at least half of all samples and some of each class are kept.
  static func text(kept: [Int], data: ImageDataset, path: String) -> String? {
    let labels = data.labelArray()
    let left = Set(kept.map { labels[$0] })
    let lost = Set(labels).subtracting(left).sorted().map { data.classNames[$0] }
    let rejected = data.count - kept.count
    guard 2 * rejected > data.count || !lost.isEmpty else { return nil }
    var text = "warning: the filter rejected \(rejected) of \(data.count) samples"
    if !lost.isEmpty {
      text += ", among them all of \(lost.prefix(5).joined(separator: ", "))"
      if lost.count > 5 { text += " and \(lost.count - 5) more classes" }
    }
    return text + ". Its published settings are for some 50,000 samples; for fewer, take classes in equal shares "
      + "(\(path).classDivisor=1), fewer and larger components (\(path).rounds=4, \(path).share=0.25) and more epochs "
      + "(\(path).firstEpochs, \(path).laterEpochs, \(path).learner.epochs)."
  }
}
