import Experiments

/// A grid of cards, each with a few images of one picture and what the models say about them.
struct ImageGallery {
  struct Card {
    var cardTitle: String
    var cardDetail: String
    var images: [SampleImage]
    var answerTable: AnswerTable?
  }

  /// What the models say, one row each; `header` names the images that they were asked about.
  struct AnswerTable {
    var header: [String]
    var answers: [Answer]

    init?(header: [String], answers: [Answer]) {
      guard !answers.isEmpty else { return nil }
      self.header = header
      self.answers = answers
    }
  }

  /// What one model says.
  struct Answer {
    var model: String
    var chips: [Chip]
  }

  /// A predicted class, marked as right, wrong or the attacker's target by colour, symbol and word.
  struct Chip {
    var kind: String
    var symbol: String
    var className: String
    var confidence: String
  }

  var cards: [Card]

  /// Test images without and with the trigger; `nil` if there are none.
  init?(samplesOf record: RunRecord, in directory: String) {
    guard !record.samples.isEmpty else { return nil }
    // A patch that is the same on all images is shown once.
    var shown = Set<String>()
    cards = record.samples.map { sample in
      let name = record.className(sample.label)
      let target = sample.target ?? record.poison?.targetLabel
      var images = [
        SampleImage(
          sample.clean, in: directory, caption: "clean", alternative: "Test image \(sample.index), \(name), clean"),
        SampleImage(
          sample.triggered, in: directory, caption: "triggered",
          alternative: "Test image \(sample.index), \(name), with the trigger"),
      ]
      if let difference = sample.difference {
        images.append(
          SampleImage(
            difference, in: directory, caption: "difference" + Self.times(sample.magnification),
            alternative: "What the trigger changes in test image \(sample.index)"))
      }
      for part in sample.parts ?? [] where shown.insert(part.picture).inserted {
        images.append(
          SampleImage(
            part.picture, in: directory, caption: part.name,
            alternative: "The trigger's \(part.name), for test image \(sample.index)"))
      }
      let answers = sample.predictions.map { prediction in
        Answer(
          model: prediction.model,
          chips: [prediction.clean, prediction.triggered].map {
            Self.chip($0, truth: sample.label, target: target, in: record)
          })
      }
      return Card(
        cardTitle: name, cardDetail: "test image \(sample.index)", images: images,
        answerTable: AnswerTable(header: ["clean", "triggered"], answers: answers))
    }
  }

  /// Training images that the attacker changed; `nil` if there are none.
  init?(poisonedImagesOf record: RunRecord, in directory: String) {
    guard !record.poisonedImages.isEmpty else { return nil }
    cards = record.poisonedImages.map { item in
      let (truth, label) = (record.className(item.trueLabel), record.className(item.label))
      return Card(
        cardTitle: item.isCover ? "\(truth), cover sample" : truth == label ? truth : "\(truth), labelled \(label)",
        cardDetail: "training image \(item.index)",
        images: [
          SampleImage(
            item.clean, in: directory, caption: "before", alternative: "Training image \(item.index), before"),
          SampleImage(
            item.poisoned, in: directory, caption: item.isCover ? "changed" : "poisoned",
            alternative: "Training image \(item.index), \(truth), as the model learns it"),
          SampleImage(
            item.difference, in: directory, caption: "difference" + Self.times(item.magnification),
            alternative: "What was changed in training image \(item.index)"),
        ])
    }
  }

  /// Perturbations that the defense made; `nil` if there are none.
  init?(perturbationsOf record: RunRecord, in directory: String) {
    guard !record.perturbations.isEmpty else { return nil }
    cards = record.perturbations.map { item in
      let name = record.className(item.label)
      let images = [
        SampleImage(item.clean, in: directory, caption: "clean", alternative: "Image \(item.index), \(name), clean"),
        SampleImage(
          item.perturbation, in: directory, caption: "perturbation" + Self.times(item.magnification),
          alternative: "The perturbation of image \(item.index)"),
        SampleImage(
          item.perturbed, in: directory, caption: "perturbed", alternative: "Image \(item.index), \(name), perturbed"),
      ]
      let answers = item.predictions.map { answer in
        Answer(
          model: answer.model,
          chips: [Self.chip(answer.prediction, truth: item.label, target: record.poison?.targetLabel, in: record)])
      }
      return Card(
        cardTitle: name, cardDetail: "image \(item.index)", images: images,
        answerTable: AnswerTable(header: ["perturbed"], answers: answers))
    }
  }

  private static func chip(_ prediction: RunRecord.Prediction, truth: Int, target: Int?, in record: RunRecord) -> Chip {
    let (kind, symbol) =
      prediction.label == truth ? ("right", "✓") : prediction.label == target ? ("target", "◎") : ("wrong", "✗")
    return Chip(
      kind: kind, symbol: symbol, className: record.className(prediction.label),
      confidence: NumberText.percent(prediction.confidence))
  }

  private static func times(_ factor: Double?) -> String {
    factor.map { " ×\(NumberText.short($0))" } ?? ""
  }
}
