public import Torch

/// An exponential moving average of a module's parameters; buffers are copied.
public final class ExponentialMovingAverage {
  public let decay: Double
  public let average: Module

  /// - Parameter average: a module of the same architecture; it takes the source's present state and is then moved by
  ///   `update`.
  public init(of source: Module, in average: Module, decay: Double) throws(StateDictError) {
    self.decay = decay
    self.average = average
    try average.load(source.stateDict())
    average.requiresGrad(false)
  }

  /// average <- decay average + (1 - decay) source
  public func update(from source: Module) {
    noGrad {
      Fused.lerp(average.parameters(), source.parameters().map { $0.detach() }, 1 - decay)
      for (mine, theirs) in zip(average.namedBuffers(), source.namedBuffers()) { mine.tensor.copy_(theirs.tensor) }
    }
  }
}
