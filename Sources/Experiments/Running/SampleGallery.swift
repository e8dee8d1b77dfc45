import Backdoor
import Evaluation
import Files
import Foundation
import Support
import Torch
import Training
import Vision

/// Writes the pictures of a run and what the models make of them.
struct SampleGallery {
  private let evaluator: BackdoorEvaluator
  private let count: Int
  private let directory: RunDirectory

  init(_ evaluator: BackdoorEvaluator, count: Int, directory: RunDirectory) {
    self.evaluator = evaluator
    self.count = count
    self.directory = directory
  }

  /// Test images that the attack aims at, of as many classes as there are, with and without the trigger. Several
  /// triggers take turns.
  func fill(_ record: inout RunRecord, models: [(label: String, model: Classifier)], _ context: TrainingContext) throws
  {
    record.samples = []
    guard count > 0, evaluator.hasTrigger else { return }
    let test = evaluator.test
    let labels = test.labelArray()
    var taken = Set<Int>()
    for task in 0..<min(evaluator.taskCount, count) {
      let share = count / evaluator.taskCount + (task < count % evaluator.taskCount ? 1 : 0)
      let aimed = labels.indices.filter { evaluator.target($0, task: task) != nil && !taken.contains($0) }
      var chosen: [Int] = []
      var seen = Set<Int>()
      for index in aimed where chosen.count < share && seen.insert(labels[index]).inserted { chosen.append(index) }
      for index in aimed where chosen.count < share && !chosen.contains(index) { chosen.append(index) }
      taken.formUnion(chosen)
      try add(chosen, of: task, to: &record, models, context)
    }
  }

  private func add(
    _ chosen: [Int], of task: Int, to record: inout RunRecord, _ models: [(label: String, model: Classifier)],
    _ context: TrainingContext
  ) throws {
    guard !chosen.isEmpty else { return }
    let labels = evaluator.test.labelArray()
    let clean = evaluator.test.subset(chosen)
    let triggered = evaluator.triggered(task).subset(chosen)
    let predictions = models.map {
      ($0.label, predict($0.model, clean, context), predict($0.model, triggered, context))
    }
    let parts = evaluator.parts(task, at: chosen)
    let difference = difference(clean.images, triggered.images)
    for (position, index) in chosen.enumerated() {
      let name = "\(RunDirectory.samplesName)/\(index)"
      try write(clean.images[position], "\(name)-clean.png")
      try write(triggered.images[position], "\(name)-triggered.png")
      try write(difference.shown[position], "\(name)-difference.png")
      let pictures = try parts.enumerated().map { number, part in
        let isOwn = part.pictures.dimension(0) > 1
        let file = isOwn ? "\(name)-part-\(number).png" : "\(RunDirectory.samplesName)/trigger-\(task)-\(number).png"
        if isOwn || position == 0 { try write(part.pictures[isOwn ? position : 0].to(.cpu).quantized(), file) }
        return RunRecord.Part(name: part.name, picture: file)
      }
      record.samples.append(
        RunRecord.Sample(
          index: index, label: labels[index], target: evaluator.target(index, task: task), clean: "\(name)-clean.png",
          triggered: "\(name)-triggered.png", difference: "\(name)-difference.png",
          magnification: difference.magnification, parts: pictures.isEmpty ? nil : pictures,
          predictions: predictions.map {
            RunRecord.SamplePrediction(model: $0.0, clean: $0.1[position], triggered: $0.2[position])
          }))
    }
  }

  /// Training images that the attacker changed, before and after: for attacks whose training images do not look as
  /// triggered test images do, and to see what the label says. Two thirds are poisoned ones where there are covers.
  func fill(_ record: inout RunRecord, changed poisoned: PoisonedDataset, from clean: ImageDataset) throws {
    record.poisonedImages = []
    guard count > 0 else { return }
    let covers = min(poisoned.covers.count, count / 3)
    let chosen = Array(poisoned.indices.prefix(count - covers)) + poisoned.covers.prefix(covers)
    guard !chosen.isEmpty else { return }
    let (before, after) = (clean.subset(chosen).images, poisoned.data.subset(chosen).images)
    let difference = difference(before, after)
    let labels = poisoned.data.labelArray()
    let truth = poisoned.trueLabels.array(Int64.self)
    let isCover = Set(poisoned.covers)
    for (position, index) in chosen.enumerated() {
      let name = "\(RunDirectory.samplesName)/training-\(index)"
      try write(before[position], "\(name)-clean.png")
      try write(after[position], "\(name)-poisoned.png")
      try write(difference.shown[position], "\(name)-difference.png")
      record.poisonedImages.append(
        RunRecord.PoisonedImage(
          index: index, trueLabel: Int(truth[index]), label: labels[index], isCover: isCover.contains(index),
          clean: "\(name)-clean.png", poisoned: "\(name)-poisoned.png", difference: "\(name)-difference.png",
          magnification: difference.magnification))
    }
  }

