import Foundation
import Torch

/// Matches classes by name wherever two sources of labels meet: a data set, clean images, a model file, a poison manifest.
///
/// A position says nothing about a class: folders are numbered in alphabetical order, published data sets in their own.
public struct ClassNames: Sendable, Equatable {
  public let names: [String]

  public init(_ names: [String]) { self.names = names }

  /// Whether these are names, not just the positions `0`, `1`, ... themselves, which any classes have.
  public var areNames: Bool { !names.enumerated().allSatisfy { $0.element == String($0.offset) } }

  /// The position here of each class of `other`; nil where either side has no names and as many classes.
  /// - Parameters:
  ///   - source: what has these classes, for the error: `the model suspect.safetensors`.
  ///   - otherSource: what has the others.
  /// - Throws: `ClassNameError` where `other` has a class that is not here, or where there are no names and the counts differ.
  public func positions(
    of other: ClassNames, source: String, otherSource: String
  ) throws(ClassNameError) -> [Int]? {
    let mismatch = ClassNameError(source: source, names: names, otherSource: otherSource, otherNames: other.names)
    guard areNames, other.areNames else {
      guard names.count == other.names.count else { throw mismatch }
      return nil
    }
    let own = Dictionary(names.enumerated().map { (Self.folded($0.element), $0.offset) }) { first, _ in first }
    // Names that fold to one another, such as both spellings of an accent, are only told apart by their bytes.
    guard own.count == names.count, Set(other.names.map(Self.folded)).count == other.names.count else {
      let exact = Dictionary(names.enumerated().map { (Array($0.element.utf8), $0.offset) }) { first, _ in first }
      let found = other.names.map { exact[Array($0.utf8)] }
      guard !found.contains(nil) else { throw mismatch }
      return found.compactMap { $0 }
    }
    let found = other.names.map { own[Self.folded($0)] }
    guard !found.contains(nil) else { throw mismatch }
    return found.compactMap { $0 }
  }

  /// The form in which names are compared: one form of accents, and a slash as the `_` that takes its place in the name of a folder.
  private static func folded(_ name: String) -> [UInt8] {
    Array(name.precomposedStringWithCanonicalMapping.replacingOccurrences(of: "/", with: "_").utf8)
  }
}

/// Two sources of labels that name different classes.
public struct ClassNameError: Error, CustomStringConvertible, Sendable, Equatable {
  public let source: String
  public let names: [String]
  public let otherSource: String
  public let otherNames: [String]

  public var description: String {
    func list(_ names: [String]) -> String {
      names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", ... (\(names.count) in all)" : "")
    }
    return """
      \(source) and \(otherSource) have different classes.
        \(source) (\(names.count)): \(list(names))
        \(otherSource) (\(otherNames.count)): \(list(otherNames))
        Classes are matched by name. Rename the folders, or name the data set that belongs to the other.
      """
  }
}

extension ImageDataset {
  /// The same images with their labels numbered as in `names`, matched by class name.
  /// - Parameters:
  ///   - names: the classes that the labels shall mean; all classes of this data set have to be among them.
  ///   - source: what has these classes, for the error.
  ///   - onNote: hears of a change of order.
  /// - Throws: `ClassNameError`.
  public func numbered(
    as names: [String], of source: String, onNote: (String) -> Void = { _ in }
  ) throws(ClassNameError) -> ImageDataset {
    let wanted = ClassNames(names)
    guard let positions = try wanted.positions(of: ClassNames(classNames), source: source, otherSource: "the data set \(name)")
    else { return self }
    if positions == Array(names.indices) { return self }
    // -1, no label, stays.
    let table = Tensor([-1] + positions.map(Int64.init)).to(device)
    onNote("classes of \(name) are matched with those of \(source) by name")
    return ImageDataset(name: name, images: images, labels: table[labels + 1], classNames: names)
  }
}
