import Files
import Support
import Vision

extension ExperimentConfiguration {
  /// What a job's result depends on: which job it is, its images, and of the resolved configuration seed, precision and
  /// these sections.
  func identity(job: String, images: ImageDataset, _ sections: [String]) throws -> JSONValue {
    let resolved = try resolved()
    var tree: JSONValue = ["job": .string(job), "images": .string(images.fingerprint)]
    for key in ["seed", "precision"] + sections { tree[key] = resolved[key] ?? .null }
    tree["model"] = tree["model"].map(Self.withoutNewDefaults)
    tree["attack"] = tree["attack"].map(Self.identified)
    return tree
  }
}
