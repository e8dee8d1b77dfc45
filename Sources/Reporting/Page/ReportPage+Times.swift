import Files
import Experiments
import Support

/// How long the stages took.
extension ReportPage {
  struct StageTime {
    var stageName: String
    var time: String
    var epochs: String
    var speed: String
    var memory: String
  }

  struct TimeSection {
    var rows: [StageTime]
    var total: String
  }

  static func times(_ record: RunRecord) -> TimeSection? {
    guard !record.stages.isEmpty else { return nil }
    let rows = record.stages.map { stage in
      StageTime(
        stageName: StageTitle.title(of: stage.name), time: formatDuration(stage.seconds),
        epochs: formatCount(stage.epochs),
        speed: stage.imagesPerSecond.map {
          $0.isFinite && abs($0) < 1e15 ? formatCount(Int($0.rounded())) : NumberText.short($0)
        }
          ?? NumberText.missing,
        memory: stage.peakMemoryBytes.map(formatBytes) ?? NumberText.missing)
    }
    return TimeSection(rows: rows, total: formatDuration(record.stages.reduce(0) { $0 + $1.seconds }))
  }
}
