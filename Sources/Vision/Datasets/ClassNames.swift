import Files
import Foundation
import Torch

/// Matches classes by name wherever two sources of labels meet: a data set, clean images, a model file, a poison
/// manifest.
///
/// A position says nothing about a class: folders are numbered in alphabetical order, published data sets in their own.
public struct ClassNames: Sendable, Equatable {
  public let names: [String]
  /// Whether each begins with its position and `-`.
  private let isNumbered: Bool

  public init(_ names: [String]) {
    self.names = names
    isNumbered = Self.isNumbered(names)
  }

  /// Whether these are names, not just the positions `0`, `1`, ... themselves (or `00000`, `00001`, ...), which any
  /// classes have.
  public var areNames: Bool { !names.enumerated().allSatisfy { Int($0.element) == $0.offset } }

  /// The position here of each class of `other`; nil where either side has no names and as many classes.
  /// - Parameters:
  ///   - source: what has these classes, for the error: `the model suspect.safetensors`.
  ///   - otherSource: what has the others.
  /// - Throws: `ClassNameError` where `other` has a class that is not here, or where there are no names and the counts
  ///   differ.
  public func positions(
    of other: ClassNames, source: String, otherSource: String
  ) throws(ClassNameError) -> [Int]? {
    let hasNames = (here: areNames, there: other.areNames)
    if !(hasNames.here && hasNames.there), names.count == other.names.count { return nil }
    // Also where a name is there twice, as in the usual names of ImageNet.
    if names.elementsEqual(other.names, by: { $0.utf8.elementsEqual($1.utf8) }) { return nil }
    let found = positions(of: other.names)
    // Bare positions may not be what names that happen to be numbers mean.
    guard !found.contains(nil), hasNames.there || !hasNames.here else {
      throw ClassNameError(source: source, names: names, otherSource: otherSource, otherNames: other.names)
    }
    return found.compactMap { $0 }
  }

  /// The position here of each name, nil where it is not here: that of the same bytes, else the only one of the same
  /// letters and digits.
  func positions(of wanted: [String]) -> [Int?] {
    // Two classes of one name are no class of that name.
    let exact = Dictionary(grouping: names.indices) { Array(names[$0].utf8) }.compactMapValues {
      $0.count == 1 ? $0[0] : nil
    }
    let plain = Dictionary(grouping: names.indices) { folded($0) }
    let other = ClassNames(wanted)
    let found = wanted.indices.map { position -> Int? in
      if let same = exact[Array(wanted[position].utf8)] { return same }
      let alike = plain[other.folded(position)] ?? []
      return alike.count == 1 ? alike[0] : nil
    }
    // Names that are alike, such as both spellings of an accent, are only told apart by their bytes.
    let isUnique = Set(found).count == found.count
    return isUnique ? found : wanted.map { exact[Array($0.utf8)] }
  }

  /// The form in which names are compared where their bytes differ: one form of accents, `-` for all but letters and
  /// digits, as in the names of folders and files, and without the number before each name of the folders that Antidote
  /// writes.
  private func folded(_ position: Int) -> [UInt8] {
    let name = isNumbered ? names[position].drop { $0 != "-" }.dropFirst() : names[position][...]
    return Array(String(name.map { $0.isLetter || $0.isNumber ? $0 : "-" }).precomposedStringWithCanonicalMapping.utf8)
  }

  private static func isNumbered(_ names: [String]) -> Bool {
    names.enumerated().allSatisfy { position, name in name.contains("-") && Int(name.prefix { $0 != "-" }) == position }
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
  /// The first class whose name is a number other than its position, as of folders `0`, `1`, `10`, `11`, `2` in
  /// alphabetical order.
  public var misleadingClass: Int? {
    guard classNames.allSatisfy({ Int($0) != nil }) else { return nil }
    return classNames.indices.first { Int(classNames[$0]) != $0 }
  }

  /// The same images with their labels numbered as in `names`, matched by class name.
  /// - Parameters:
  ///   - names: the classes that the labels shall mean; all classes of this data set have to be among them.
  ///   - source: what has these classes, for the error.
  ///   - ownSource: what this data set is called there; nil takes its name.
  ///   - onNote: hears of a change of order.
  /// - Throws: `ClassNameError`.
  public func numbered(
    as names: [String], of source: String, ownSource: String? = nil, onNote: (String) -> Void = { _ in }
  ) throws(ClassNameError) -> ImageDataset {
    let wanted = ClassNames(names)
    let ownSource = ownSource ?? "the data set \(name)"
    guard
      let positions = try wanted.positions(
        of: ClassNames(classNames), source: source, otherSource: ownSource)
    else { return self }
    if positions == Array(names.indices), classNames == names { return self }
    // -1, no label, stays.
    let table = Tensor([-1] + positions.map(Int64.init)).to(device)
    let respelt = zip(classNames, positions).first { !$0.utf8.elementsEqual(names[$1].utf8) }
    let example = respelt.map { " (\($0) is \(names[$1]))" } ?? ""
    if respelt != nil || !positions.elementsEqual(0..<positions.count) {
      onNote("the classes of \(ownSource) are matched with those of \(source) by name\(example)")
    }
    return ImageDataset(name: name, images: images, labels: table[labels + 1], classNames: names, sources: sources)
  }
}

extension Classifier {
  /// Reads the class names that a model file carries; nil where it has none.
  public static func storedClassNames(in path: String) -> [String]? {
    guard let text = (try? TensorFile.metadata(of: path))?[classNamesKey] else { return nil }
    return (try? JSONValue(json: text))?.arrayValue?.compactMap(\.stringValue)
  }
}
