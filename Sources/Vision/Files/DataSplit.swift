/// The part of a data set that a reader returns.
public enum DataSplit: String, Sendable, CaseIterable, Codable {
  case train
  case test
  /// Images without labels (STL-10 has them); every label is -1.
  case unlabeled
}
