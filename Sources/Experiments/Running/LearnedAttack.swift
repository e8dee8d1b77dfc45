import Backdoor
import Files
import Foundation
import Torch

/// What an attack learned, as a file beside its run or its poisoned data: it is learned once.
enum LearnedAttack {
  static let fileName = "attack.safetensors"

  /// The tensors in `path`, or those that the attack learns now, which then are in `path`. An attack that learns
  /// nothing leaves no file.
  /// - Parameter path: nil keeps nothing.
  static func tensors(of attack: some Attack, _ context: AttackContext, at path: String?) throws -> [String: Tensor] {
    guard type(of: attack).learns else { return [:] }
    if let path, FileSystem.exists(path) { return try read(path) }
    let learned = try attack.learn(context)
    if let path { try write(learned, to: path) }
    return learned
  }

  /// - Throws: `FileError`, `FormatError`; `JobError` for a tensor of a type that no attack keeps.
  static func read(_ path: String) throws -> [String: Tensor] {
    let tensors = try Safetensors.load(path).tensors
    if let odd = tensors.first(where: { ![.float32, .uint8, .int64].contains($0.tensor.dtype) || !$0.tensor.isPlain }) {
      throw JobError.invalid(
        "\(path): tensor \(odd.key) is \(odd.tensor.dtype) or holds values that are not finite, which no attack "
          + "writes. "
          + "Remove the file to learn the attack again.")
    }
    return Dictionary(uniqueKeysWithValues: tensors.map { ($0.key, $0.tensor) })
  }

  static func write(_ learned: [String: Tensor], to path: String) throws {
    try Safetensors.save(learned.sorted { $0.key < $1.key }.map { ($0.key, $0.value.contiguous()) }, to: path)
  }
}

extension Tensor {
  /// Whether all values are finite.
  fileprivate var isPlain: Bool { !dtype.isFloatingPoint || count == 0 || noGrad { isFinite().all().item() != 0 } }
}
