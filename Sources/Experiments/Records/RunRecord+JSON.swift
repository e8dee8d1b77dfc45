import Files

extension RunRecord {
  /// The record as the text of `record.json`: indented, keys sorted, one newline at the end.
  ///
  /// - Throws: An `EncodingError`; none is expected.
  public func encoded() throws -> String { try JSONValue(encoding: self).prettyJSON + "\n" }

  /// Reads the text of a `record.json`.
  ///
  /// - Parameters:
  ///   - bytes: The file's content.
  ///   - path: The file's path, for messages.
  ///   - withPictures: Whether samples, poisoned images, perturbations, histograms, maps and pictures are wanted, which are most of a
  ///     record and of the time that it takes. Without them they are empty, and are not checked.
  /// - Throws: ``RunStoreError/unknownFormat(path:found:)`` for another format version,
  ///   ``RunStoreError/damaged(path:reason:)`` for anything else that is not a record.
  public static func decoded(
    from bytes: some Collection<UInt8>, path: String = RunDirectory.recordName, withPictures: Bool = true
  ) throws(RunStoreError) -> RunRecord {
    let record: RunRecord
    do {
      var tree = try JSONValue(json: bytes)
      if !withPictures { tree.dropPictures() }
      guard tree.holdsCounts else { throw ParseError("a whole number is beyond 2^53") }
      record = try tree.decode(RunRecord.self)
    } catch let error as RunRecord.UnknownFormat {
      throw .unknownFormat(path: path, found: error.version)
    } catch {
      throw .damaged(path: path, reason: describeDecoding(error))
    }
    try record.checkPlausible(path: path)
    return record
  }
}

extension JSONValue {
  fileprivate mutating func dropPictures() {
    for key in ["samples", "poisonedImages", "perturbations"] { self[key] = nil }
    guard var findings = self["findings"], findings.objectValue != nil else { return }
    for key in ["histograms", "maps", "pictures"] where findings[key] != nil { findings[key] = [] }
    self["findings"] = findings
  }

  /// Whether every whole number is one that reports can count with: sums of a few stay within 64 bits.
  fileprivate var holdsCounts: Bool {
    switch self {
    case .int(let value): value.magnitude <= 1 << 53
    case .array(let elements): elements.allSatisfy(\.holdsCounts)
    case .object(let members): members.values.allSatisfy(\.holdsCounts)
    default: true
    }
  }
}

/// A decoding error in words: where in the file, and what is wrong.
func describeDecoding(_ error: any Error) -> String {
  func place(_ path: [any CodingKey]) -> String {
    path.isEmpty
      ? "at the top level" : "at " + path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
  }
  switch error {
  case DecodingError.keyNotFound(let key, let context):
    return "the key \"\(key.stringValue)\" is missing \(place(context.codingPath))"
  case DecodingError.typeMismatch(let type, let context):
    return "a value of another type than \(type) stands \(place(context.codingPath))"
  case DecodingError.valueNotFound(_, let context):
    return "the value is null \(place(context.codingPath))"
  case let error as ParseError:
    return "it is not valid JSON (\(error))"
  case DecodingError.dataCorrupted(let context):
    return "\(context.debugDescription) (\(place(context.codingPath)))"
  default:
    return "\(error)"
  }
}