  /// What was changed, around middle gray, as far enlarged as it can be shown.
  private func difference(_ before: Tensor, _ after: Tensor) -> (shown: Tensor, magnification: Double) {
    let difference = after.to(.float32) - before.to(.float32)
    let largest = difference.abs().max().item()
    let magnification = largest > 0 ? max(1, (127 / largest).rounded(.down)) : 1
    return (shown(difference * (1 / 255.0), magnification), magnification)
  }

  /// Clean images, what the defense added, and the sum.
  func add(
    _ exhibit: Exhibit, to record: inout RunRecord, models: [(label: String, model: Classifier)],
    _ context: TrainingContext
  ) throws {
    guard count > 0 else { return }
    let perturbations = exhibit.perturbations.detach().to(.cpu)
    let pixels = exhibit.images.to(.cpu).unitPixels()
    let perturbed = pixels + perturbations
    let largest = perturbations.abs().max().item()
    let magnification = largest > 0 ? max(1, (0.5 / largest * 10).rounded() / 10) : 1
    let predictions = models.map { label, model in
      (label, predict(model, perturbed.to(context.device), context))
    }
    record.perturbations = []
    for position in 0..<min(count, exhibit.labels.count) {
      let name = "\(RunDirectory.samplesName)/perturbation-\(position)"
      try write(exhibit.images[position], "\(name)-clean.png")
      try write(shown(perturbations[position], magnification), "\(name)-delta.png")
      try write(perturbed[position].quantized(), "\(name)-sum.png")
      record.perturbations.append(
        RunRecord.Perturbation(
          index: position, label: exhibit.labels[position], clean: "\(name)-clean.png",
          perturbation: "\(name)-delta.png",
          magnification: magnification, perturbed: "\(name)-sum.png",
          predictions: predictions.map { RunRecord.PerturbedPrediction(model: $0.0, prediction: $0.1[position]) }))
    }
  }

  /// The trigger that a defense reconstructed, on black, and where it shows.
  static func write(_ trigger: ReconstructedTrigger?, to record: inout RunRecord, in directory: RunDirectory) throws {
    guard let trigger else { return }
    let (shown, mask) = ("\(RunDirectory.samplesName)/trigger.png", "\(RunDirectory.samplesName)/trigger-mask.png")
    for (name, picture) in [(shown, trigger.picture), (mask, trigger.mask)] {
      try AtomicFile.write(
        try DecodedImage(picture.detach().to(.cpu).quantized()).encodePNG(), to: directory.file(name))
    }
    record.verdict?.trigger = shown
    record.verdict?.mask = mask
  }

  /// A signed difference around middle gray.
  private func shown(_ difference: Tensor, _ magnification: Double) -> Tensor {
    (difference * magnification + 0.5).quantized()
  }

  private func predict(_ model: Classifier, _ data: ImageDataset, _ context: TrainingContext) -> [RunRecord.Prediction]
  {
    predictions(model.logits(of: data, context: context))
  }
  private func predict(_ model: Classifier, _ pixels: Tensor, _ context: TrainingContext) -> [RunRecord.Prediction] {
    predictions(noGrad { context.compute { model(pixels.contiguous(.channelsLast)) } })
  }
  private func predictions(_ logits: Tensor) -> [RunRecord.Prediction] {
    let (confidence, classes) = noGrad { F.softmax(logits, 1).max(1) }
    return zip(confidence.array(Float.self), classes.array(Int64.self)).map {
      RunRecord.Prediction(label: Int($1), confidence: Double($0))
    }
  }

  /// - Parameter image: uint8 C x H x W.
  private func write(_ image: Tensor, _ name: String) throws {
    try AtomicFile.write(try DecodedImage(image).encodePNG(), to: directory.file(name))
  }
}
