import Files
import Foundation
import Support
import Torch
import Vision

/// Images as PNG files in one folder a class, which `--dataset folder` and other programs read.
enum PNGFolder {
  /// Folders are called `<number>-<class>`, so that their order is that of the classes; files by their position.
  /// - Parameter numbers: the positions that name the files; nil counts from 0.
  static func write(_ data: ImageDataset, to folder: String, numbers: [Int]? = nil, progress: any ProgressReporter)
    throws
  {
    let digits = String(max(data.classes - 1, 0)).count
    let classes = data.classNames.enumerated().map { number, name in
      "\(folder)/\(Self.name(number, name, digits))"
    }
    for path in classes { try FileSystem.createFolder(path) }
    let labels = data.labelArray()
    progress.begin("png", total: data.count, unit: "images")
    defer {
      progress.end(
        summary: "\(formatCount(data.count)) files in \(folder.split(separator: "/").suffix(2).joined(separator: "/"))")
    }
    for (position, label) in labels.enumerated() where classes.indices.contains(label) {
      let path = "\(classes[label])/\(padded(numbers?[position] ?? position, 6)).png"
      try AtomicFile.write(DecodedImage(data.images[position]).encodePNG(), to: path, isDurable: false)
      progress.update(done: position + 1)
      if position % 64 == 0 { try Interruption.check() }
    }
  }

  /// The folder of a class.
  private static func name(_ number: Int, _ name: String, _ digits: Int) -> String {
    "\(padded(number, digits))-\(String(name.map { $0.isLetter || $0.isNumber ? $0 : "-" }))"
  }

  private static func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
