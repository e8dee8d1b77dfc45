/// Text from outside (a key, a name, a path) as it may stand in a message: what moves a terminal's cursor, changes its
/// colours, breaks the line or turns the direction of writing is spelt out as `\u{1b}`.
///
/// Text that is already escaped stays as it is.
/// - Parameter limit: The most characters; the rest of a longer text is left out.
public func escaped(_ text: String, limit: Int = 4096) -> String {
  var result = ""
  var rest = limit
  for scalar in text.unicodeScalars {
    guard rest > 0 else { return result + "..." }
    rest -= 1
    if isHarmful(scalar) {
      result += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// The same of bytes that should be UTF-8; those that are not are spelt out as `\xff`.
public func escaped(utf8 bytes: some Sequence<UInt8>, limit: Int = 4096) -> String {
  var result = ""
  var decoder = UTF8()
  var iterator = Array(bytes.prefix(limit)).makeIterator()
  var position = iterator
  while true {
    switch decoder.decode(&iterator) {
    case .scalarValue(let scalar): result += escaped(String(Character(scalar)))
    case .emptyInput: return result
    case .error: result += position.next().map { "\\x\(String($0, radix: 16))" } ?? ""
    }
    position = iterator
  }
}

/// Several lines of a message, such as a list of differences: line breaks stay, everything else is `escaped`.
public func escapedLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped(String($0), limit: .max) }.joined(
    separator: "\n")
}

private func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
  // Marks that turn the direction of writing; the joiners of emoji and of Indic scripts are of this category too and
  // stay.
  case .format:
    (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value) || scalar.value == 0xFEFF
  default: false
  }
}
