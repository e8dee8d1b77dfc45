public import Evaluation
import Vision

/// What a run was done with: machine, data, attack, defense.
extension RunRecord {
  /// The software and the machine that a run used.
  public struct Environment: Codable, Sendable, Equatable {
    /// The version of Antidote.
    public var antidote: String
    public var libtorch: String
    public var swift: String
    /// The operating system, e.g. "Debian GNU/Linux 12".
    public var os: String
    /// The processor's model name.
    public var cpu: String
    /// Threads that the tensor kernels used.
    public var threads: Int
    /// Why so many, e.g. "0.4 of 2 cores are free"; `nil` in records of earlier versions.
    public var threadsReason: String?
    /// E.g. "cpu" or "cuda:0".
    public var device: String
    /// E.g. "float32" or "bfloat16 autocast".
    public var precision: String
    /// Why this one, e.g. "1.6 times as fast as bfloat16 here"; `nil` in records of earlier versions.
    public var precisionReason: String?
    /// The machine's memory in bytes.
    public var memory: Int?
  }

  /// The data set, before any poisoning.
  public struct Dataset: Codable, Sendable, Equatable {
    public var name: String
    public var trainCount: Int
    public var testCount: Int
    /// Class names in label order; their number is the number of classes.
    public var classNames: [String]
    public var channels: Int
    /// Pixels.
    public var height: Int
    /// Pixels.
    public var width: Int
  }

  /// How the training data were poisoned.
  public struct Poison: Codable, Sendable, Equatable {
    /// The attack's name, e.g. "BadNets".
    public var attack: String
    /// One sentence on what was done to the images.
    public var summary: String
    /// The poisoning rate that was asked for, in [0, 1]: a share of the images that the attacker has; with the mapping
    /// source-to-target, of those of the target class.
    public var rate: Double
    /// How many training images were poisoned in fact.
    public var poisonedCount: Int
    /// How many training images are cover samples; `nil` where the attack has none.
    public var coverCount: Int?
    /// Whether the attacker trained the backdoored model. The poisoned set was then made afterwards, by the final
    /// trigger, for filters and training-time defenses; `nil` where training on the poisoned set made the model.
    public var attackerTrains: Bool?
    /// The label mapping in words, e.g. "every class to class 0".
    public var mapping: String
    /// The label that a trigger asks for, where there is one for all images.
    public var targetLabel: Int?
    /// How visible each trigger is, by the task's name; `nil` in records of earlier versions.
    public var visibility: [String: Visibility]?
  }

  /// The defense that was applied.
  public struct Defense: Codable, Sendable, Equatable {
    /// The defense's name, e.g. "Shared adversarial unlearning".
    public var name: String
    /// One sentence on what was done, and with which data.
    public var summary: String?
  }
}

extension RunRecord.Dataset {
  init(_ name: String, train: ImageDataset, test: ImageDataset) {
    self.init(
      name: name, trainCount: train.count, testCount: test.count, classNames: test.classNames, channels: test.channels,
      height: test.height, width: test.width)
  }
}
