import Training

/// What to say before the start where a set is so small that the settings leave weak learners with little training.
///
/// The published settings are for 50,000 samples, where a weak learner takes some 1,800 steps. With few steps, components
/// collapse to the classes that are learned first, and learners vote for these alone: with the defaults on 3,000 images,
/// 76% of the clean samples were rejected and 54% of the poison. Neither the paper nor its code says how the settings
/// change with the number of samples, so the defaults stay.
enum SmallSetWarning {
  /// Steps of a weak learner below which the warning is given: a third of the published ones.
  static let enoughSteps = 600

  /// - Parameter path: of the filter's settings, such as `defense.filter`.
  /// - Returns: nil where a weak learner takes enough steps.
  static func text(count: Int, settings: ExpansionSettings, path: String) -> String? {
    let component = Int((settings.share * Double(count)).rounded())
    let learner = settings.learner
    let batches = Batches(count: component, size: learner.batch, dropLast: learner.dropLast, joinsSingle: true)
    let steps = learner.epochs * batches.ranges.count
    guard steps < enoughSteps else { return nil }
    return
      "warning: on \(count) samples a weak learner takes only \(steps) steps (some 1,800 on the 50,000 samples that the "
      + "settings are published for), and may vote for a few classes alone. For small sets, take classes in equal shares "
      + "(\(path).classDivisor=1), fewer and larger components (\(path).rounds=4, \(path).share=0.25, "
      + "\(path).stopAt=\(max(1, count / 25))) and more epochs (\(path).firstEpochs, \(path).laterEpochs, "
      + "\(path).learner.epochs)."
  }
}
