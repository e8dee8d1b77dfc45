import Foundation
import Files
public import Support
import Torch
import TorchNN
import Training
public import Vision

/// The accuracy of a model under each normaliser that is known, in both orders of the channels, on labelled images.
///
/// Weights do not show what was done to pixels before the first layer, and the wrong choice costs accuracy that looks
/// like a bad model. All are tried on the same images, in rounds: those that are clearly behind drop out, and where two
/// are left whose difference would matter, more images are used. Differences are judged by the images on which two
/// disagree (McNemar's test), which is sharper than the error of either accuracy.
public struct NormalizationFit: Codable, Sendable {
  /// One normaliser.
  public struct Row: Codable, Sendable, Equatable {
    /// As the setting `model.normalization` takes it.
    public let normalization: String
    /// As `model.channels`.
    public let channels: ChannelOrder
    /// In [0, 1].
    public let accuracy: Double
    public let images: Int

    /// As settings on a command line.
    public var settings: String {
      (normalization.contains("[")
        ? "--set 'model.normalization=\(normalization)'"
        : "--set model.normalization=\(normalization)") + (channels == .rgb ? "" : " --set model.channels=bgr")
    }
    var words: String { normalization + channels.suffix }
  }

  /// The best first.
  public let rows: [Row]
  /// The best one; nil where none is clearly the best.
  public let chosen: Row?
  /// Why it is the best, or why none is.
  public let reason: String
  /// Those that are as good within the error.
  public let equals: [Row]

  /// Images of the first round, of a usual one, and the most.
  private static let rounds = (first: 64, usual: 200, most: 1600)
  /// A difference in accuracy that matters.
  static let difference = 0.02

  /// How far above chance the best has to be, as a share of what is above chance. Some classes agree in any order.
  static let least = 0.1

  /// One that is being tried.
  private struct Candidate {
    let value: Normalization
    var isRight: [Bool] = []
    /// Its place among those that are known: the first of equals is taken.
    let place: Int

    var accuracy: Double { Double(isRight.count { $0 }) / Double(max(isRight.count, 1)) }
    var row: Row {
      Row(
        normalization: value.name, channels: value.channelOrder ?? .rgb, accuracy: accuracy, images: isRight.count)
    }
    /// How far `other` is behind in accuracy, and the standard error of that, on the images that both have seen.
    func lead(over other: Candidate) -> (difference: Double, error: Double) {
      let pairs = zip(isRight, other.isRight)
      let gained = pairs.count { $0 && !$1 }, lost = pairs.count { !$0 && $1 }
      let count = Double(max(min(isRight.count, other.isRight.count), 1))
      return (Double(gained - lost) / count, Double(gained + lost).squareRoot() / count)
    }
  }

