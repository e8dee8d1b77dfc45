import Backdoor
import Files
import Formats
import Support
import TestFiles
import Testing
import Torch
import Training
import Vision

@testable import Experiments

/// The pictures of a run.
@Suite struct SampleGalleryTests {
  private let tiny = TinyRun()

  private func pixels(_ folder: String, _ file: String) throws -> Tensor {
    let image = try DecodedImage.decode(contentsOf: "\(folder)/\(file)")
    return Tensor(image.pixels, shape: [image.height, image.width, image.channels]).permuted(2, 0, 1)
  }
  private func equal(_ a: Tensor, _ b: Tensor) -> Bool {
    a.shape == b.shape && (a.to(.float32) - b.to(.float32)).abs().max().item() == 0
  }

  /// Training images as the attacker found and left them; a third are covers where there are some. Files hold what the
  /// model learned from.
  @Test func trainingImagesBeforeAndAfter() throws {
    try withTemporaryFolder { parent in
      let changes: JSONValue = [
        "attack": ["name": "adaptive-patch", "rate": 0.1, "coverRate": 0.05], "defense": "none",
        "evaluation": ["samples": 6],
      ]
      let record = try tiny.run("\(parent)/run", changes)
      let configuration = try tiny.configuration(changes)
      let context = try configuration.makeContext(progress: SilentProgress())
      let data = try Cell.loadData(configuration, on: .cpu, progress: SilentProgress())
      let cell = try Cell(configuration, data: data, context: context)
      let poisoned = try #require(cell.attackOutcome?.train)
      #expect(poisoned.indices.count >= 4 && poisoned.covers.count >= 2, "the test needs both kinds")
      let shown = record.poisonedImages
      #expect(shown.map(\.index) == Array(poisoned.indices.prefix(4)) + poisoned.covers.prefix(2))
      #expect(shown.map(\.isCover) == [false, false, false, false, true, true])
      for item in shown {
        #expect(item.trueLabel == data.train.labelArray()[item.index])
        #expect(item.label == (item.isCover ? item.trueLabel : 0))
        #expect(equal(try pixels("\(parent)/run", item.clean), data.train.images[item.index]))
        #expect(equal(try pixels("\(parent)/run", item.poisoned), poisoned.data.images[item.index]))
        let change = poisoned.data.images[item.index].to(.float32) - data.train.images[item.index].to(.float32)
        let difference = try pixels("\(parent)/run", item.difference).to(.float32)
        #expect(item.magnification >= 1 && change.abs().max().item() > 0)
        #expect((difference - 127.5 - change * item.magnification).abs().max().item() <= 0.51)
      }
      #expect(try RunDirectory.open("\(parent)/run").readRecord()?.poisonedImages == shown)
    }
  }

  /// Several triggers take turns, each on images that it aims at and with its own parts.
  @Test func everyTriggerIsShown() throws {
    try withTemporaryFolder { parent in
      let changes: JSONValue = [
        "attack": ["name": "badnets", "rate": 0.2, "triggers": 2], "defense": "none", "evaluation": ["samples": 3],
      ]
      let record = try tiny.run("\(parent)/run", changes)
      #expect(record.samples.count == 3 && Set(record.samples.map(\.index)).count == 3)
      let targets = record.samples.map(\.target)
      #expect(targets[0] == targets[1] && targets[1] != targets[2], "two of the first trigger, one of the second")
      let files = record.samples.map { $0.parts?.map(\.picture) ?? [] }
      #expect(
        files[0] == ["samples/trigger-0-0.png"] && files[1] == files[0] && files[2] == ["samples/trigger-1-0.png"])
      #expect(!equal(try pixels("\(parent)/run", files[0][0]), try pixels("\(parent)/run", files[2][0])))
      #expect(record.samples.allSatisfy { $0.parts?.map(\.name) == ["patch"] })
    }
  }
}
