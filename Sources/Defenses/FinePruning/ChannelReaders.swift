import Backdoor
import Torch
import TorchNN
import Training
import Vision

/// The weights that read the channels of a network's last stage, found in a forward pass: a layer is a reader if its
/// input depends on the stage and on no other reader's output. Neither the order of declarations nor names matter.
struct ChannelReaders {
  /// A weight with, for each channel, its second-dimension indices that the channel reaches.
  private let readers: [(weight: Tensor, columns: [Tensor])]
  /// Channels of the stage.
  let channels: Int

  /// - Parameters:
  ///   - model: in evaluation mode.
  ///   - images: a few, pixels N x C x H x W.
  /// - Throws: `DefenseError` for a network whose last stage cannot be found or is read in groups.
  init(of model: Classifier, images: Tensor) throws {
    let images = images.detach().requiresGrad_()
    let (features, trace) = withGrad {
      LayerTrace.recording { () -> Features in
        let features = model.features(images)
        _ = model.logits(features.penultimate)
        return features
      }
    }
    guard let stage = features.stages.last, stage.rank == 4 else {
      throw DefenseError.invalid(
        "fp cannot prune \(model.spec?.kind ?? "the model"): its features have no stages of N x C x H x W. nad, nc and i-bau "
          + "do without.")
    }
    func depends(_ x: Tensor, on y: Tensor) -> Bool {
      x === y || gradientsIfAny(of: [x.sum()], at: [y], retainGraph: true)[0] != nil
    }
    let after = trace.calls.filter { !($0.layer is BatchNorm2d) && depends($0.input, on: stage) }
    let direct = after.filter { call in
      !after.contains { $0.layer !== call.layer && depends(call.input, on: $0.output) }
    }
    channels = stage.dimension(1)
    readers = try direct.map { call in
      let columns = Self.columns(of: call.input, channelsOf: stage)
      guard columns.reduce(0, { $0 + $1.count }) <= call.input.dimension(1) else {
        throw DefenseError.invalid(
          "fp cannot prune \(model.spec?.kind ?? "the model"): a layer that mixes channels, such as layer normalisation, "
            + "stands between the last stage and what reads it. nad, nc and i-bau do without.")
      }
      switch call.layer {
      case let linear as Linear: return (linear.weight, columns)
      case let conv as Conv2d where conv.groups == 1: return (conv.weight, columns)
      default: throw DefenseError.invalid("pruning cannot follow channels into a grouped convolution.")
      }
    }
    guard !readers.isEmpty else {
      throw DefenseError.invalid(
        "fp found no convolution or linear layer of \(model.spec?.kind ?? "the model") that reads the channels of the last "
          + "stage, as in transformers, whose logits come from the class token. nad, nc and i-bau do without.")
    }
  }

  /// For each channel of `stage` the indices of `input`'s second dimension that depend on it. The gradient at the stage
  /// of `sum(u input)` is linear in u; its derivative by u says where a channel goes.
  private static func columns(of input: Tensor, channelsOf stage: Tensor) -> [Tensor] {
    let u = Tensor.ones(like: input.detach()).requiresGrad_()
    let map = gradient(of: (input * u).sum(), at: stage, retainGraph: true, createGraph: true)
    let others = [0] + Array(2..<input.rank)
    return (0..<stage.dimension(1)).map { channel in
      let reached = gradient(of: map.narrowed(1, channel..<(channel + 1)).sum(), at: u, retainGraph: true)
      return (reached.abs().sum(others) .> 0).nonzero().flattened()
    }
  }

  /// Whether nothing but the last linear layer reads the stage: then its input stays the same whatever is pruned.
  /// - Parameter features: numbers of an image that the last linear layer reads.
  func areHead(of model: Classifier, features: Int) -> Bool {
    let head = model.headParameters(features: features).map(\.tensor)
    return readers.allSatisfy { reader in head.contains { $0 === reader.weight } }
  }

  /// Sets to zero what reads these channels, each time that it is called: nothing of them reaches the logits.
  func eraser(of pruned: [Int]) -> () -> Void {
    let parts = readers.compactMap { weight, columns -> (weight: Tensor, columns: Tensor, zero: Tensor)? in
      let gone = pruned.map { columns[$0] }.filter { $0.count > 0 }
      return gone.isEmpty ? nil : (weight, Tensor.concatenated(gone), Tensor(0, device: weight.device))
    }
    return { noGrad { for part in parts { part.weight.put_([nil, part.columns], part.zero) } } }
  }
}
