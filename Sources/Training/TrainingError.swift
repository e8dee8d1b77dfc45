/// Why a training stage could not go on.
public enum TrainingError: Error, CustomStringConvertible, Sendable {
  /// The loss became NaN or infinite.
  case lossNotFinite(stage: String, epoch: Int, value: Double)
  /// A checkpoint does not fit the run that should go on from it.
  case checkpoint(String)
  case invalid(String)

  public var description: String {
    switch self {
    case .lossNotFinite(let stage, let epoch, let value):
      "\(stage), epoch \(epoch): the loss became \(value). Lower the learning rate, or compute in float32 "
        + "(--precision float32). "
        + "Checkpoints of earlier epochs are kept."
    case .checkpoint(let text), .invalid(let text): text
    }
  }
}
