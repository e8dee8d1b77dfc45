import Support

extension RunRecord {
  /// A file of the run as it was made: which bytes, and by which arithmetic. Another number of threads gives other
  /// bits.
  public struct Artifact: Codable, Sendable, Equatable {
    /// SHA-256 of the file, in hexadecimal digits.
    public var sha256: String
    /// As in `Environment`.
    public var threads: Int
    public var device: String
    public var precision: String
  }
}

extension RunRecord.Artifact {
  /// Of a file that was made just now.
  /// - Throws: `FileError`.
  init(of path: String, _ environment: RunRecord.Environment) throws {
    self.init(
      sha256: try Digest.sha256Hex(file: path), threads: environment.threads, device: environment.device,
      precision: environment.precision)
  }

  /// Why a file that was made in this way is not what it would be in that environment; nil where it is.
  func difference(from environment: RunRecord.Environment) -> String? {
    if threads != environment.threads {
      return "it was made with \(threads) threads, and this run has \(environment.threads)"
    }
    if device != environment.device { return "it was made on \(device), and this run is on \(environment.device)" }
    if precision != environment.precision {
      return "it was made in \(precision), and this run computes in \(environment.precision)"
    }
    return nil
  }
}
