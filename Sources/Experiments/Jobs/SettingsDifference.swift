import Files
import Support

/// Where two trees of settings differ, for people.
enum SettingsDifference {
  /// One line for each setting: `recipe.epochs: 10 there, 20 now`.
  static func lines(_ there: JSONValue, _ now: JSONValue) -> [String] {
    let (old, new) = (leaves(there, ""), leaves(now, ""))
    return Set(old.keys).union(new.keys).sorted().compactMap { key in
      old[key] == new[key]
        ? nil : "\(key): \(old[key]?.compactJSON ?? "nothing") there, \(new[key]?.compactJSON ?? "nothing") now"
    }
  }

  private static func leaves(_ tree: JSONValue, _ path: String) -> [String: JSONValue] {
    guard case .object(let members) = tree, !members.isEmpty else { return [path: tree] }
    return members.reduce(into: [:]) { result, member in
      result.merge(leaves(member.value, path.isEmpty ? member.key : "\(path).\(member.key)")) { $1 }
    }
  }
}
