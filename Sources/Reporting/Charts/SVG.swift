import Foundation

/// The pieces that all drawings are made of. Sizes are in the drawing's own units, 520 wide on a page.
enum SVG {
  static func open(width: Double, height: Double, summary: String) -> String {
    "<svg viewBox=\"0 0 \(text(width)) \(text(height))\" role=\"img\" aria-label=\"\(HTMLText.escape(summary))\">"
  }

  static func line(_ style: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    "<line class=\"\(style)\" x1=\"\(text(x1))\" y1=\"\(text(y1))\" x2=\"\(text(x2))\" y2=\"\(text(y2))\"/>"
  }

  static func label(_ content: String, _ x: Double, _ y: Double, _ anchor: String, _ style: String = "label") -> String
  {
    "<text class=\"\(style)\" x=\"\(text(x))\" y=\"\(text(y))\" "
      + "text-anchor=\"\(anchor)\">\(HTMLText.escape(content))</text>"
  }

  static func text(_ value: Double) -> String {
    let text = String(format: "%.1f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
