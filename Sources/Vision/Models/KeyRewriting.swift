/// Names of another code base that differ in more than words: which layer of the zoo's model an entry belongs to.
public enum KeyRewriting: Sendable, Hashable {
  case timmMobileNetV2, timmEfficientNet, timmConvNeXt, torchVisionTransformer

  /// The zoo's key for one of the file; the same where nothing applies.
  func key(_ key: String) -> String {
    let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return (replaced(parts) ?? parts).joined(separator: ".")
  }

  /// timm keeps the scales of ConvNeXt's branches as vectors.
  func shape(_ shape: [Int], _ key: String) -> [Int] {
    self == .timmConvNeXt && shape.count == 1 && key.hasSuffix(".layer_scale") ? [shape[0], 1, 1] : shape
  }

  private func replaced(_ parts: [String]) -> [String]? {
    switch self {
    case .timmMobileNetV2: Self.inverted(parts, attention: false)
    case .timmEfficientNet: Self.inverted(parts, attention: true)
    case .timmConvNeXt: Self.convNeXt(parts)
    case .torchVisionTransformer: Self.transformer(parts)
    }
  }

  /// MobileNetV2 and EfficientNet: blocks.S.N.conv_pw and so on.
  private static func inverted(_ parts: [String], attention: Bool) -> [String]? {
    let last = attention ? "8" : "18"
    switch parts.first {
    case "conv_stem": return ["features", "0", "0"] + parts.dropFirst()
    case "bn1": return ["features", "0", "1"] + parts.dropFirst()
    case "conv_head": return ["features", last, "0"] + parts.dropFirst()
    case "bn2": return ["features", last, "1"] + parts.dropFirst()
    case "classifier": return ["classifier", "1"] + parts.dropFirst()
    case "blocks": break
    default: return nil
    }
    guard parts.count > 4, let stage = Int(parts[1]), (0..<7).contains(stage), let number = Int(parts[2]) else {
      return nil
    }
    let start: [String]
    if attention {
      start = ["features", String(stage + 1), parts[2], "block"]
    } else {
      let before = [1, 2, 3, 4, 3, 3, 1].prefix(stage).reduce(0, +)
      start = ["features", String(1 + before + number), "conv"]
    }
    // The first stage has no expansion: everything is one place earlier.
    let shift = stage == 0 ? 0 : 1
    let projection = (attention ? 2 : 1) + shift
    let place: [String]
    switch parts[3] {
    case "conv_pw" where stage > 0: place = ["0", "0"]
    case "bn1" where stage > 0: place = ["0", "1"]
    case "conv_dw": place = [String(shift), "0"]
    case stage > 0 ? "bn2" : "bn1": place = [String(shift), "1"]
    case "se":
      guard attention, let layer = ["conv_reduce": "fc1", "conv_expand": "fc2"][parts[4]] else { return nil }
      return start + [String(shift + 1), layer] + parts.dropFirst(5)
    case stage > 0 ? "conv_pwl" : "conv_pw":
      place = attention ? [String(projection), "0"] : [String(projection)]
    case stage > 0 ? "bn3" : "bn2":
      place = attention ? [String(projection), "1"] : [String(projection + 1)]
    default: return nil
    }
    return start + place + parts.dropFirst(4)
  }

  private static func convNeXt(_ parts: [String]) -> [String]? {
    switch parts.first {
    case "stem": return ["features", "0"] + parts.dropFirst()
    case "head" where parts.count > 2:
      return ["norm": "0", "fc": "2"][parts[1]].map { ["classifier", $0] + parts.dropFirst(2) }
    case "stages" where parts.count > 4:
      guard let stage = Int(parts[1]) else { return nil }
      if parts[2] == "downsample" { return ["features", String(2 * stage)] + parts.dropFirst(3) }
      let start = ["features", String(2 * stage + 1), parts[3]]
      switch parts[4] {
      case "gamma": return start + ["layer_scale"]
      case "conv_dw": return start + ["block", "0"] + parts.dropFirst(5)
      case "norm": return start + ["block", "2"] + parts.dropFirst(5)
      case "mlp" where parts.count > 5:
        return ["fc1": "3", "fc2": "5"][parts[5]].map { start + ["block", $0] + parts.dropFirst(6) }
      default: return nil
      }
    default: return nil
    }
  }

  private static func transformer(_ parts: [String]) -> [String]? {
    switch parts.first {
    case "class_token": return ["cls_token"]
    case "conv_proj": return ["patch_embed", "proj"] + parts.dropFirst()
    case "heads" where parts.count > 2 && parts[1] == "head": return ["head"] + parts.dropFirst(2)
    case "encoder" where parts.count > 1: break
    default: return nil
    }
    switch parts[1] {
    case "pos_embedding": return ["pos_embed"]
    case "ln": return ["norm"] + parts.dropFirst(2)
    case "layers" where parts.count > 4 && parts[2].hasPrefix("encoder_layer_"):
      let start = ["blocks", String(parts[2].dropFirst("encoder_layer_".count))]
      switch (parts[3], parts[4]) {
      case ("ln_1", _): return start + ["norm1"] + parts.dropFirst(4)
      case ("ln_2", _): return start + ["norm2"] + parts.dropFirst(4)
      case ("self_attention", "in_proj_weight"): return start + ["attn", "qkv", "weight"]
      case ("self_attention", "in_proj_bias"): return start + ["attn", "qkv", "bias"]
      case ("self_attention", "out_proj"): return start + ["attn", "proj"] + parts.dropFirst(5)
      // Older versions have names in place of numbers.
      case ("mlp", "0"), ("mlp", "linear_1"): return start + ["mlp", "fc1"] + parts.dropFirst(5)
      case ("mlp", "3"), ("mlp", "linear_2"): return start + ["mlp", "fc2"] + parts.dropFirst(5)
      default: return nil
      }
    default: return nil
    }
  }
}