  /// Tries them all. The model keeps its own normaliser.
  /// - Parameters:
  ///   - data: images in the model's size, channels and order of classes; those without a label are passed over.
  ///   - order: the only order of channels to try; nil tries both.
  ///   - given: tried besides, in the order of its channels.
  ///   - isCheck: whether the first round is enough, because a choice was made already.
  /// - Throws: `Interrupted`.
  init(
    of model: Classifier, on data: ImageDataset, order: ChannelOrder? = nil, given: Normalization? = nil,
    isCheck: Bool = false, seed: Seed, progress: any ProgressReporter
  ) throws {
    let labels = data.labelArray()
    let labelled = labels.indices.filter { labels[$0] >= 0 }
    var generator = seed.generator("normalization")
    var drawn = labelled
    generator.shuffle(&drawn)
    drawn = Array(drawn.prefix(isCheck ? Self.rounds.first : Self.rounds.most))
    let truth = drawn.map { labels[$0] }

    var values = Normalization.known(channels: data.channels).map(\.value)
    let orders = data.channels == 3 ? order.map { [$0] } ?? ChannelOrder.allCases : [.rgb]
    values = orders.flatMap { order in values.map { $0.ordered(order) } }
    if let given, !values.contains(given) { values.append(given) }
    var active = values.enumerated().map { Candidate(value: $0.element, place: $0.offset) }
    var behind: [Candidate] = []

    let own = model.normalization
    defer { model.normalization = own }
    progress.begin("normalisation", total: 0, unit: "images")
    var seen = 0
    defer { progress.end() }
    func see(_ candidate: inout Candidate, upTo count: Int) throws {
      model.normalization = candidate.value
      while candidate.isRight.count < count {
        try Interruption.check()
        let range = candidate.isRight.count..<min(candidate.isRight.count + Self.rounds.first, count)
        let index = Tensor(drawn[range].map(Int64.init)).to(data.device)
        let classes = noGrad {
          model.withMode(training: false) { model(data.pixels(at: index).contiguous(.channelsLast)).argmax(1) }
        }
        candidate.isRight += zip(classes.array(Int64.self), truth[range]).map { Int($0) == $1 }
        seen += range.count
        progress.update(done: seen, note: candidate.row.words)
      }
    }

    var count = min(Self.rounds.first, drawn.count)
    var equals: [Candidate] = []
    var best = active[0]
    while true {
      for index in active.indices { try see(&active[index], upTo: count) }
      best = active.max { ($0.accuracy, -$0.place) < ($1.accuracy, -$1.place) } ?? best
      func isBehind(_ candidate: Candidate, errors: Double) -> Bool {
        let (difference, error) = best.lead(over: candidate)
        return difference > errors * error && difference > 0
      }
      let parts = Dictionary(grouping: active) { isBehind($0, errors: 3) }
      behind += parts[true] ?? []
      active = parts[false] ?? []
      equals = active.filter { $0.place != best.place && !isBehind($0, errors: 2) }
      let isOpen = equals.contains { best.lead(over: $0).difference > Self.difference }
      if count >= Self.rounds.usual && !isOpen || count == drawn.count { break }
      count = min(drawn.count, max(Self.rounds.usual, 2 * count))
    }

    rows = (active + behind).map(\.row).sorted { $0.accuracy > $1.accuracy }
    self.equals = equals.map(\.row)
    let counts = Dictionary(grouping: truth.prefix(count)) { $0 }.mapValues(\.count)
    let chance = max(Double(counts.values.max() ?? 0) / Double(max(count, 1)), 1 / Double(max(data.classes, 1)))
    let error = (chance * (1 - chance) / Double(max(count, 1))).squareRoot()
    let open = equals.filter { best.lead(over: $0).difference > Self.difference }
    if count == 0 {
      (chosen, reason) = (nil, "there are no labelled images to try them on")
    } else if best.accuracy <= chance + max(3 * error, Self.least * (1 - chance)) {
      chosen = nil
      reason =
        "under none is the accuracy above what guessing gives (\(formatPercent(chance))): the classes may be in another "
        + "order than the model's (--class-map), the images of another kind or size (model.size), or the normaliser "
        + "none of these"
    } else if let other = open.first {
      chosen = nil
      reason =
        "\(formatCount(count)) images are too few to tell \(best.row.words) (\(formatPercent(best.accuracy))) from "
        + "\(other.row.words) (\(formatPercent(other.accuracy)))"
    } else {
      chosen = best.row
      let next = (active + behind).filter { $0.place != best.place && !equals.map(\.place).contains($0.place) }
        .max { $0.accuracy < $1.accuracy }
      reason =
        "it gives the best accuracy, \(formatPercent(best.accuracy)) of \(formatCount(count)) images"
        + (equals.isEmpty
          ? "" : " (within the error as good: \(equals.map(\.row.words).joined(separator: ", ")))")
        + (next.map { "; the next one is \($0.row.words) with \(formatPercent($0.accuracy))" } ?? "")
    }
  }

  /// The accuracies in columns, one line a normaliser.
  public var table: String {
    alignedLines(
      rows.map { row in
        [
          "", row.normalization, row.channels.rawValue,
          "\(formatPercent(row.accuracy)) of \(formatCount(row.images)) images",
        ]
      }
    ).joined(separator: "\n")
  }
}
