import Foundation
import Torch

/// Tensors of a safetensors file in Tests/Goldens: an 8-byte header length, a JSON header, the data.
struct GoldenFile {
  private let data: Data
  private let header: [String: Entry]
  private let start: Int

  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }
  struct Missing: Error { let key: String }

  static func url(_ name: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Goldens/\(name)")
  }

  init(_ name: String) throws {
    data = try Data(contentsOf: Self.url(name))
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    start = 8 + length
    header = try JSONDecoder().decode([String: Entry].self, from: data[8..<start])
  }

  func contains(_ key: String) -> Bool { header[key] != nil }

  subscript(key: String) -> Tensor {
    get throws {
      guard let entry = header[key], let dtype: DType = ["F32": .float32, "I64": .int64][entry.dtype] else { throw Missing(key: key) }
      let bytes = data[(start + entry.data_offsets[0])..<(start + entry.data_offsets[1])]
      return bytes.withUnsafeBytes { Tensor.copying(bytes: $0, shape: entry.shape, dtype: dtype) }
    }
  }
}

/// `sin(0.7 i + phase)` in row-major order, and what fills a state dict with it; see Tests/Goldens/goldens.py.
enum Pattern {
  static func tensor(_ shape: Shape, _ phase: Double) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { Float(sin(0.7 * Double($0) + phase)) }, shape: shape)
  }
  static func images(_ shape: Shape, _ phase: Double) -> Tensor { tensor(shape, phase) * 0.5 + 0.5 }

  static func parameter(_ key: String, _ shape: Shape, _ phase: Double) -> Tensor {
    let p = tensor(shape, phase)
    if shape.count >= 2 { return p * Double(Float((2 / Double(shape.dropFirst().reduce(1, *))).squareRoot())) }
    if key.hasSuffix(".weight") { return p * 0.1 + 1 }
    return key.hasSuffix(".running_var") ? p.abs() * 0.5 + 1 : p * 0.1
  }
}

/// The largest difference, as a share of the largest expected magnitude; infinite for different shapes.
func deviation(_ found: Tensor, _ expected: Tensor) -> Double {
  guard found.shape == expected.shape else { return .infinity }
  return noGrad { (found - expected).abs().max().item() / Swift.max(expected.abs().max().item(), 1e-12) }
}
