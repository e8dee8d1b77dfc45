import Backdoor
import Foundation
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Defenses

/// Fine-Pruning against its description, and its pruned models as files.
@Suite struct FinePruningTests {
  private static func purified(
    _ model: Classifier, _ clean: ImageDataset, seed: Seed, _ edit: (inout FinePruning.Configuration) -> Void
  ) throws -> Classifier {
    var c = FinePruning.Configuration()
    edit(&c)
    let input = try DefenseInput(
      for: FinePruning.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5, model: model,
      cleanSplit: clean)
    return try #require(FinePruning(c).run(input).model)
  }

  /// A network that has learned something, so that accuracy stops the pruning midway.
  private func suspect(_ data: ImageDataset) throws -> Classifier {
    let model = try Classifier.tiny(for: data, width: 4, seed: 3)
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.learningRate, recipe.crop, recipe.flip) = (6, 8, 0.05, 0, false)
    try Trainer(recipe).train(model, on: data, context: TrainingContext(precision: .float32))
    return model.eval()
  }

  /// The method, written out: hold out, rank, prune two channels at a time by the held-out accuracy, fine-tune with the
  /// pruned weights at zero.
  @Test(arguments: [0.4, 0.05]) func runIsTheMethod(_ tolerance: Double) throws {
    let clean = ImageDataset.tiny(count: 23, size: 12, seed: 8)
    let (model, seed) = (try suspect(.tiny(count: 40, size: 12)), Seed(21))
    let found = try Self.purified(model, clean, seed: seed) {
      ($0.tolerance, $0.step, $0.validation) = (tolerance, 0.12, 0.3)
      ($0.finetune.epochs, $0.finetune.batch, $0.finetune.learningRate) = (2, 9, 0.06)
      ($0.finetune.momentum, $0.finetune.weightDecay, $0.finetune.crop, $0.finetune.flip) = (0.6, 0.02, 2, false)
    }

    let twin = try model.copied()
    twin.to(.channelsLast).eval()
    let weight = try #require(twin.stateDict().entries.first { $0.key == "linear.weight" }?.tensor)
    // 7 of 23 images are held out; ranks come from the other 16.
    let held = clean.sample(count: 7, seed: 5, stream: "fp/validation")
    let rest = (0..<23).filter { !held.contains($0) }
    func pixels(_ rows: [Int]) -> Tensor {
      (clean.images[Tensor(rows.map(Int64.init))].to(.float32) / 255).contiguous(.channelsLast)
    }
    let activity = noGrad { twin.features(pixels(rest)).stages[2].mean([0, 2, 3]).array(Float.self) }
    let order = activity.indices.sorted { (activity[$0], $0) < (activity[$1], $1) }
    let heldLabels = held.map { clean.labelArray()[$0] }
    func accuracy() -> Double {
      let classes = noGrad { twin(pixels(held)).argmax(1) }.array(Int64.self)
      return Double(zip(classes, heldLabels).count { Int($0) == $1 }) / 7
    }
    func without(_ channels: [Int]) -> Tensor {
      Tensor((0..<16).map { channels.contains($0) ? 0 : 1 } as [Float])
    }
    let (whole, first) = (weight.detach().clone(), accuracy())
    var pruned = 0
    while pruned + 2 < 16 {
      noGrad { weight.copy_(whole * without(Array(order.prefix(pruned + 2)))) }
      guard accuracy() >= (1 - tolerance) * first else { break }
      pruned += 2
    }
    #expect(first > 0.6 && pruned > 0 && pruned < 14, "accuracy ends the pruning: \(first) \(pruned)")
    let mask = without(Array(order.prefix(pruned)))
    noGrad { weight.copy_(whole * mask + 0) }
    twin.train()
    let sgd = SGD(twin.parameters(), learningRate: 1, momentum: 0.6, weightDecay: 0.02)
    for epoch in 0..<2 {
      sgd.learningRate = 0.06 * (1 + cos(.pi * Double(epoch) / 2)) / 2
      let shuffled = Generator(seed: seed("fp/shuffle", epoch)).permutation(23)
      let augment = Generator(seed: seed("fp/augment", epoch))
      for range in [0..<9, 9..<18, 18..<23] {
        let x = CropFlip(padding: 2, flip: false).gather(images: clean.images, indices: shuffled[range], augment)
        sgd.step(minimizing: F.crossEntropy(twin(x), clean.labels[shuffled[range]]))
        // Plus 0: a negative weight times 0 is another zero.
        noGrad { weight.copy_(weight * mask + 0) }
      }
    }
    expectSame(found.snapshot(), twin.snapshot())
  }

  /// Whatever the architecture, nothing of a pruned channel of the last stage reaches the logits, all of the others
  /// does, and the file of the model is an ordinary one.
  @Test(arguments: ModelKind.all.map(\.id).filter { $0 != "convnext_tiny" && !$0.hasPrefix("vit") })
  func prunedChannelsAreZeroInTheFile(_ kind: String) throws {
    let clean = ImageDataset.tiny(count: 6, size: kind == "densenet121" ? 8 : 16, seed: 8)
    let model = try Classifier.tiny(for: clean, kind: kind, width: kind == "vgg19" ? 1 : 2, seed: 3).eval()
    let found = try Self.purified(model, clean, seed: 2) {
      ($0.share, $0.validation) = (0.375, 0.2)
      ($0.finetune.epochs, $0.finetune.batch) = (kind == "cnn" ? 2 : 0, 6)
    }
    let ranked = FinePruning.ranking(
      of: model, on: clean.subset(clean.complement(of: clean.sample(count: 1, seed: 5, stream: "fp/validation"))),
      TrainingContext(precision: .float32))
    let gone = Set(ranked.prefix(Int((0.375 * Double(ranked.count)).rounded())))
    #expect(!gone.isEmpty)

    try withTemporaryFolder { folder in
      let path = folder + "/pruned.safetensors"
      try found.save(path)
      let loaded = try Classifier.open(path).eval()
      expectSame(loaded.snapshot(), found.snapshot())
      let (logits, features) = loaded.logitsAndFeatures(clean.pixels(0..<6))
      let stage = try #require(features.stages.last)
      // The second class minus the first: a sum over all classes could cancel.
      let reach = gradient(of: (logits.selected(1, 1) - logits.selected(1, 0)).sum(), at: stage).abs().sum([0, 2, 3])
      for (channel, value) in reach.array(Float.self).enumerated() {
        #expect((value == 0) == gone.contains(channel), "channel \(channel) of \(kind): \(value)")
      }
    }
  }

  /// Where another layer reads the last stage, what the last linear layer reads changes with the pruning.
  @Test(arguments: [("cnn", true), ("preactresnet18", true), ("vgg19", false)])
  func whatPruningChanges(_ kind: String, _ isHead: Bool) throws {
    let data = ImageDataset.tiny(count: 2, size: 16)
    let model = try Classifier.tiny(for: data, kind: kind, width: kind == "vgg19" ? 1 : 2).eval()
    let readers = try ChannelReaders(of: model, images: data.pixels(0..<2))
    #expect(readers.areHead(of: model, features: model.featureCount(for: data)) == isHead)
  }

  /// LayerNorm mixes channels on the way to the logits.
  @Test(arguments: [("convnext_tiny", 2), ("vit_tiny", 3)]) func whatCannotBePruned(_ kind: String, _ width: Int) throws
  {
    let clean = ImageDataset.tiny(count: 6, size: 16)
    let model = try Classifier.tiny(for: clean, kind: kind, width: width)
    let error = #expect(throws: DefenseError.self) { try Self.purified(model, clean, seed: 1) { _ in } }
    #expect(error?.description.contains("\(kind)") == true)
  }

  @Test func oneImageIsTooFew() throws {
    let clean = ImageDataset.tiny(count: 1, size: 8)
    let model = try Classifier.tiny(for: clean)
    let error = #expect(throws: DefenseError.self) { try Self.purified(model, clean, seed: 1) { _ in } }
    #expect(error?.description.contains("more than 1") == true)
  }

  /// Against Python: order of the channels and logits of the pruned network.
  @Test func golden() throws {
    let golden = try Golden("purifiers")
    let model = PreActResNet18(classes: 10, width: 4, Generator(seed: 0)).fillWithPattern(phaseOffset: 3.8).eval()
    let images = imagePattern([6, 3, 16, 16], 0.5).quantized()
    let data = ImageDataset(
      name: "pattern", images: images, labels: Tensor((0..<6).map { Int64($0) }),
      classNames: (0..<10).map { "\($0)" })
    let context = TrainingContext(precision: .float32)
    let order = FinePruning.ranking(of: model, on: data, context)
    #expect(order == golden.settings["fp"]["order"].ints)
    let found = try Self.purified(model, data, seed: 1) { ($0.share, $0.finetune.epochs) = (0, 0) }
    expectClose(found.logits(of: data, context: context), try golden.tensor("fp/logits"), tolerance: 1e-4)
  }
}
