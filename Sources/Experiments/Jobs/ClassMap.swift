import Files
import Support
import Torch
import Vision

/// Which class of a model each class of a data set is, from a YAML file of lines `ours: theirs`:
///
/// ```yaml
/// cat: 281        # a number is a position among the model's outputs, from 0
/// dog: beagle     # a name is one of those that the model's file has
/// ```
///
/// Classes of the model that no line names are absent from the data. A class of the data that no line names is matched
/// by name.
public struct ClassMap: Sendable {
  public let path: String
  private let entries: [(ours: String, theirs: Theirs)]

  /// The data set's classes that it names.
  var ours: [String] { entries.map(\.ours) }

  private enum Theirs: Sendable {
    case number(Int)
    case name(String)
  }

  /// - Throws: `FileError`, or `JobError` for what is no such list.
  public init(contentsOf path: String) throws {
    self.path = path
    let text = try FileSystem.readText(path, limit: FormatLimits.settings.bytes)
    guard case .object(let members) = try JSONValue(yaml: text, source: path), !members.isEmpty else {
      throw JobError.invalid(
        "\(path): no list of classes. Write a line for each class of the data set: its name, a colon, and the model's "
          + "number or name for it, such as \"cat: 3\".")
    }
    entries = try members.sorted { $0.key < $1.key }.map { key, value in
      if let number = value.intValue { return (key, .number(number)) }
      if let name = value.stringValue { return (key, .name(name)) }
      throw JobError.invalid("\(path): \(key): expected the number or name of a class, found \(value.kindDescription).")
    }
  }

  /// The data set with its labels numbered as the model's outputs. Its class names are the data set's own at the places
  /// of its classes, and elsewhere the model's.
  /// - Parameters:
  ///   - classes: the model's.
  ///   - names: those that the model's file has.
  /// - Throws: `JobError` for a class that the model does not have, that nothing names, or that two classes are.
  func applied(
    to data: ImageDataset, classes: Int, names: [String]?, source: String, onNote: (String) -> Void
  ) throws -> ImageDataset {
    let modelNames = names ?? (0..<classes).map { "class \($0)" }
    func position(_ ours: String) throws -> Int {
      guard let theirs = entries.last(where: { $0.ours == ours })?.theirs else {
        if let same = names?.firstIndex(of: ours) { return same }
        throw JobError.invalid(
          "\(path): it does not say which class of \(source) \(ours) is. Add a line \"\(ours): number\". "
            + Self.list("Classes of the data set \(data.name)", data.classNames))
      }
      switch theirs {
      case .number(let number):
        guard (0..<classes).contains(number) else {
          throw JobError.invalid(
            "\(path): \(ours): \(number) is no class of \(source), whose classes are numbered from 0 to "
              + "\(classes - 1).")
        }
        return number
      case .name(let name):
        if let found = names?.firstIndex(of: name) { return found }
        throw JobError.invalid(
          "\(path): \(ours): "
            + (names.map {
              "\(source) has no class \(name). \(Nearest.question(name, among: $0)) \(Self.list("It has", $0))"
            }
              ?? "\(source) does not name its classes: give the number in place of \(name)."))
      }
    }
    let positions = try data.classNames.map(position)
    for (index, place) in positions.enumerated() {
      if let earlier = positions[..<index].firstIndex(of: place) {
        throw JobError.invalid(
          "\(path): \(data.classNames[earlier]) and \(data.classNames[index]) are both class \(place) of the model.")
      }
    }
    let strange = entries.map(\.ours).filter { !data.classNames.contains($0) }
    if !strange.isEmpty {
      onNote("\(path): no classes of the data set \(data.name), passed over: \(strange.joined(separator: ", "))")
    }
    var all = modelNames
    for (index, place) in positions.enumerated() { all[place] = data.classNames[index] }
    let absent = classes - positions.count
    onNote(
      "the classes of the data set \(data.name) are those of \(source) by \(path)"
        + (absent > 0 ? "; \(absent) of the model's are absent" : ""))
    let table = Tensor([-1] + positions.map(Int64.init)).to(data.device)
    return ImageDataset(
      name: data.name, images: data.images, labels: table[data.labels + 1], classNames: all,
      sources: data.sources)
  }

  static func list(_ title: String, _ names: [String]) -> String {
    "\(title) (\(names.count)): \(names.prefix(20).joined(separator: ", "))\(names.count > 20 ? ", ..." : "")."
  }
}
