import Files
import Foundation
import Torch
import Vision

/// The answers of a model to the images of a data set.
struct Predictions {
  /// N x K, float32.
  let logits: Tensor
  let data: ImageDataset
  /// K, in the order of the logits.
  let classNames: [String]
  /// Of each image; nil where files hold many of them.
  let files: [String]?
  private let classes: [Int]
  private let probabilities: [Float]
  private let labels: [Int]

  init(logits: Tensor, data: ImageDataset, classNames: [String]) {
    self.logits = logits
    self.data = data
    self.classNames = classNames
    let sources = data.sources ?? []
    files = sources.isEmpty || sources.contains { $0.row != nil } ? nil : sources.map(\.file)
    labels = data.labelArray()
    classes = noGrad { logits.argmax(1) }.array(Int64.self).map(Int.init)
    probabilities = noGrad { F.softmax(logits, 1).max(1).values }.array(Float.self)
  }

  /// Images that have a label.
  var labelled: Int { labels.count { $0 >= 0 } }
  /// Over those that have a label; nil where none has.
  var accuracy: Double? {
    labelled == 0 ? nil : Double(zip(classes, labels).count { $0 == $1 }) / Double(labelled)
  }
  /// How many images each class was given.
  var counts: [PredictionJob.Result.ClassCount] {
    let counts = Dictionary(grouping: classes) { $0 }.mapValues(\.count)
    return classNames.enumerated().map { .init(name: $0.element, images: counts[$0.offset] ?? 0) }
  }

  func write(to path: String) throws {
    guard path.lowercased().hasSuffix(".safetensors") else { return try writeTable(to: path) }
    var tensors = [
      (key: "logits", tensor: logits.contiguous()),
      (key: "predicted", tensor: Tensor(classes.map(Int64.init))),
      (key: "probability", tensor: Tensor(probabilities)),
    ]
    if labelled > 0 { tensors.append((key: "labels", tensor: data.labels.to(.cpu))) }
    var metadata = ["classes": try JSONValue(encoding: classNames).compactJSON]
    if let files { metadata["paths"] = try JSONValue(encoding: files).compactJSON }
    try Safetensors.save(tensors, metadata: metadata, to: path)
  }

  /// Written piece by piece: a thousand classes make long lines.
  private func writeTable(to path: String) throws {
    let names = classNames.map(CSVTable.field)
    let values = logits.array(Float.self)
    var header = ["index"]
    if files != nil { header.append("path") }
    if labelled > 0 { header.append("label") }
    header += ["predicted", "probability"] + classNames.map { CSVTable.field("logit \($0)") }
    try AtomicFile.write(
      to: path,
      streaming: { file in
        try file.write(header.joined(separator: ",") + "\n")
        for index in labels.indices {
          var fields = ["\(index)"]
          if let files { fields.append(CSVTable.field(Path.relative(files[index], from: Path.parent(path)))) }
          if labelled > 0 { fields.append(labels[index] >= 0 ? names[labels[index]] : "") }
          fields += [names[classes[index]], "\(probabilities[index])"]
          fields += values[(index * names.count)..<((index + 1) * names.count)].map { "\($0)" }
          try file.write(fields.joined(separator: ",") + "\n")
        }
      })
  }
}
