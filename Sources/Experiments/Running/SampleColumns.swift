/// The columns of `samples.csv` that its readers know.
enum SampleColumn {
  /// The file that the sample was read from, relative to the folder of the table.
  static let path = "path"
  /// Its place in a file that holds many samples, from 0.
  static let row = "row"
  /// The given label as a number, and the name of its class.
  static let label = "label"
  static let className = "class"
  /// The name of the class that a model gives the sample.
  static let answer = "answer"
  /// The same decision twice: in words, and as 0 or 1.
  static let decision = "decision"
  static let kept = "kept"
  static let suspicion = "suspicion"
  /// From 1, the most suspicious sample.
  static let rank = "rank"
}

/// What a defense does with a sample.
enum SampleDecision: String {
  case kept, rejected
}
