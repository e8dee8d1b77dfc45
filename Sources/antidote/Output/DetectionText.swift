import Evaluation
import Files
import Support

/// How well a defense told poisoned samples from others.
enum DetectionText {
  /// `poisoned samples rejected: 45 of 50 (90.0%); clean ones: 3 of 450 (0.7%); AUC of the suspicion 98.1%`
  static func text(_ detection: DetectionMetrics) -> String {
    func share(_ part: Int, _ whole: Int, _ rate: Double?) -> String {
      "\(formatCount(part)) of \(formatCount(whole))" + (rate.map { " (\(formatPercent($0)))" } ?? "")
    }
    var parts: [String] = []
    if detection.rejectedCount > 0 {
      let rejected = detection.poisonedCount - detection.poisonKept
      parts.append(
        "poisoned samples rejected: \(share(rejected, detection.poisonedCount, detection.truePositiveRate))")
      parts.append(
        "clean ones: \(share(detection.cleanRejected, detection.cleanCount, detection.falsePositiveRate))")
    }
    if let area = detection.areaUnderROC { parts.append("AUC of the suspicion \(formatPercent(area))") }
    return parts.isEmpty ? "" : parts.joined(separator: "; ") + "\n"
  }
}
