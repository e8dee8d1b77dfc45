import Files
import Attacks
import Backdoor
import Foundation
import Support
import TestData
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite(.serialized) struct ScratchDigest {
  @Test func attacks() throws {
    for kind in AttackKind.all {
      print("DIGEST settings", kind.id, Digest.sha256Hex(try kind.make([:]).settings.canonicalJSON + "\(kind.configuration.settings)").prefix(12))
    }
    let small: JSONValue = ["epochs": 2, "batch": 16]
    let cases: [(String, String, JSONValue)] = [
      ("sleeper", "sleeper-agent", ["steps": 4, "retrain": 1, "size": 4, "rate": 0.2, "batch": 5, "surrogate": ["epochs": 2, "batch": 16, "clipNorm": 0.5]]),
      ("sleeper-adv", "sleeper-agent", ["steps": 4, "retrain": 1, "size": 4, "rate": 0.2, "adversarial": true, "linf": ["steps": 2], "surrogate": small]),
      ("clustered", "clustered-trigger", ["epochs": 3, "batch": 8, "rate": 0.4, "bound": 0.2, "pretrain": small, "excludeTarget": false]),
    ]
    for precision in [Precision.float32, .bfloat16] {
      for (name, id, settings) in cases {
        let data = ImageDataset.tiny()
        let attack = try AttackKind.named(id).make(settings).attack
        var text = ""
        let training = TrainingContext(precision: precision, seed: 3)
        training.onEpoch = { r in
          text += "\(r.stage) \(r.epoch) \(r.epochs) \(r.isMeasured) \(String(describing: r.selected)) "
          for (k, v) in r.values where k != "seconds" && k != "imagesPerSecond" { text += "\(k) \(v) " }
        }
        let context = AttackContext(train: data, seed: 3, training: training, architecture: data.tinyArchitecture)
        let learned = try attack.learn(context)
        for (k, t) in learned.sorted(by: { $0.key < $1.key }) { text += "\(k) \(t.shape) \(t.to(.float64).contiguous().array(Double.self))" }
        let victim = try attack.execute(context, learned: learned)
        text += "\(victim.train.data.images.to(.int64).array(Int64.self)) \(victim.train.indices)"
        print("DIGEST attack", precision, name, Digest.sha256Hex(text).prefix(16))
      }
    }
  }
}
