import Files
import Foundation
import Support
public import Training

/// What a benchmark found: rates in images per second, the best of all rounds.
public struct BenchmarkResult: Codable, Sendable {
  public var threads: Int
  /// `cpu` or `cuda:0`.
  public var device = "cpu"
  /// The arithmetic of the rows called auto.
  public var precision: Precision
  public var width: Int
  public var libtorch: String
  public var cpu: String
  /// This program's rows.
  public var imagesPerSecond: [String: Double] = [:]
  /// The peer's rows.
  public var peer: [String: Double] = [:]
  /// What comes out of the first step of a row, here and at the peer.
  public var values: [String: Double] = [:]
  public var peerValues: [String: Double] = [:]
  /// The most memory that this process held, in bytes.
  public var peakMemory = 0

  public init(threads: Int, precision: Precision, width: Int, libtorch: String, cpu: String) {
    self.threads = threads
    self.precision = precision
    self.width = width
    self.libtorch = libtorch
    self.cpu = cpu
  }

  /// A row of this program against one of the peer's.
  public struct Comparison: Sendable, Hashable {
    public let row: String
    public let peerRow: String
    /// Least ratio that this program is built to reach; nil where there is none.
    public let target: Double?
  }

  public static let comparisons =
    [
      Comparison(row: "train/auto", peerRow: "train/usual", target: 2.5),
      Comparison(row: "train/auto", peerRow: "train/tuned", target: 1),
      Comparison(row: "train/auto", peerRow: "train/compile", target: 1),
      Comparison(row: "eval/auto", peerRow: "eval/usual", target: nil),
      Comparison(row: "eval/auto", peerRow: "eval/tuned", target: 1),
      Comparison(row: "sau/auto", peerRow: "sau/published", target: 3.3),
      Comparison(row: "audit/auto", peerRow: "audit/usual", target: nil),
      Comparison(row: "poison/badnets", peerRow: "poison/badnets", target: 10),
      Comparison(row: "poison/blended", peerRow: "poison/blended", target: 10),
      Comparison(row: "poison/wanet", peerRow: "poison/wanet", target: 10),
      Comparison(row: "poison/sig", peerRow: "poison/sig", target: 10),
      Comparison(row: "poison/lf", peerRow: "poison/lf", target: 10),
      Comparison(row: "poison/bpp", peerRow: "poison/bpp", target: 10),
      Comparison(row: "poison/ssba", peerRow: "forward/ssba", target: 1),
      Comparison(row: "poison/input-aware", peerRow: "forward/input-aware", target: 1),
      Comparison(row: "poison/lira", peerRow: "forward/lira", target: 1),
    ]
    + DefenseWork.all.map { Comparison(row: $0.row.id, peerRow: $0.row.id, target: 1) }
    + [Comparison(row: "defenses/dpsgd", peerRow: "defenses/dpsgd-loop", target: nil)]

  /// Keeps the better one of a row's measurements.
  public mutating func add(_ row: String, _ rate: Double) {
    imagesPerSecond[row] = max(rate, imagesPerSecond[row] ?? 0)
  }
  public mutating func add(peer rates: [String: Double]) { peer.merge(rates, uniquingKeysWith: max) }

  /// Rows of which the two sides do not compute the same: their numbers differ by more than a hundredth, on a GPU, whose
  /// convolutions are TF32's, by more than a twentieth, so that a ratio of their times would say nothing.
  public var disagreeing: [String] {
    let tolerance = device == "cpu" ? 0.01 : 0.05
    return values.keys.sorted().filter { row in
      guard let own = values[row], let other = peerValues[row] else { return false }
      return !(abs(own - other) <= tolerance * max(abs(own), abs(other)))
    }
  }

  /// Comparisons of which both sides were measured.
  public var compared: [(comparison: Comparison, peer: Double, own: Double, ratio: Double)] {
    Self.comparisons.compactMap { comparison in
      guard let own = imagesPerSecond[comparison.row], let other = peer[comparison.peerRow], other > 0 else {
        return nil
      }
      return (comparison, other, own, own / other)
    }
  }

