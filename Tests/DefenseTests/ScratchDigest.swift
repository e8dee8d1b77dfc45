import Files
import Backdoor
import Defenses
import Foundation
import Support
import TestData
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite(.serialized) struct ScratchDigest {
  @Test func defenses() throws {
    for kind in DefenseKind.all {
      print("DIGEST settings", kind.id, Digest.sha256Hex(try kind.make([:]).settings.canonicalJSON + "\(kind.configuration.settings)").prefix(12))
    }
    let short: JSONValue = ["epochs": 2, "batch": 12, "crop": 2, "clipNorm": 0.5, "labelSmoothing": 0.1, "flip": true]
    let plain: JSONValue = ["epochs": 2, "batch": 12, "crop": 0, "flip": false, "clipNorm": 0.5]
    let stage: JSONValue = ["epochs": 2, "batch": 32]
    let tune: JSONValue = ["epochs": 2, "batch": 20, "warmup": 1]
    let mix: JSONValue = ["epochs": 2, "iterations": 2, "batch": 6]
    let filter: JSONValue = ["rounds": 2, "bags": 2, "share": 0.4, "stopAt": 4, "learner": short]
    var cases: [(String, String, JSONValue)] = [
      ("ft", "ft", ["epochs": 2, "batch": 12]),
      ("sau", "sau", ["epochs": 2, "batch": 12]), ("sau-l2", "sau", ["epochs": 2, "batch": 12, "norm": "l2", "stepRule": "steepest", "start": "random", "clamp": true, "adversarialWeight": 0.1]),
      ("sau-uni", "sau", ["epochs": 2, "batch": 12, "universal": true, "target": 1, "clamp": true]),
      ("sau-l1", "sau", ["epochs": 2, "batch": 12, "norm": "l1", "radius": 5, "stepRule": "steepest", "outer": "vanilla"]),
      ("vanilla-at", "vanilla-at", ["epochs": 2, "batch": 12]),
      ("cat", "cat", ["recipe": short, "linf": ["steps": 2], "spatial": ["steps": 2]]),
      ("cat-joint", "cat", ["recipe": short, "composite": ["joint": true], "linf": ["steps": 2], "spatial": ["steps": 2, "start": "random"]]),
      ("prl-simclr", "prl-simclr", ["pretraining": stage, "recipe": plain, "labeled": 0.5]),
      ("prl-simclr-div", "prl-simclr", ["pretraining": stage, "recipe": plain, "limit": ["kind": "divide"]]),
      ("ispl", "ispl", filter), ("self-expansion", "self-expansion", ["filter": filter, "recipe": short]),
      ("dbd-filter", "dbd-filter", ["pretrain": stage, "tune": tune, "embeddings": 5]),
      ("dbd-moco", "dbd-filter", ["pretrain": ["epochs": 2, "batch": 32, "method": "moco", "queue": 40], "tune": ["epochs": 2, "batch": 20, "statistics": "moving"], "embeddings": 5]),
      ("dbd-byol", "dbd-filter", ["pretrain": ["epochs": 2, "batch": 32, "method": "byol"], "tune": ["epochs": 2, "batch": 20, "loss": "gce"], "embeddings": 5]),
    ]
    for id in ["spl", "spl-at", "prl", "prl-at", "bootstrap", "bootstrap-at", "noisy-at"] { cases.append((id, id, ["recipe": short])) }
    cases.append(("prl-at-shared", "prl-at", ["recipe": short, "adversary": ["form": "shared", "mode": "eval"], "variant": "inner"]))
    for threat in ["linf", "l2", "l1", "spatial", "perceptual", "gaussian-noise", "random-spatial", "composite"] {
      cases.append(("at-\(threat)", "at", ["threat": .string(threat), "recipe": short, "linf": ["steps": 2], "l1": ["steps": 2], "l2": ["steps": 2, "start": "zero"],
        "spatial": ["steps": 2], "perceptual": ["steps": 2, "projections": 2], "randomSpatial": ["kind": "affine"]]))
    }
    for variant in ["full", "no-ssl", "ss-ce", "ss-sce", "ss-sce-tuning"] {
      cases.append(("dbd-\(variant)", "dbd", ["variant": .string(variant), "pretrain": stage, "tune": tune, "finetune": mix, "supervised": stage, "embeddings": 5]))
    }
    let data = ImageDataset.tiny(channels: 3, size: 32)
    for precision in [Precision.float32, .bfloat16] {
      for (name, id, settings) in cases {
        let model = try Classifier.tiny(for: data, kind: "preactresnet18")
        let (defense, _) = try DefenseKind.named(id).make(settings)
        let context = TrainingContext(precision: precision, seed: 5)
        var text = ""
        context.onEpoch = { r in
          text += "\(r.stage) \(r.epoch) \(r.epochs) \(r.isMeasured) \(String(describing: r.selected)) "
          for (k, v) in r.values where k != "seconds" && k != "imagesPerSecond" { text += "\(k) \(v) " }
        }
        let input = try DefenseInput(
          for: type(of: defense), training: context, seed: 5, architecture: data.tinyArchitecture, poisonedTrain: data,
          model: model, cleanSplit: data.prefix(24), unlabeled: data.prefix(24))
        let outcome = try defense.run(input)
        for (k, t) in outcome.model?.snapshot() ?? [] { text += "\(k) \(t.shape) \(t.to(.float64).contiguous().array(Double.self))" }
        text += "\(String(describing: outcome.suspicion)) \(String(describing: outcome.filtered))"
        for s in outcome.scores { text += "\(s.title) \(s.values) \(String(describing: s.threshold))" }
        for e in outcome.exhibits { text += "\(e.title) \(e.perturbations.to(.float64).contiguous().array(Double.self))" }
        for e in outcome.embeddings { text += "\(e.title) \(e.indices) \(e.features.to(.float64).contiguous().array(Double.self))" }
        print("DIGEST defense", precision, name, Digest.sha256Hex(text).prefix(16))
      }
    }
  }
}
