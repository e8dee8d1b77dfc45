import Files

/// One piece of work that is under way, with its speed over the last seconds.
package struct ProgressWork: Sendable {
  /// Seconds over which the speed is averaged.
  static let window = 15.0

  let title: String
  package let total: Int
  package let unit: String
  let start: Double
  package var done = 0
  var note = ""
  private var samples: [(time: Double, done: Int)]

  package init(title: String, total: Int, unit: String, start: Double) {
    self.title = title
    self.total = total
    self.unit = unit
    self.start = start
    samples = [(start, 0)]
  }

  package var cleanTitle: String { ProgressLine.clean(title) }

  /// Notes where the work is now. The two latest samples stay whatever their age: slow work has few.
  package mutating func measure(now: Double) {
    samples.append((now, done))
    while samples.count > 2, samples[1].time <= now - Self.window { samples.removeFirst() }
  }

  /// Units a second; nil until it is known.
  var rate: Double? {
    guard let first = samples.first, let last = samples.last, last.time > first.time, last.done > first.done else {
      return nil
    }
    return Double(last.done - first.done) / (last.time - first.time)
  }

  /// Seconds left; nil where it is not known.
  package var timeLeft: Double? {
    guard total > 0, let rate else { return nil }
    return Double(max(0, total - done)) / rate
  }

  /// From 0 to 1; nil where the total is not known.
  var fraction: Double? { total > 0 ? min(1, max(0, Double(done) / Double(total))) : nil }
}

/// The text of progress: a bar for terminals, a line for logs.
enum ProgressLine {
  /// `Training 3/12 45% 22,500/50,000 images, 184 images/s, 2m 29s left, 51m 10s left in all, loss 0.41`
  static func plain(_ work: ProgressWork, _ plan: WorkPlan = WorkPlan()) -> String {
    let percent = work.fraction.map { " \(Int($0 * 100))%" } ?? ""
    return "\(work.cleanTitle)\(percent) " + numbers(work, plan, full: true).joined(separator: ", ")
  }

  /// The line for the innermost work; those around it are named before it. At most `width` columns.
  static func bar(
    _ stack: [ProgressWork], _ plan: WorkPlan = WorkPlan(), width: Int, color: Bool, unicode: Bool
  ) -> String {
    guard let work = stack.last else { return "" }
    var pieces: [(text: String, code: String)] = []
    for outer in stack.dropLast() {
      pieces.append((outer.cleanTitle + (outer.total > 0 ? " \(outer.done)/\(outer.total)" : "") + " > ", "2"))
    }
    pieces.append((work.cleanTitle + " ", "1"))
    if let fraction = work.fraction {
      let cells = width >= 100 ? 24 : width >= 60 ? 14 : 8
      let full = Int(fraction * Double(cells))
      pieces.append((String(repeating: unicode ? "█" : "#", count: full), "36"))
      pieces.append((String(repeating: unicode ? "░" : "-", count: cells - full), "2"))
      pieces.append((" \(Int(fraction * 100))% ", ""))
    }
    pieces.append((numbers(work, plan, full: work.fraction == nil).joined(separator: ", "), ""))

    var left = width
    var line = ""
    for piece in pieces where left > 0 {
      let text = cut(piece.text, to: left)
      left -= columns(text)
      line += color && !piece.code.isEmpty && !text.isEmpty ? "\u{1B}[\(piece.code)m\(text)\u{1B}[0m" : text
    }
    return line
  }

  private static func numbers(_ work: ProgressWork, _ plan: WorkPlan, full: Bool) -> [String] {
    var parts: [String] = []
    if full {
      parts.append(formatCount(work.done) + (work.total > 0 ? "/\(formatCount(work.total))" : "") + " \(work.unit)")
    }
    if let rate = work.rate { parts.append(formatRate(rate, unit: work.unit)) }
    func words(_ left: Double) -> String {
      (left < 59.5 ? "\(Int(left.rounded())) s" : formatDuration(left)) + " left"
    }
    let own = work.timeLeft.map(words)
    if let own { parts.append(own) }
    // Where the innermost work is all that is left, once is enough.
    if let left = plan.secondsLeft.map(words), left != own {
      let stage = plan.position.flatMap { $0.count > 1 ? ", stage \($0.number) of \($0.count)" : nil } ?? ""
      parts.append("\(left) in all\(stage)")
    }
    if !work.note.isEmpty { parts.append(clean(work.note)) }
    return parts
  }

  /// Text without line ends and other control characters, which would break the line or drive the terminal.
  static func clean(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      result.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return result
  }

  /// The beginning of a text that fits into some columns.
  static func cut(_ text: String, to width: Int) -> String {
    var left = width
    var result = ""
    for character in text {
      left -= columns(character)
      if left < 0 { break }
      result.append(character)
    }
    return result
  }

  static func columns(_ text: String) -> Int { text.reduce(0) { $0 + columns($1) } }

  /// East Asian characters and emoji take two columns.
  private static func columns(_ character: Character) -> Int {
    guard let value = character.unicodeScalars.first?.value, value >= 0x1100 else { return 1 }
    switch value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6,
      0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
