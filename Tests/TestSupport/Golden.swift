public import Foundation
public import Torch

/// Values from Python torch: `Tests/Goldens/<name>.safetensors` with `<name>.json`, made by `make_<name>.py`.
public struct Golden {
  public let name: String
  /// The settings of the cases; empty where there is no such file.
  public let settings: JSON
  private let tensors: [String: Tensor]

  public init(_ name: String) throws {
    self.name = name
    let (tensors, settings) = (Golden.file("\(name).safetensors"), Golden.file("\(name).json"))
    guard FileManager.default.fileExists(atPath: tensors) || FileManager.default.fileExists(atPath: settings) else {
      throw GoldenError(description: "neither \(tensors) nor \(settings) is there")
    }
    let entries = FileManager.default.fileExists(atPath: tensors) ? try Safetensors.load(tensors).tensors : []
    self.tensors = Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.tensor) })
    self.settings =
      FileManager.default.fileExists(atPath: settings)
      ? try JSON(contentsOf: URL(fileURLWithPath: settings)) : JSON(nil, "\(name).json")
  }

  /// The path of a file beside the goldens.
  public static func file(_ name: String) -> String {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return tests.appendingPathComponent("Goldens").appendingPathComponent(name).path
  }

  /// The names of the cases, for parametrised tests. A missing file gives one name that no golden has, so that its test
  /// fails.
  public static func cases(_ name: String) -> [String] {
    guard let golden = try? Golden(name), !golden.settings["cases"].keys.isEmpty else {
      return ["\(name).json cannot be read"]
    }
    return golden.settings["cases"].keys
  }
  /// The settings of a case.
  public func settings(of name: String) -> JSON { settings["cases"][name] }

  public func tensor(_ key: String) throws -> Tensor {
    guard let tensor = tensorIfAny(key) else { throw GoldenError(description: "\(name).safetensors has no \(key)") }
    return tensor
  }
  public func tensorIfAny(_ key: String) -> Tensor? {
    GoldenReads.note("\(name)/\(key)")
    return tensors[key]
  }
  public var keys: [String] { tensors.keys.sorted() }
}

/// Where `ANTIDOTE_GOLDEN_READS` names a file, the keys that tests ask for are added to it, for `unread.py`.
private enum GoldenReads {
  private static let path = ProcessInfo.processInfo.environment["ANTIDOTE_GOLDEN_READS"]

  static func note(_ key: String) {
    guard let path, let file = fopen(path, "a") else { return }
    fputs(key + "\n", file)
    fclose(file)
  }
}

public struct GoldenError: Error, CustomStringConvertible {
  public let description: String
  public init(description: String) { self.description = description }
}

/// JSON of unknown structure: a path that leads nowhere gives nil at its end.
public struct JSON {
  private let value: Any?
  private let path: String

  public init(contentsOf file: URL) throws {
    self.init(try JSONSerialization.jsonObject(with: Data(contentsOf: file)), file.lastPathComponent)
  }
  init(_ value: Any?, _ path: String) { (self.value, self.path) = (value, path) }

  public subscript(key: String) -> JSON { JSON((value as? [String: Any])?[key], "\(path).\(key)") }
  public subscript(index: Int) -> JSON {
    JSON(array.indices.contains(index) ? array[index].value : nil, "\(path)[\(index)]")
  }
  public var keys: [String] { (value as? [String: Any])?.keys.sorted() ?? [] }
  public var array: [JSON] { (value as? [Any])?.enumerated().map { JSON($1, "\(path)[\($0)]") } ?? [] }
  /// The elements of a list that has to be there: a loop over none would show nothing.
  public func list() throws -> [JSON] {
    let array = array
    guard !array.isEmpty else { throw GoldenError(description: "\(path) is no list, or an empty one") }
    return array
  }
  /// Numbers of which there has to be one at least.
  public func numbers() throws -> [Double] {
    try list().map { element in
      guard let number = element.double else { throw GoldenError(description: "\(element.path) is no number") }
      return number
    }
  }
  public var double: Double? { (value as? NSNumber)?.doubleValue }
  public var int: Int? { (value as? NSNumber)?.intValue }
  public var bool: Bool? { (value as? NSNumber)?.boolValue }
  public var string: String? { value as? String }
  public var doubles: [Double] { array.compactMap(\.double) }
  public var ints: [Int] { array.compactMap(\.int) }
}