  /// The table for people.
  public var text: String {
    let named = Benchmark.rows.filter { imagesPerSecond[$0.id] != nil }
    var lines = [
      "\(device == "cpu" ? "" : "\(device), ")\(cpu), \(threads) thread\(threads == 1 ? "" : "s"), LibTorch \(libtorch), PreAct-ResNet18 width \(width), "
        + "auto is \(precision.rawValue)",
      "",
    ]
    lines += alignedLines(
      [["row", "images/s", ""]] + named.map { [$0.id, Self.rate(imagesPerSecond[$0.id] ?? 0), $0.summary] },
      right: [1])
    let compared = compared
    if !compared.isEmpty {
      let disagreeing = Set(disagreeing)
      let body = compared.map { item in
        let row = item.comparison.row
        if disagreeing.contains(row) {
          let found = [values[row], peerValues[row]].map { String(format: "%.5g", $0 ?? .nan) }
          return [
            item.comparison.peerRow, Self.rate(item.peer), Self.rate(item.own), "-", "",
            "not the same work: \(found[1]) there, \(found[0]) here",
          ]
        }
        return [
          item.comparison.peerRow, Self.rate(item.peer), Self.rate(item.own), String(format: "%.2fx", item.ratio),
          item.comparison.target.map { String(format: "%.1fx", $0) } ?? "",
          item.comparison.target.map { item.ratio >= $0 ? "met" : "not met" } ?? "",
        ]
      }
      lines.append("")
      lines += alignedLines(
        [["peer's row", "peer images/s", "Antidote images/s (\(precision.rawValue))", "ratio", "target", ""]] + body,
        right: [1, 2, 3, 4])
    }
    lines += agreementLines + privateStepLines
    if let standard = imagesPerSecond[EpochCost.standard] {
      let body = EpochCost.all.compactMap { cost in
        imagesPerSecond[cost.row.id].map { rate in
          [
            cost.row.id, String(format: "%.2fx", standard / rate),
            cost.published.map { String(format: "%gx", $0) } ?? "", cost.row.summary,
          ]
        }
      }
      lines.append("")
      lines += alignedLines([["one epoch", "standard ones", "paper", ""]] + body, right: [1, 2])
    }
    lines += ["", "peak memory \(formatBytes(peakMemory))"]
    return lines.joined(separator: "\n")
  }

  /// That the two sides do the same work.
  private var agreementLines: [String] {
    let both = values.keys.filter { peerValues[$0] != nil }
    guard !both.isEmpty, disagreeing.isEmpty else { return [] }
    let farthest = both.map { row -> Double in
      let (own, other) = (values[row] ?? 0, peerValues[row] ?? 0)
      return abs(own - other) / max(abs(own), abs(other), 1e-12)
    }
    return [
      "",
      "Both sides get the same numbers in the first step of \(both.count) rows, to "
        + "\(String(format: "%.0e", farthest.max() ?? 0)) of each (float32).",
    ]
  }

  /// What a differentially private step costs beside a plain one.
  private var privateStepLines: [String] {
    func cost(_ rates: [String: Double], _ row: String) -> String? {
      guard let plain = rates["defenses/sgd"], let step = rates[row] else { return nil }
      return String(format: "%.1f", plain / step)
    }
    guard let own = cost(imagesPerSecond, "defenses/dpsgd") else { return [] }
    let peers = [("", "defenses/dpsgd"), (", sample by sample ", "defenses/dpsgd-loop")].compactMap { words, row in
      cost(peer, row).map { words + $0 }
    }
    return [
      "",
      "One step of dpsgd takes as long as \(own) plain ones"
        + (peers.isEmpty ? "" : "; the peer's as \(peers.joined()) of its own") + ".",
    ]
  }

  private static func rate(_ value: Double) -> String {
    value >= 99.95 && value < 1e15 ? formatCount(Int(value.rounded())) : String(format: "%.1f", value)
  }
}
