import Backdoor
import Files
import Foundation
import Torch

/// What an attack learned, as a file beside its run or its poisoned data: it is learned once.
enum LearnedAttack {
  static let fileName = "attack.safetensors"

  /// The tensors in `path`, or those that the attack learns now, which then are in `path`. An attack that learns nothing leaves no file.
  /// - Parameter path: nil keeps nothing.
  static func tensors(of attack: some Attack, _ context: AttackContext, at path: String?) throws -> [String: Tensor] {
    guard type(of: attack).learns else { return [:] }
    if let path, FileSystem.exists(path) { return try read(path) }
    let learned = try attack.learn(context)
    if let path { try write(learned, to: path) }
    return learned
  }

  static func read(_ path: String) throws -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: try Safetensors.load(path).tensors.map { ($0.key, $0.tensor) })
  }

  static func write(_ learned: [String: Tensor], to path: String) throws {
    try Safetensors.save(learned.sorted { $0.key < $1.key }.map { ($0.key, $0.value.contiguous()) }, to: path)
  }
}
