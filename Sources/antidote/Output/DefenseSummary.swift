import Evaluation
import Experiments

/// What `antidote defend --json` prints.
struct DefenseSummary: Encodable {
  var written: [String]
  var cleanCount: Int
  /// Training samples, where the defense filtered them.
  var kept: Int?
  var rejected: Int?
  /// How well poisoned samples were told from others, where it is known which they are.
  var detection: DetectionMetrics?
  var before: BackdoorMetrics?
  var after: BackdoorMetrics?
  var verdict: String?
  /// What the numbers do not say.
  var unmeasured: String?

  init(_ result: DefenseJob.Result, written: [String]) {
    self.written = written
    cleanCount = result.cleanCount
    kept = result.filtered?.kept.count
    rejected = result.filtered?.rejected.count
    detection = result.detection
    before = result.before
    after = result.after
    verdict = result.verdict
    unmeasured = result.unmeasured
  }
}
