public import Backdoor
public import SelfSupervision

/// A defense that begins with features which a new model learns without labels, by `SelfSupervisedTraining.pretrain` in
/// its usual stage. Defenses that ask for the same ones get the same bits, so runs share them.
public protocol FeatureLearning: Defense {
  /// How they are learned: from the images of the training set and, where the defense requires unlabeled images, from
  /// these too. nil in a variant that learns none.
  var features: SelfSupervisedTraining? { get }
}
