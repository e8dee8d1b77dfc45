import Foundation

// Numbers as people read them. The output does not depend on the locale.

/// A time in the unit that suits it: `0.8 ms`, `350 ms`, `12.3 s`, `2m 05s`, `1h 02m`, `2d 03h`; `--` for what is not
/// finite or negative.
public func formatDuration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "--" }
  if seconds < 0.00995 { return decimal(seconds * 1000, 1) + " ms" }
  if seconds < 0.9995 { return decimal(seconds * 1000, 0) + " ms" }
  if seconds < 59.95 { return decimal(seconds, 1) + " s" }
  func pair(_ value: Int, _ size: Int, _ a: String, _ b: String) -> String {
    "\(value / size)\(a) \(value % size < 10 ? "0" : "")\(value % size)\(b)"
  }
  let whole = Int(seconds.rounded())
  if whole < 3600 { return pair(whole, 60, "m", "s") }
  let minutes = Int((seconds / 60).rounded())
  if minutes < 1440 { return pair(minutes, 60, "h", "m") }
  return pair(Int((seconds / 3600).rounded()), 24, "d", "h")
}

/// Seconds of a duration as people write one: a number and `s`, `m` or `h`, such as `90s`, `10m` or `1.5h`; nil for
/// anything else.
public func parseDuration(_ text: String) -> Double? {
  let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
  guard let last = text.last, let unit = units[last],
    text.dropLast().allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
    let number = Double(text.dropLast()), number * unit < 1e9
  else { return nil }
  return number * unit
}

/// The first of some names: `a, b, c, d, e and 3 more`.
public func formatNames(_ names: [String], most: Int = 5) -> String {
  names.prefix(most).joined(separator: ", ") + (names.count > most ? " and \(names.count - most) more" : "")
}

/// A count with its thousands apart: `12,345`.
public func formatCount(_ count: Int) -> String {
  let digits = String(count.magnitude)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index).isMultiple(of: 3) { result.append(",") }
    result.append(digit)
  }
  return count < 0 ? "-" + result : result
}

/// A speed with three digits: `12,345 images/s`, `184 images/s`, `2.35 images/s`; below one in ten seconds by the
/// minute or hour.
public func formatRate(_ perSecond: Double, unit: String) -> String {
  guard perSecond.isFinite, perSecond >= 0, perSecond < 1e15 else { return "-- \(unit)/s" }
  func digits(_ value: Double) -> String {
    if value >= 99.95 { return formatCount(Int(value.rounded())) }
    return decimal(value, value >= 9.995 ? 1 : 2)
  }
  if perSecond >= 0.1 || perSecond == 0 { return "\(digits(perSecond)) \(unit)/s" }
  if perSecond * 60 >= 0.1 { return "\(digits(perSecond * 60)) \(unit)/min" }
  return "\(digits(perSecond * 3600)) \(unit)/h"
}

/// A size in binary units: `512 B`, `44.7 MiB`.
public func formatBytes(_ bytes: Int) -> String {
  var size = Double(bytes)
  var unit = "B"
  for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] where abs(size) >= (unit == "B" ? 1024 : 1023.95) {
    size /= 1024
    unit = next
  }
  return unit == "B" ? "\(bytes) B" : "\(decimal(size, 1)) \(unit)"
}

/// A fraction in percent: `formatPercent(0.9321)` is `93.2%`; `--` for NaN.
/// - Parameter digits: Digits after the point.
public func formatPercent(_ fraction: Double, digits: Int = 1) -> String {
  fraction.isFinite ? decimal(fraction * 100, digits) + "%" : "--"
}

/// The difference of two fractions in percentage points, as their percentages are written: `-2.3` from 0.967 to 0.944,
/// whatever digits there are behind; `--` for NaN.
public func formatPoints(from first: Double, to second: Double, digits: Int = 1) -> String {
  guard first.isFinite, second.isFinite, let a = Double(decimal(first * 100, digits)),
    let b = Double(decimal(second * 100, digits))
  else { return "--" }
  return decimal(b - a, digits)
}

/// A number with at most two digits after the point: `0.25`, `1.5`, `3.0`.
public func formatRounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

/// A number with a fixed count of digits after the point; zero has no sign.
///
/// Half a unit in the last place goes up, also where binary fractions put it a little below: shares are ratios of counts,
/// so that such ties are common, and the same score must not read 98.2 in one table and 98.3 in another.
package func decimal(_ value: Double, _ digits: Int) -> String {
  let text = String(format: "%.\(digits)f", value + (value < 0 ? -1e-9 : 1e-9))
  return text.hasPrefix("-") && !text.contains { ("1"..."9").contains($0) } ? String(text.dropFirst()) : text
}
