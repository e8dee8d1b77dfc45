import Support
import Torch
public import Training
public import Vision

/// The images of an audit: one half to find triggers with, the other to measure them on. Their labels are what the
/// audited model predicts, so that images without labels serve as well.
public struct AuditImages {
  public let search: ImageDataset
  public let heldOut: ImageDataset
  /// Where they lie in the data that they were drawn from.
  public let searchPositions: [Int]
  public let heldOutPositions: [Int]

  /// - Parameters:
  ///   - model: in evaluation mode on the context's device.
  ///   - data: clean images in the model's size and channels; labels do not matter.
  ///   - most: so many of them are drawn at most.
  /// - Throws: `AuditError.tooFewImages` for less than 20.
  public init(_ data: ImageDataset, model: Classifier, most: Int, context: TrainingContext) throws {
    guard data.count >= Self.least else { throw AuditError.tooFewImages(found: data.count, least: Self.least) }
    var random = context.seed.generator("audit/images")
    let drawn = random.sample(min(most, data.count), of: data.count)
    func part(_ positions: [Int]) -> ImageDataset {
      let images = data.subset(positions).to(context.device)
      return images.relabeled(model.logits(of: images, context: context).argmax(1))
    }
    searchPositions = Array(drawn[..<(drawn.count / 2)])
    heldOutPositions = Array(drawn[(drawn.count / 2)...])
    search = part(searchPositions)
    heldOut = part(heldOutPositions)
  }

  init(search: ImageDataset, heldOut: ImageDataset) {
    (self.search, self.heldOut) = (search, heldOut)
    (searchPositions, heldOutPositions) = ([], [])
  }

  public static let least = 20
}

/// Why a model cannot be audited.
public enum AuditError: Error, CustomStringConvertible, Sendable {
  case tooFewImages(found: Int, least: Int)
  case invalid(String)

  public var description: String {
    switch self {
    case .tooFewImages(let found, let least):
      "an audit needs at least \(least) images, better some hundred; there \(found == 1 ? "is" : "are") \(found)."
    case .invalid(let text): text
    }
  }
}
