public import Backdoor
import Foundation
public import Torch
import TorchNN
public import Vision

/// A trigger that a trained network makes for each image.
///
/// The network is in evaluation mode and its weights are constants, so an image's trigger does not depend on what else
/// is in the batch. It computes in float32, whatever it was trained in and wherever it is called.
final class GeneratedTrigger<Network: Module>: Trigger, @unchecked Sendable {
  /// Images that one forward pass takes while stamping.
  private static var batch: Int { 256 }

  let network: Network
  /// The triggered images of pixel images, by the network.
  private let apply: @Sendable (_ network: Network, _ images: Tensor, _ generator: Generator) -> Tensor
  /// What the network makes of images on the way.
  private let between: (@Sendable (_ network: Network, _ images: Tensor) -> [TriggerPart])?
  // The network moves to the images' device at their first use.
  private let lock = NSLock()

  init(
    _ network: Network, parts: (@Sendable (_ network: Network, _ images: Tensor) -> [TriggerPart])? = nil,
    _ apply: @escaping @Sendable (_ network: Network, _ images: Tensor, _ generator: Generator) -> Tensor
  ) {
    self.network = network
    self.apply = apply
    between = parts
    network.to(.channelsLast).eval().requiresGrad(false)
  }

  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    compute(images) { apply(network, $0, generator).clamped(0, 1).contiguous() }
  }

  func parts(of images: Tensor) -> [TriggerPart] {
    noGrad { compute(images) { images in between?(network, images) ?? [] } }
  }

  private func compute<Result>(_ images: Tensor, _ body: (Tensor) -> Result) -> Result {
    lock.withLock {
      if network.device != images.device { network.to(images.device) }
      return withoutAutocast(on: images.device) { body(images.contiguous(.channelsLast)) }
    }
  }

  func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    let count = images.dimension(0)
    guard count > 0 else { return images }
    var starts = Array(stride(from: 0, to: count, by: Self.batch))
    // Where images take their triggers from each other, none is to be alone.
    if count > 1, starts.last == count - 1 { starts.removeLast() }
    return noGrad {
      Tensor.concatenated(
        starts.indices.map { place in
          let end = place + 1 < starts.count ? starts[place + 1] : count
          return self(images[starts[place]..<end].unitPixels(), generator).quantized()
        })
    }
  }
}

extension Module {
  /// The state as an attack keeps it among what it learned: `<name>.<key>`, on the CPU.
  func learned(as name: String) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: stateDict().copied().entries.map { ("\(name).\($0.key)", $0.tensor.to(.cpu)) })
  }

  /// Takes over what `learned(as:)` gave.
  /// - Throws: `BackdoorError` where it is not there or does not fit.
  func load(_ learned: [String: Tensor], as name: String, of attack: String) throws(BackdoorError) {
    let state = StateDict(learned.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }).stripping(prefix: "\(name).")
    guard state.count > 0 else { throw .notLearned(attack: attack, key: name) }
    do {
      try load(state, source: "the \(name) network that \(attack) learned")
    } catch {
      throw .invalid("\(error)")
    }
  }
}

/// An attack that learns its trigger, and knows what one of random weights costs to stamp.
public protocol AttackWithUntrainedTrigger: Attack {
  /// A trigger with random values in place of learned ones, which takes as long to stamp.
  func untrainedTrigger(for shape: ImageShape, _ random: Generator) -> any Trigger
}
