public import Support

/// Who computes what several runs need, where they run at the same time.
public protocol StageClaims {
  /// Waits until nobody else computes what an id stands for, and takes the right to do so.
  /// - Returns: gives the right back, when it was computed or when that failed.
  /// - Throws: `Interrupted` after Ctrl-C; what the claims are kept in throws.
  func take(_ id: String, progress: any ProgressReporter) throws -> () -> Void
}
