/// The names of stages and values, which stand in records and checkpoints, in words for people.
public enum StageTitle {
  /// A stage's name as a heading: the usual ones in words, methods by the short names that people write, so that
  /// `dbd-mixmatch` is "DBD MixMatch".
  public static func title(of stage: String) -> String {
    switch stage {
    case "train": "Training"
    case "purify": "Purification"
    case "retrain": "Training on what was kept"
    case "ft": "Fine-tuning"
    case "ispl-search": "Search for compatible samples"
    case "ispl-learners": "Weak learners"
    case "ispl-self-training": "Self-training"
    case "nc-search": "Search for triggers"
    case "pretrain": "Self-supervised training"
    case "abl-isolate": "Isolation of suspicious samples"
    case "abl-tune": "Training on the other samples"
    case "abl-unlearn": "Unlearning of the isolated samples"
    case "i-bau": "I-BAU"
    case "measure": "Measurement of the model"
    case "reference": "Measurement of a clean model"
    case "cleaned": "Measurement of the purified copy"
    case "screen": "Choice of classes"
    case "attack-train": "Training under the attack"
    case "attack-surrogate": "Training of the attacker's model"
    default: methodTitle(stage)
    }
  }

  private static func methodTitle(_ stage: String) -> String {
    let short: Set = [
      "sau", "dbd", "ispl", "spl", "prl", "cat", "at", "anp", "nad", "ep", "fp", "nc", "dpsgd", "mesa", "fst",
    ]
    let known = ["simclr": "SimCLR", "mixmatch": "MixMatch"]
    let parts = stage.split(separator: "-").map { part in
      short.contains(String(part)) ? part.uppercased() : known[String(part)] ?? words(String(part)).lowercased()
    }
    let title = parts.joined(separator: " ").replacing(" AT", with: "-AT")
    return title.prefix(1).uppercased() + title.dropFirst()
  }

  /// A name in code as words: `uncertaintyLoss`, `weak-learner-3`.
  public static func words(_ name: String) -> String {
    var text = ""
    for character in name {
      if character.isUppercase, text.last?.isLowercase == true {
        text += " " + character.lowercased()
      } else {
        text.append(character == "-" || character == "_" ? " " : character)
      }
    }
    return text.prefix(1).uppercased() + text.dropFirst()
  }
}
