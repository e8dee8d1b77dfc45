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

  /// Test images that the attack aims at, of as many classes as there are, with and without the trigger.
  func fill(_ record: inout RunRecord, models: [(label: String, model: Classifier)], _ context: TrainingContext) throws
  {
    record.samples = []
    guard count > 0, evaluator.hasTrigger else { return }
    let test = evaluator.test
    let labels = test.labelArray()
    let aimed = labels.indices.filter { evaluator.target($0) != nil }
    var chosen: [Int] = []
    var seen = Set<Int>()
    for index in aimed where chosen.count < count && seen.insert(labels[index]).inserted { chosen.append(index) }
    for index in aimed where chosen.count < count && !chosen.contains(index) { chosen.append(index) }
    let clean = test.subset(chosen)
    let triggered = evaluator.triggered().subset(chosen)
    let predictions = models.map {
      ($0.label, predict($0.model, clean, context), predict($0.model, triggered, context))
    }
    let difference = triggered.images.to(.float32) - clean.images.to(.float32)
    let largest = difference.abs().max().item()
    let magnification = largest > 0 ? max(1, (127 / largest).rounded(.down)) : 1
    for (position, index) in chosen.enumerated() {
      let name = "\(RunDirectory.samplesName)/\(index)"
      try write(clean.images[position], "\(name)-clean.png")
      try write(triggered.images[position], "\(name)-triggered.png")
      try write(shown(difference[position] * (1 / 255.0), magnification), "\(name)-difference.png")
      record.samples.append(
        RunRecord.Sample(
          index: index, label: labels[index], target: evaluator.target(index), clean: "\(name)-clean.png",
          triggered: "\(name)-triggered.png", difference: "\(name)-difference.png", magnification: magnification,
          predictions: predictions.map {
            RunRecord.SamplePrediction(model: $0.0, clean: $0.1[position], triggered: $0.2[position])
          }))
    }
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
