import Files
import Support
import Vision

extension ModelFile {
  /// Gives the model the normaliser that the user names, else the file's, else the one that clearly fits best.
  /// - Parameter stored: the file's; nil where it does not say it.
  /// - Returns: how it was found where neither says it.
  /// - Throws: `JobError` where none is clearly the best.
  func settleNormalization(
    of model: Classifier, stored: Normalization?, on labelled: ImageDataset, seed: Seed,
    _ progress: any ProgressReporter
  ) throws -> NormalizationFit? {
    let channels = labelled.channels
    let order = try channelOrder?.checked(channels)
    if let named = try normalization?.values(channels: channels) {
      let given = named.ordered(order ?? stored?.channelOrder ?? .rgb)
      model.normalization = given
      if let stored, stored != given {
        progress.message(
          "\(path): its normaliser is \(given.words) as you say; according to the file or its program it is \(stored.words)"
        )
      }
      try compare(given, of: model, on: labelled, seed, progress)
      return nil
    }
    if let stored {
      model.normalization = stored.ordered(order ?? stored.channelOrder ?? .rgb)
      if model.normalization != stored { try compare(model.normalization, of: model, on: labelled, seed, progress) }
      return nil
    }
    progress.message(
      "\(path): the file does not say what is done to its pixels first; the known normalisers are tried on labelled "
        + "images")
    let fit = try NormalizationFit(of: model, on: labelled, order: order, seed: seed, progress: progress)
    guard let chosen = fit.chosen,
      let value = Normalization.known(channels: channels).first(where: { $0.name == chosen.normalization })?.value
    else {
      let names = Normalization.known(channels: channels).map(\.name)
      let example = channels == 3 ? "[0.49,0.48,0.45],[0.25,0.24,0.26]" : "[0.29],[0.35]"
      throw JobError.invalid(
        "\(path): the file does not say what is done to its pixels first, and no known normaliser is clearly the right "
          + "one: \(fit.reason)." + (fit.rows.first?.images ?? 0 > 0 ? " Accuracy:\n\(fit.table)" : "")
          + "\n  Name it with --set model.normalization=\(names[0]) (or \(names.dropFirst().joined(separator: ", "))), or as "
          + "means and deviations of pixels in [0, 1]: --set 'model.normalization=\(example)'"
          + (channels == 3 ? "; images in OpenCV's order: --set model.channels=bgr." : "."))
    }
    model.normalization = value.ordered(chosen.channels)
    progress.message("\(path): accuracy under each normaliser:\n\(fit.table)")
    progress.message(
      "\(path): taken is \(chosen.words), since \(fit.reason). To fix the choice: \(chosen.settings)")
    return fit
  }

  /// Says so where another normaliser gives a clearly higher accuracy than the one that was chosen by hand.
  private func compare(
    _ given: Normalization, of model: Classifier, on labelled: ImageDataset, _ seed: Seed,
    _ progress: any ProgressReporter
  ) throws {
    let fit = try NormalizationFit(
      of: model, on: labelled, given: given, isCheck: true, seed: seed, progress: progress)
    guard let best = fit.rows.first, let own = fit.rows.first(where: { $0.is(given) }), own != best,
      !fit.equals.contains(own), best.accuracy - own.accuracy > NormalizationFit.difference
    else { return }
    progress.message(
      "warning: \(path): with \(best.words) the accuracy is \(formatPercent(best.accuracy)) of "
        + "\(formatCount(best.images)) images, with \(own.words), which is set, \(formatPercent(own.accuracy)). If that "
        + "is a mistake: \(best.settings)")
  }
}

extension NormalizationFit.Row {
  func `is`(_ value: Normalization) -> Bool {
    normalization == value.name && channels == value.channelOrder ?? .rgb
  }
}

extension Normalization {
  var words: String { name + (channelOrder ?? .rgb).suffix }
}
