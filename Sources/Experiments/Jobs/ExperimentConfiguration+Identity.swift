import Files
import Support

extension ExperimentConfiguration {
  /// The part of the resolved configuration that a job's result depends on: seed, precision and these sections.
  func identity(_ sections: [String]) throws -> JSONValue {
    let resolved = try resolved()
    var tree: JSONValue = [:]
    for key in ["seed", "precision"] + sections { tree[key] = resolved[key] ?? .null }
    return tree
  }
}
